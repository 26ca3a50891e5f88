"""Changes to the numbers of a parsed model: what it says stays well formed and becomes wrong."""

from typing import Any, Final

import numpy as np

# Larger buffers count as weights; smaller ones are shapes, axes and the like.
WEIGHT_BYTES: Final = 256
_BOUNDARIES: Final = (
    0, 1, 2, 3, 4, 5, 7, 8, 16, 64, 127, 128, 255, 256, 1_000, 32_767, 32_768, 65_535, 65_536,
    1_000_000, (1 << 30) - 1, 1 << 30, (1 << 31) - 1, -1, -2, -3, -4, -128, -32_768, -(1 << 30),
    -(1 << 31),
)  # fmt: skip
_REALS: Final = (0.0, -1.0, 1e-38, 1e-12, 1e38, float("inf"), float("-inf"), float("nan"), 3.0)

Random = np.random.Generator


def change_one(tree: Any, random: Random) -> None:
    """Change one number of a parsed model: an option, an operand, a type, a shape, a scale, ..."""
    subgraph = one(tree.subgraphs, random)
    one(_CHANGES, random)(tree, subgraph, random)


def _option(tree: Any, subgraph: Any, random: Random) -> None:
    del tree
    op = one(subgraph.operators, random)
    options = vars(op.builtinOptions) if op.builtinOptions is not None else {}
    fields = [f for f, v in options.items() if isinstance(v, int | float)]
    if not fields:
        return
    field = one(fields, random)
    old = getattr(op.builtinOptions, field)
    new = one(_REALS, random) if isinstance(old, float) else near(int(old), random)
    setattr(op.builtinOptions, field, new)


def _operand(tree: Any, subgraph: Any, random: Random) -> None:
    del tree
    op = one(subgraph.operators, random)
    ids = op.inputs if random.random() < 0.7 else op.outputs
    if ids is not None and len(ids):
        changed = np.array(ids)
        changed[int(random.integers(len(ids)))] = random.integers(-1, len(subgraph.tensors))
        op.inputs, op.outputs = (changed, op.outputs) if ids is op.inputs else (op.inputs, changed)


def _operand_count(tree: Any, subgraph: Any, random: Random) -> None:
    del tree
    op = one(subgraph.operators, random)
    if op.inputs is not None and len(op.inputs):
        shorter = np.array(op.inputs[:-1], np.int32)
        longer = np.append(op.inputs, op.inputs[-1]).astype(np.int32)
        op.inputs = shorter if random.random() < 0.5 else longer


def _code(tree: Any, subgraph: Any, random: Random) -> None:
    if random.random() < 0.5:
        one(subgraph.operators, random).opcodeIndex = int(random.integers(len(tree.operatorCodes)))
    else:
        code = one(tree.operatorCodes, random)
        code.builtinCode = code.deprecatedBuiltinCode = int(random.integers(0, 127))


def _version(tree: Any, subgraph: Any, random: Random) -> None:
    del subgraph
    one(tree.operatorCodes, random).version = int(random.integers(0, 13))


def _shape(tree: Any, subgraph: Any, random: Random) -> None:
    del tree
    tensor = one(subgraph.tensors, random)
    shape = [] if tensor.shape is None else [int(d) for d in tensor.shape]
    how = random.random()
    if how < 0.2 or not shape:
        shape.append(near(1, random))
    elif how < 0.4:
        shape.pop()
    else:
        place = int(random.integers(len(shape)))
        shape[place] = near(shape[place], random)
    tensor.shape = np.array(shape, np.int64).astype(np.int32)


def _dtype(tree: Any, subgraph: Any, random: Random) -> None:
    del tree
    one(subgraph.tensors, random).type = int(random.integers(0, 20))


def _variable(tree: Any, subgraph: Any, random: Random) -> None:
    del tree
    tensor = one(subgraph.tensors, random)
    tensor.isVariable = not tensor.isVariable


def _scale(tree: Any, subgraph: Any, random: Random) -> None:
    del tree
    params = one(subgraph.tensors, random).quantization
    if params is None or params.scale is None or not len(params.scale):
        return
    how = random.random()
    if how < 0.5:
        params.scale = np.full_like(params.scale, one(_REALS, random))
    elif how < 0.8:
        params.zeroPoint = np.full_like(params.zeroPoint, boundary(random))
    else:
        params.quantizedDimension = boundary(random)


def _constant(tree: Any, subgraph: Any, random: Random) -> None:
    tensors = [
        t for t in subgraph.tensors
        if t.type in {2, 4} and tree.buffers[t.buffer].data is not None
        and 0 < len(tree.buffers[t.buffer].data) <= WEIGHT_BYTES
    ]  # fmt: skip
    if not tensors:
        return
    tensor = one(tensors, random)
    width = np.int32 if tensor.type == 2 else np.int64
    data = np.array(tree.buffers[tensor.buffer].data, np.uint8).view(width).copy()
    place = int(random.integers(len(data)))
    data[place] = np.int64(near(int(data[place]), random)).astype(width)  # wraps round
    tree.buffers[tensor.buffer].data = data.view(np.uint8)


def one(items: Any, random: Random) -> Any:
    """Return one of some items."""
    return items[int(random.integers(len(items)))]


def boundary(random: Random) -> int:
    """Return a number at which something ends: of a type, of a limit, of what is usual."""
    return _BOUNDARIES[int(random.integers(len(_BOUNDARIES)))]


def near(value: int, random: Random) -> int:
    """Return a boundary value, or one next to what was there."""
    if random.random() < 0.3:
        return value + int(random.integers(-2, 3))
    return boundary(random)


_CHANGES: Final = (
    _option, _option, _operand, _operand_count, _code, _version, _shape, _dtype, _variable, _scale,
    _constant, _constant,
)  # fmt: skip
