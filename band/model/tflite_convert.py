"""Converts tensors and operators of the parsed file into the graph IR."""

from typing import Any, NamedTuple

import numpy as np

from band.errors import BandError, ErrorCode
from band.model.graph import Op, OptionValue, Quantization, Tensor
from band.model.tflite_schema import (
    CUSTOM_PREFIX,
    builtin_code,
    enum_field,
    enum_names,
    snake_case,
    text,
)

# Tensors of these types are handles: a scalar even where the file gives no shape.
HANDLE_DTYPES = frozenset({"resource", "variant"})


class OpType(NamedTuple):
    """Name and version of one operator code."""

    name: str
    version: int


def op_types(tree: Any, where: str) -> tuple[OpType, ...]:
    """Return the operator codes of a file by index.

    Raises:
        BandError: INVALID_MODEL if a code is not known to the schema.
    """
    names = enum_names("BuiltinOperator")
    found = []
    for code in tree.operatorCodes if tree.operatorCodes is not None else ():
        number = builtin_code(code)
        name = names.get(number)
        if name is None:
            msg = f"{where} uses operator code {number}, which this version of the runtime lacks"
            raise BandError(ErrorCode.INVALID_MODEL, msg, model=where)
        if name == "CUSTOM":
            name = CUSTOM_PREFIX + text(code.customCode)
        found.append(OpType(name, int(code.version)))
    return tuple(found)


def convert_tensor(index: int, tensor: Any, buffer: Any, *, computed: bool, where: str) -> Tensor:
    """Return one tensor of the IR.

    Args:
        index: its id.
        tensor: the parsed tensor.
        buffer: the buffer it names.
        computed: an op or the app writes it.
        where: the file, for messages.

    Raises:
        BandError: INVALID_MODEL if its type is unknown or its constant data is too short.
    """
    dtype = enum_names("TensorType").get(int(tensor.type), "").lower()
    if not dtype:
        msg = f"{where} has a tensor {index} of unknown type {tensor.type}"
        raise BandError(ErrorCode.INVALID_MODEL, msg, model=where)
    data_bytes = 0 if buffer.data is None else len(buffer.data)
    variable = bool(tensor.isVariable)
    dims = () if tensor.shape is None else tuple(int(d) for d in tensor.shape)
    # A tensor without elements has no data and yet a value.
    constant = not variable and not computed and (data_bytes > 0 or 0 in dims)
    known = bool(dims) or constant or bool(tensor.hasRank) or dtype in HANDLE_DTYPES
    converted = Tensor(
        index=index,
        name=text(tensor.name),
        shape=dims if known else None,
        dtype=dtype,
        constant=constant,
        variable=variable,
        buffer_bytes=data_bytes if constant else 0,
        quantization=_quantization(tensor.quantization),
        signature=_signature(tensor),
    )
    expected = converted.byte_size
    if constant and tensor.sparsity is None and expected is not None and data_bytes < expected:
        msg = (
            f"{where} is damaged: constant tensor {index} has {data_bytes} bytes, "
            f"its shape needs {expected}"
        )
        raise BandError(ErrorCode.INVALID_MODEL, msg, model=where)
    return converted


def _signature(tensor: Any) -> tuple[int, ...] | None:
    signature = _ints(tensor.shapeSignature)
    return signature if any(d < 0 for d in signature) else None


def _quantization(params: Any) -> Quantization | None:
    if params is None or params.scale is None or len(params.scale) == 0:
        return None
    zero_points = params.zeroPoint if params.zeroPoint is not None else ()
    return Quantization(
        scales=tuple(float(s) for s in params.scale),
        zero_points=tuple(int(z) for z in zero_points),
        axis=int(params.quantizedDimension),
    )


def convert_op(index: int, op: Any, kind: OpType, resources: tuple[str, ...]) -> Op:
    """Return one op of the IR."""
    return Op(
        index=index,
        type=kind.name,
        version=kind.version,
        inputs=_ints(op.inputs),
        outputs=_ints(op.outputs),
        intermediates=_ints(op.intermediates),
        options=_options(op),
        resources=resources,
    )


def _options(op: Any) -> tuple[tuple[str, OptionValue], ...]:
    found: dict[str, OptionValue] = {}
    for table in (op.builtinOptions, op.builtinOptions2):
        for field, raw in vars(table).items() if table is not None else ():
            name = snake_case(field)
            found[name] = _option(name, raw)
    return tuple(sorted(found.items()))


def _option(name: str, raw: Any) -> OptionValue:
    if isinstance(raw, np.ndarray | list):
        values = raw.tolist() if isinstance(raw, np.ndarray) else raw
        return tuple(float(v) if isinstance(v, float) else int(v) for v in values)
    if isinstance(raw, bytes | str):
        return text(raw)
    if isinstance(raw, bool | float) or raw is None:
        return raw
    return enum_field(name, int(raw))


def _ints(values: Any) -> tuple[int, ...]:
    return () if values is None else tuple(int(v) for v in values)
