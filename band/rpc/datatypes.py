"""Datatypes of the Open Inference Protocol, and tensors as bytes or typed contents.

Bytes are little-endian, row-major and without padding. FP16 has no typed contents, as in the
protocol; BF16 and BYTES can be named in metadata, but numpy has no type for the first and no
model here takes the second, so their values are refused.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from band.errors import BandError, ErrorCode
from band.rpc import wire

Array = npt.NDArray[Any]


class Datatype(NamedTuple):
    """One datatype of the protocol.

    Attributes:
        dtype: our name of it.
        contents: the field of InferTensorContents that holds it; None = only raw bytes do.
        carried: its values can be sent.
    """

    name: str
    dtype: str
    contents: str | None
    carried: bool = True


_ALL: Final = (
    Datatype("BOOL", "bool", "bool_contents"),
    Datatype("UINT8", "uint8", "uint_contents"),
    Datatype("UINT16", "uint16", "uint_contents"),
    Datatype("UINT32", "uint32", "uint_contents"),
    Datatype("UINT64", "uint64", "uint64_contents"),
    Datatype("INT8", "int8", "int_contents"),
    Datatype("INT16", "int16", "int_contents"),
    Datatype("INT32", "int32", "int_contents"),
    Datatype("INT64", "int64", "int64_contents"),
    Datatype("FP16", "float16", None),
    Datatype("FP32", "float32", "fp32_contents"),
    Datatype("FP64", "float64", "fp64_contents"),
    Datatype("BF16", "bfloat16", None, carried=False),
    Datatype("BYTES", "string", "bytes_contents", carried=False),
)
BY_NAME: Final[Mapping[str, Datatype]] = {datatype.name: datatype for datatype in _ALL}
_BY_DTYPE: Final[Mapping[str, Datatype]] = {datatype.dtype: datatype for datatype in _ALL}


def datatype_name(dtype: str) -> str:
    """Return the protocol's name of a dtype, or our own in capitals where it has none."""
    datatype = _BY_DTYPE.get(dtype)
    return datatype.name if datatype else dtype.upper()


def dtype_name(datatype: str) -> str:
    """Return our name of a datatype; the inverse of ``datatype_name``."""
    known = BY_NAME.get(datatype)
    return known.dtype if known else datatype.lower()


def config_type(dtype: str) -> "wire.DataType.ValueType":
    """Return the model configuration's number of a dtype."""
    datatype = _BY_DTYPE.get(dtype)
    if datatype is None:
        return wire.DataType.TYPE_INVALID
    name = "STRING" if datatype.name == "BYTES" else datatype.name
    return wire.DataType.Value(f"TYPE_{name}")


def numpy_dtype(name: str, what: str) -> np.dtype[Any]:
    """Return the little-endian numpy type of a datatype.

    Args:
        name: of the protocol, case-sensitive.
        what: the tensor, for the sentence.

    Raises:
        BandError: INVALID_REQUEST for an unknown one, UNSUPPORTED_FEATURE for one whose values
            cannot be carried.
    """
    datatype = BY_NAME.get(name)
    if datatype is None:
        raise BandError(
            ErrorCode.INVALID_REQUEST,
            f"{what} has the unknown datatype {name!r}; the protocol has {', '.join(BY_NAME)}",
        )
    if not datatype.carried:
        raise BandError(
            ErrorCode.UNSUPPORTED_FEATURE,
            f"{what} has the datatype {name}, whose values this daemon does not carry",
        )
    return np.dtype(datatype.dtype).newbyteorder("<")


def from_bytes(raw: bytes, name: str, shape: Sequence[int], what: str) -> Array:
    """Return the tensor in raw bytes, without a copy (so read-only).

    Raises:
        BandError: INVALID_REQUEST if the bytes are not exactly those of the shape.
    """
    dtype = numpy_dtype(name, what)
    expected = element_count(shape, what) * dtype.itemsize
    if len(raw) != expected:
        raise BandError(
            ErrorCode.INVALID_REQUEST,
            f"{what} carries {len(raw)} bytes; {name} of shape {list(shape)} takes {expected}",
        )
    if dtype.kind == "b":  # any byte that is not 0 is true
        truths: Array = np.frombuffer(raw, np.uint8).astype(np.bool_)
        return truths.reshape(shape)
    return np.frombuffer(raw, dtype).reshape(shape)


def to_bytes(array: Array) -> bytes:
    """Return the raw bytes of a tensor; the inverse of ``from_bytes``."""
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def from_contents(contents: Any, name: str, shape: Sequence[int], what: str) -> Array:
    """Return the tensor in typed contents.

    Args:
        contents: an InferTensorContents.
        name: datatype of the tensor.
        shape: of the tensor.
        what: the tensor, for the sentence.

    Raises:
        BandError: INVALID_REQUEST if another field is filled, the count is not that of the shape
            or a value does not fit the datatype.
    """
    dtype = numpy_dtype(name, what)
    field = BY_NAME[name].contents
    filled = [descriptor.name for descriptor, _ in contents.ListFields()]
    if field is None or any(other != field for other in filled):
        where = f"in {field}" if field else "as raw_input_contents only"
        raise BandError(
            ErrorCode.INVALID_REQUEST,
            f"{what} fills {', '.join(filled)}; the elements of {name} travel {where}",
        )
    values, expected = getattr(contents, field), element_count(shape, what)
    if len(values) != expected:
        raise BandError(
            ErrorCode.INVALID_REQUEST,
            f"{what} carries {len(values)} elements; its shape {list(shape)} takes {expected}",
        )
    wide = np.array(values, dtype=_WIDE.get(field, dtype))
    narrow = wide.astype(dtype)
    if wide.dtype != dtype and not np.array_equal(wide, narrow):
        raise BandError(
            ErrorCode.INVALID_REQUEST, f"{what} carries a value that does not fit {name}"
        )
    return narrow.reshape(shape)


# Fields that hold narrower datatypes too.
_WIDE: Final = {"int_contents": np.int32, "uint_contents": np.uint32}


def element_count(shape: Sequence[int], what: str) -> int:
    """Return the number of elements of a shape.

    Raises:
        BandError: INVALID_REQUEST for a negative dimension.
    """
    count = 1
    for dimension in shape:
        if dimension < 0:
            raise BandError(
                ErrorCode.INVALID_REQUEST,
                f"{what} has the shape {list(shape)}; a request names every dimension",
            )
        count *= dimension
    return count
