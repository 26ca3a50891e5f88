"""Damaged .tflite files from sound ones: seeded, so that a file is known by its number alone.

Half of the mutations are in what describes the model (offsets, vtables, lengths, indices, options,
shapes, small constants), where they do harm; half anywhere, weights included.
"""

from collections.abc import Callable, Sequence
from math import prod, sqrt
from typing import Any, Final, NamedTuple

import numpy as np

from band.model.tflite_schema import pack, schema
from band.model.tflite_verify import verify_bytes
from band.model.tflite_verify_limits import DEFAULT
from band.model.tflite_verify_structure import parse

# Larger buffers count as weights; smaller ones are shapes, axes and the like.
WEIGHT_BYTES: Final = 256
_PACKED_BYTES: Final = 400_000  # larger files are not taken apart and put together
_BOUNDARIES: Final = (
    0, 1, 2, 3, 4, 5, 7, 8, 16, 64, 127, 128, 255, 256, 1_000, 32_767, 32_768, 65_535, 65_536,
    1_000_000, (1 << 30) - 1, 1 << 30, (1 << 31) - 1, -1, -2, -3, -4, -128, -32_768, -(1 << 30),
    -(1 << 31),
)  # fmt: skip
_REALS: Final = (0.0, -1.0, 1e-38, 1e-12, 1e38, float("inf"), float("-inf"), float("nan"), 3.0)

Random = np.random.Generator


class Source(NamedTuple):
    """One sound file and where it is not weights.

    Attributes:
        name: of the model.
        content: the file.
        description: (first, end) of the ranges that are not weights.
        real: it was not made by the builder.
        weight: how often it is taken; quick models of small files more often.
    """

    name: str
    content: bytes
    description: tuple[tuple[int, int], ...]
    real: bool
    weight: float


class Mutation(NamedTuple):
    """One damaged file: how it was made, and its bytes."""

    number: int
    source: str
    kind: str
    content: bytes


def source(name: str, content: bytes, *, real: bool = False) -> Source:
    """Return a sound file, ready to be damaged."""
    model = parse(memoryview(content), name, DEFAULT)
    tensors = [t for s in verify_bytes(content, name).subgraphs for t in s.tensors]
    activations = sum(prod(t.shape) for t in tensors if not t.constant)
    weights = sorted(b.data for b in model.buffers if b.data.length > WEIGHT_BYTES)
    ranges, at = [], 0
    for start, length in weights:
        if start > at:
            ranges.append((at, start))
        at = max(at, start + length)
    ranges.append((at, len(content)))
    return Source(
        name=name,
        content=content,
        description=tuple(r for r in ranges if r[1] > r[0]),
        real=real,
        weight=1 / sqrt(4_000 + len(content) + activations / 4),
    )


def mutated(sources: Sequence[Source], seed: int, number: int) -> Mutation:
    """Return one damaged file; the same arguments always give the same bytes.

    Args:
        sources: sound files; half of the series comes from real ones where there are any.
        seed: of the series.
        number: which one of the series.
    """
    random = np.random.default_rng([seed, number])
    wants_real = bool(random.random() < 0.5) and any(s.real for s in sources)
    group = [s for s in sources if s.real is wants_real]
    weights = np.array([s.weight for s in group])
    chosen = group[int(random.choice(len(group), p=weights / weights.sum()))]
    kinds: Sequence[Callable[[Source, Random], bytes]] = _ANYWHERE
    if number % 2 == 0:
        kinds = _DESCRIPTION if len(chosen.content) > _PACKED_BYTES else _DESCRIPTION_AND_VALUES
    kind = kinds[int(random.integers(len(kinds)))]
    return Mutation(number, chosen.name, kind.__name__.lstrip("_"), kind(chosen, random))


def _place(of: Source, random: Random, width: int) -> int:
    """Return an aligned place in the description of a model."""
    sizes = np.array([end - first for first, end in of.description], dtype=float)
    first, end = of.description[int(random.choice(len(sizes), p=sizes / sizes.sum()))]
    place = int(random.integers(first, end))
    return min(place - place % width, len(of.content) - width)


def _described_bytes(of: Source, random: Random) -> bytes:
    data = bytearray(of.content)
    for _ in range(int(random.integers(1, 4))):
        data[_place(of, random, 1)] ^= int(random.integers(1, 256))
    return bytes(data)


def _described_words(of: Source, random: Random) -> bytes:
    data = bytearray(of.content)
    for _ in range(int(random.integers(1, 3))):
        place = _place(of, random, 4)
        data[place : place + 4] = _word(data[place : place + 4], random)
    return bytes(data)


def _described_halves(of: Source, random: Random) -> bytes:
    data = bytearray(of.content)
    place = _place(of, random, 2)
    data[place : place + 2] = (_boundary(random) & 0xFFFF).to_bytes(2, "little")
    return bytes(data)


def _values(of: Source, random: Random) -> bytes:
    """Change numbers of the model and write a file whose structure is sound."""
    tree = schema().ModelT.InitFromObj(schema().Model.GetRootAs(of.content, 0))
    for _ in range(int(random.integers(1, 3))):
        subgraph = tree.subgraphs[int(random.integers(len(tree.subgraphs)))]
        change = _VALUES[int(random.integers(len(_VALUES)))]
        change(tree, subgraph, random)
    try:
        return pack(tree)
    except (TypeError, ValueError, OverflowError, AttributeError):
        return _described_bytes(of, random)  # a value that the writer cannot write


def _option(tree: Any, subgraph: Any, random: Random) -> None:
    del tree
    op = _one(subgraph.operators, random)
    options = vars(op.builtinOptions) if op.builtinOptions is not None else {}
    fields = [f for f, v in options.items() if isinstance(v, int | float)]
    if not fields:
        return
    field = _one(fields, random)
    old = getattr(op.builtinOptions, field)
    new = _one(_REALS, random) if isinstance(old, float) else _near(int(old), random)
    setattr(op.builtinOptions, field, new)


def _operand(tree: Any, subgraph: Any, random: Random) -> None:
    del tree
    op = _one(subgraph.operators, random)
    ids = op.inputs if random.random() < 0.7 else op.outputs
    if ids is not None and len(ids):
        changed = np.array(ids)
        changed[int(random.integers(len(ids)))] = random.integers(-1, len(subgraph.tensors))
        op.inputs, op.outputs = (changed, op.outputs) if ids is op.inputs else (op.inputs, changed)


def _operand_count(tree: Any, subgraph: Any, random: Random) -> None:
    del tree
    op = _one(subgraph.operators, random)
    if op.inputs is not None and len(op.inputs):
        shorter = np.array(op.inputs[:-1], np.int32)
        longer = np.append(op.inputs, op.inputs[-1]).astype(np.int32)
        op.inputs = shorter if random.random() < 0.5 else longer


def _code(tree: Any, subgraph: Any, random: Random) -> None:
    if random.random() < 0.5:
        _one(subgraph.operators, random).opcodeIndex = int(random.integers(len(tree.operatorCodes)))
    else:
        code = _one(tree.operatorCodes, random)
        code.builtinCode = code.deprecatedBuiltinCode = int(random.integers(0, 127))


def _version(tree: Any, subgraph: Any, random: Random) -> None:
    del subgraph
    _one(tree.operatorCodes, random).version = int(random.integers(0, 13))


def _shape(tree: Any, subgraph: Any, random: Random) -> None:
    del tree
    tensor = _one(subgraph.tensors, random)
    shape = [] if tensor.shape is None else [int(d) for d in tensor.shape]
    how = random.random()
    if how < 0.2 or not shape:
        shape.append(_near(1, random))
    elif how < 0.4:
        shape.pop()
    else:
        place = int(random.integers(len(shape)))
        shape[place] = _near(shape[place], random)
    tensor.shape = np.array(shape, np.int64).astype(np.int32)


def _dtype(tree: Any, subgraph: Any, random: Random) -> None:
    del tree
    _one(subgraph.tensors, random).type = int(random.integers(0, 20))


def _variable(tree: Any, subgraph: Any, random: Random) -> None:
    del tree
    tensor = _one(subgraph.tensors, random)
    tensor.isVariable = not tensor.isVariable


def _scale(tree: Any, subgraph: Any, random: Random) -> None:
    del tree
    params = _one(subgraph.tensors, random).quantization
    if params is None or params.scale is None or not len(params.scale):
        return
    how = random.random()
    if how < 0.5:
        params.scale = np.full_like(params.scale, _one(_REALS, random))
    elif how < 0.8:
        params.zeroPoint = np.full_like(params.zeroPoint, _boundary(random))
    else:
        params.quantizedDimension = _boundary(random)


def _constant(tree: Any, subgraph: Any, random: Random) -> None:
    tensors = [
        t for t in subgraph.tensors
        if t.type in {2, 4} and tree.buffers[t.buffer].data is not None
        and 0 < len(tree.buffers[t.buffer].data) <= WEIGHT_BYTES
    ]  # fmt: skip
    if not tensors:
        return
    tensor = _one(tensors, random)
    width = np.int32 if tensor.type == 2 else np.int64
    data = np.array(tree.buffers[tensor.buffer].data, np.uint8).view(width).copy()
    place = int(random.integers(len(data)))
    data[place] = _near(int(data[place]), random)
    tree.buffers[tensor.buffer].data = data.view(np.uint8)


def _flipped_bytes(of: Source, random: Random) -> bytes:
    data = bytearray(of.content)
    for place in random.integers(0, len(data), int(random.integers(1, 9))):
        data[int(place)] ^= int(random.integers(1, 256))
    return bytes(data)


def _truncated(of: Source, random: Random) -> bytes:
    return of.content[: int(random.integers(0, len(of.content)))]


def _spliced(of: Source, random: Random) -> bytes:
    """Remove, repeat or move a block."""
    size = int(random.integers(1, 1 + min(4096, len(of.content) // 4)))
    first, second = (int(p) for p in random.integers(0, len(of.content) - size, 2))
    block, data = of.content[first : first + size], of.content
    how = int(random.integers(3))
    if how == 0:
        return data[:first] + data[first + size :]
    if how == 1:
        return data[:second] + block + data[second:]
    return data[:second] + block + data[second + size :]


def _overwritten_words(of: Source, random: Random) -> bytes:
    data = bytearray(of.content)
    for _ in range(int(random.integers(1, 5))):
        place = 4 * int(random.integers(0, len(data) // 4))
        data[place : place + 4] = _word(data[place : place + 4], random)
    return bytes(data)


def _one(items: Any, random: Random) -> Any:
    return items[int(random.integers(len(items)))]


def _boundary(random: Random) -> int:
    return _BOUNDARIES[int(random.integers(len(_BOUNDARIES)))]


def _near(value: int, random: Random) -> int:
    """Return a boundary value, or one next to what was there."""
    if random.random() < 0.3:
        return value + int(random.integers(-2, 3))
    return _boundary(random)


def _word(old: bytes | bytearray, random: Random) -> bytes:
    value = _near(int.from_bytes(old, "little", signed=True), random)
    return (value & 0xFFFF_FFFF).to_bytes(4, "little")


_VALUES: Final = (
    _option, _option, _operand, _operand_count, _code, _version, _shape, _dtype, _variable, _scale,
    _constant, _constant,
)  # fmt: skip
_DESCRIPTION: Final = (_described_bytes, _described_words, _described_halves)
_DESCRIPTION_AND_VALUES: Final = (*_DESCRIPTION, _values, _values, _values)
_ANYWHERE: Final = (_flipped_bytes, _truncated, _spliced, _overwritten_words)
