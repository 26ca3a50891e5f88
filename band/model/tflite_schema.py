"""The TFLite FlatBuffers schema: loaded when first needed, read by name, packed with alignment.

Only the ``tflite_*`` modules of this package know the file format. The schema module is one big
generated file, so it is imported on the first call of :func:`schema`.
"""

import importlib
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import numpy as np

from band.errors import BandError, ErrorCode
from band.units import format_bytes

IDENTIFIER: Final = b"TFL3"
VERSION: Final = 3
BUFFER_ALIGNMENT: Final = 16
# The old one-byte operator code; newer operators write this value there.
PLACEHOLDER_CODE: Final = 127
# FlatBuffers offsets stop at 2 GiB; the tables of the largest models take less than the rest.
MAXIMUM_DATA_BYTES: Final = (2 << 30) - (64 << 20)
CUSTOM_PREFIX: Final = "CUSTOM:"
# Builtin options whose integer is an enum worth reading by name.
_ENUM_FIELDS: Final = {
    "padding": "Padding",
    "fused_activation_function": "ActivationFunctionType",
}


@cache
def schema() -> Any:
    """Return the generated schema module (``ModelT`` and all other tables)."""
    return importlib.import_module("ai_edge_litert.schema_py_generated")


@cache
def enum_names(enum: str) -> Mapping[int, str]:
    """Return value -> name of one enum of the schema, such as ``BuiltinOperator``."""
    members = vars(getattr(schema(), enum))
    return {value: name for name, value in members.items() if isinstance(value, int)}


def enum_value(enum: str, name: str) -> int:
    """Return the value of one enum member."""
    return int(getattr(getattr(schema(), enum), name))


def builtin_code(operator_code: Any) -> int:
    """Return the builtin operator number of an ``OperatorCodeT``.

    Old files have only the deprecated field, new operators only the new one.
    """
    return max(int(operator_code.builtinCode), int(operator_code.deprecatedBuiltinCode))


def snake_case(name: str) -> str:
    """Return a schema field name in snake_case: ``dilationHFactor`` -> ``dilation_h_factor``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


@cache
def option_names() -> frozenset[str]:
    """Return the names, in snake_case, of the options of all builtin operators."""
    tables = (t for name, t in vars(schema()).items() if name.endswith("OptionsT"))
    return frozenset(snake_case(field) for table in tables for field in vars(table()))


def text(value: bytes | str | None) -> str:
    """Return a string of the file; undecodable bytes are replaced."""
    if value is None:
        return ""
    return value if isinstance(value, str) else value.decode("utf-8", errors="replace")


def option_enum(field: str) -> str | None:
    """Return the enum that an option (in snake_case) is read by, None for a plain one."""
    return _ENUM_FIELDS.get(field)


def enum_field(field: str, value: int) -> int | str:
    """Return the name of an enum option (padding, activation), any other integer unchanged."""
    enum = option_enum(field)
    return value if enum is None else enum_names(enum).get(value, value)


def subgraph_references(options: Any) -> dict[str, list[int]]:
    """Return field -> subgraph numbers of an option table that calls other subgraphs."""
    found: dict[str, list[int]] = {}
    for field, value in vars(options).items() if options is not None else ():
        if field.endswith("SubgraphIndex") or field == "subgraph":
            found[field] = [int(value)]
        elif field in {"branchSubgraphIndices", "calledComputations"} and value is not None:
            found[field] = [int(v) for v in value]
    return found


def block_tensors(tensor: Any) -> dict[str, int]:
    """Return field -> tensor id of the tensors that hold a tensor's block-wise quantisation.

    An unset field says 0, so 0 names nothing.
    """
    params = tensor.quantization
    if params is None or params.detailsType != schema().QuantizationDetails.BlockwiseQuantization:
        return {}
    named = {f: int(getattr(params.details, f)) for f in ("scales", "zeroPoints")}
    return {field: number for field, number in named.items() if number > 0}


@cache
def _aligned_builder_type() -> Any:
    flatbuffers = importlib.import_module("flatbuffers")

    class AlignedBuilder(flatbuffers.Builder):  # type: ignore[misc, name-defined]  # untyped base
        """A builder that aligns byte vectors to 16.

        The generated Python code drops the schema's ``force_align: 16`` of buffers; without it
        most weights of a written file lie at odd addresses.
        """

        def StartVector(self, elemSize: int, numElems: int, alignment: int) -> Any:  # noqa: N802, N803 - names of the library
            wide = BUFFER_ALIGNMENT if elemSize == 1 else alignment
            return super().StartVector(elemSize, numElems, wide)

    return AlignedBuilder


def data_bytes(tree: Any) -> int:
    """Return the bytes of all buffers of a ``ModelT``."""
    return sum(b.data.nbytes for b in tree.buffers if b.data is not None)


def pack(tree: Any) -> bytes:
    """Return the file bytes of a ``ModelT``; the same tree always gives the same bytes.

    Raises:
        BandError: UNSUPPORTED_FEATURE if the file would pass the 2 GiB that FlatBuffers can hold.
    """
    weights = data_bytes(tree)
    if weights > MAXIMUM_DATA_BYTES:
        msg = f"a net of {format_bytes(weights)} cannot be built (limit 2 GiB); build smaller ones"
        raise BandError(ErrorCode.UNSUPPORTED_FEATURE, msg, size_bytes=weights)
    builder = _aligned_builder_type()(weights + (1 << 16))
    builder.Finish(tree.Pack(builder), IDENTIFIER)
    return bytes(memoryview(builder.Bytes)[builder.Head() :])


def byte_view(data: bytes | np.ndarray[Any, np.dtype[Any]]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return data as a flat uint8 array without copying where possible."""
    if isinstance(data, bytes):
        return np.frombuffer(data, dtype=np.uint8)
    return np.ascontiguousarray(data).reshape(-1).view(np.uint8)
