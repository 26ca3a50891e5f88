"""Tensors as raw bytes and as typed contents."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from band.errors import BandError, ErrorCode
from band.rpc import wire
from band.rpc.datatypes import BY_NAME, datatype_name, from_bytes, from_contents, to_bytes

CARRIED = [datatype for datatype in BY_NAME.values() if datatype.carried]


def _values(dtype: str) -> npt.NDArray[Any]:
    if dtype == "bool":
        return np.array([[True, False, True]])
    if dtype.startswith("float"):
        return np.array([[0.5, -2.0, 1024.0]], dtype)
    limits = np.iinfo(dtype)
    return np.array([[limits.min, 1, limits.max]], dtype)


@pytest.mark.parametrize("datatype", CARRIED, ids=lambda d: d.name)
def test_raw_bytes_come_back_as_the_same_tensor(datatype: Any) -> None:
    sent = _values(datatype.dtype)
    received = from_bytes(to_bytes(sent), datatype.name, sent.shape, "input 'x'")
    assert received.dtype == sent.dtype
    np.testing.assert_array_equal(received, sent)
    assert datatype_name(sent.dtype.name) == datatype.name


@pytest.mark.parametrize("datatype", [d for d in CARRIED if d.contents], ids=lambda d: d.name)
def test_typed_contents_come_back_as_the_same_tensor(datatype: Any) -> None:
    sent = _values(datatype.dtype)
    contents = wire.InferTensorContents()
    getattr(contents, datatype.contents).extend(sent.ravel().tolist())
    received = from_contents(contents, datatype.name, sent.shape, "input 'x'")
    assert received.dtype == sent.dtype
    np.testing.assert_array_equal(received, sent)


def test_a_tensor_of_another_layout_travels_row_major_and_little_endian() -> None:
    sent = np.asfortranarray(np.arange(6, dtype=">i2").reshape(2, 3))
    received = from_bytes(to_bytes(sent), "INT16", (2, 3), "input 'x'")
    np.testing.assert_array_equal(received, sent)


def test_any_byte_that_is_not_zero_is_true() -> None:
    received = from_bytes(b"\x00\x02", "BOOL", (2,), "input 'x'")
    assert received.tolist() == [False, True]


def test_a_tensor_without_elements_is_a_tensor() -> None:
    assert from_bytes(b"", "FP32", (0, 4), "input 'x'").shape == (0, 4)
    assert from_contents(wire.InferTensorContents(), "FP32", (0,), "input 'x'").shape == (0,)


@pytest.mark.parametrize(
    ("raw", "name", "shape", "code", "part"),
    [
        (b"1234", "FP32", (2,), ErrorCode.INVALID_REQUEST, "4 bytes; FP32 of shape [2] takes 8"),
        (b"1234", "fp32", (1,), ErrorCode.INVALID_REQUEST, "unknown datatype 'fp32'"),
        (b"1234", "", (1,), ErrorCode.INVALID_REQUEST, "unknown datatype ''"),
        (b"1234", "FP32", (-1,), ErrorCode.INVALID_REQUEST, "names every dimension"),
        (b"1234", "BYTES", (1,), ErrorCode.UNSUPPORTED_FEATURE, "BYTES"),
        (b"12", "BF16", (1,), ErrorCode.UNSUPPORTED_FEATURE, "BF16"),
    ],
)
def test_raw_bytes_that_are_no_tensor_are_refused(
    raw: bytes, name: str, shape: tuple[int, ...], code: ErrorCode, part: str
) -> None:
    with pytest.raises(BandError) as caught:
        from_bytes(raw, name, shape, "input 'x'")
    assert caught.value.code is code
    assert part in caught.value.message
    assert "input 'x'" in caught.value.message


@pytest.mark.parametrize(
    ("contents", "name", "shape", "part"),
    [
        (wire.InferTensorContents(fp32_contents=[1, 2]), "FP32", (3,), "2 elements"),
        (wire.InferTensorContents(fp64_contents=[1]), "FP32", (1,), "in fp32_contents"),
        (
            wire.InferTensorContents(int_contents=[1], fp32_contents=[1]),
            "FP32",
            (1,),
            "int_contents, fp32_contents",
        ),
        (wire.InferTensorContents(fp32_contents=[1]), "FP16", (1,), "raw_input_contents only"),
        (wire.InferTensorContents(int_contents=[128]), "INT8", (1,), "does not fit INT8"),
        (wire.InferTensorContents(uint_contents=[256]), "UINT8", (1,), "does not fit UINT8"),
    ],
)
def test_typed_contents_that_are_no_tensor_are_refused(
    contents: wire.InferTensorContents, name: str, shape: tuple[int, ...], part: str
) -> None:
    with pytest.raises(BandError) as caught:
        from_contents(contents, name, shape, "input 'x'")
    assert caught.value.code is ErrorCode.INVALID_REQUEST
    assert part in caught.value.message
