"""The walk through the bytes: every way in which a FlatBuffer can lie is refused, and bounded."""

import struct
from collections.abc import Callable

import flatbuffers
import numpy as np
import pytest

from band.errors import BandError, ErrorCode
from band.model.tflite_schema import IDENTIFIER, schema
from band.model.tflite_verify import verify_bytes
from band.model.tflite_verify_limits import DEFAULT, Limits
from band.model.tflite_verify_structure import ABSENT, parse
from band.testing.models import RUNNABLE, chain

CONTENT = bytes(chain().content)
ROOT = int(struct.unpack_from("<I", CONTENT, 0)[0])
VTABLE = ROOT - int(struct.unpack_from("<i", CONTENT, ROOT)[0])
SUBGRAPHS_SLOT = 2


def field(slot: int) -> int:
    """Return the place of a field of the root table."""
    return ROOT + int(struct.unpack_from("<H", CONTENT, VTABLE + 4 + 2 * slot)[0])


def target(place: int) -> int:
    """Return the place that the offset at a place points to."""
    return place + int(struct.unpack_from("<I", CONTENT, place)[0])


def patched(code: str, place: int, value: int) -> bytes:
    data = bytearray(CONTENT)
    struct.pack_into(f"<{code}", data, place, value)
    return bytes(data)


def description_text() -> int:
    """Return the place of the description's text, which the builder always writes."""
    return target(field(3))


@pytest.mark.parametrize("name", sorted(RUNNABLE))
def test_a_walk_returns_what_the_generated_code_reads(name: str) -> None:
    content = bytes(RUNNABLE[name]().content)
    tree = schema().ModelT.InitFromObj(schema().Model.GetRootAs(content, 0))
    model = parse(memoryview(content), name, DEFAULT)
    assert model.version == tree.version
    assert len(model.buffers) == len(tree.buffers)
    for subgraph, expected in zip(model.subgraphs, tree.subgraphs, strict=True):
        for tensor, other in zip(subgraph.tensors, expected.tensors, strict=True):
            start, length = tensor.name
            assert content[start : start + length] == other.name
            assert (tensor.type, tensor.buffer) == (other.type, other.buffer)
            assert (tensor.shape == ABSENT) == (other.shape is None)
        for op, other in zip(subgraph.operators, expected.operators, strict=True):
            assert op.opcode_index == other.opcodeIndex
            assert op.builtin_options_type == other.builtinOptionsType
            if other.builtinOptions is not None:
                assert (
                    type(op.builtin_options).__name__ + "T" == type(other.builtinOptions).__name__
                )


DAMAGE: dict[str, tuple[bytes, str]] = {
    "root far outside": (patched("I", 0, 1 << 30), "a table of kind Model"),
    "root not aligned": (patched("I", 0, ROOT + 2), "a table of kind Model"),
    "layout before the file": (patched("i", ROOT, -(1 << 30)), "the layout of a Model"),
    "layout behind the file": (patched("i", ROOT, 1 << 30), "the layout of a Model"),
    "layout not aligned": (patched("i", ROOT, ROOT - VTABLE + 1), "the layout of a Model"),
    "layout too small": (patched("H", VTABLE, 2), "the layout of a Model"),
    "layout of odd size": (patched("H", VTABLE, 7), "the layout of a Model"),
    "layout too long": (patched("H", VTABLE, 0xFFFE), "the layout of a Model"),
    "table without a head": (patched("H", VTABLE + 2, 2), "the layout of a Model"),
    "table too long": (patched("H", VTABLE + 2, 0xFFFF), "past the end"),
    "field outside its table": (patched("H", VTABLE + 4, 0xFFF0), "the field version of a Model"),
    "field over the head": (patched("H", VTABLE + 4, 2), "the field version of a Model"),
    "field over another": (patched("H", VTABLE + 4, field(1) - ROOT), "the field"),
    "offset of zero": (patched("I", field(2), 0), "the field subgraphs of a Model points nowhere"),
    "offset too far": (patched("I", field(2), 0xFFFF_FFF0), "points nowhere"),
    "vector not aligned": (patched("I", field(2), 2), "the vector subgraphs lies at"),
    "vector too long": (patched("I", target(field(2)), 0x3FFF_FFFF), "has 1073741823 entries"),
    "entry of zero": (patched("I", target(field(2)) + 4, 0), "has an entry that points nowhere"),
    "text too long": (patched("I", description_text(), 1 << 29), "the vector description"),
    "text without an end": (patched("I", description_text(), 3), "the text description"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_broken_offset_size_or_end_is_refused(what: str) -> None:
    content, says = DAMAGE[what]
    with pytest.raises(BandError, match="is damaged or truncated") as caught:
        verify_bytes(content, "m.tflite")
    assert says in caught.value.message
    assert caught.value.code is ErrorCode.INVALID_MODEL
    assert caught.value.message.startswith("m.tflite ")


def test_every_truncation_is_refused() -> None:
    for end in range(0, len(CONTENT), 61):
        with pytest.raises(BandError):
            verify_bytes(CONTENT[:end], "m")


def test_a_union_of_unknown_type_is_refused() -> None:
    model = parse(memoryview(CONTENT), "m", DEFAULT)
    code = model.subgraphs[0].operators[0].builtin_options_type
    places = [i for i in range(len(CONTENT)) if CONTENT[i] == code]
    said = set()
    for place in places:
        try:
            verify_bytes(patched("B", place, 200), "m")
        except BandError as error:
            said.add(error.message)
    assert any("the field builtin_options has the unknown type 200" in text for text in said)


def shared_tensor(references: int, *, elements: int = 1) -> bytes:
    """Return a file whose tensor list names one tensor many times, with a vector of scales."""
    s, b = schema(), flatbuffers.Builder(1024)
    scales = b.CreateNumpyVector(np.full(elements, 0.5, np.float32))
    zeros = b.CreateNumpyVector(np.zeros(elements, np.int64))
    s.QuantizationParametersStart(b)
    s.QuantizationParametersAddScale(b, scales)
    s.QuantizationParametersAddZeroPoint(b, zeros)
    quantization = s.QuantizationParametersEnd(b)
    name = b.CreateString("x" * 100)
    shape = b.CreateNumpyVector(np.array([elements], np.int32))
    s.TensorStart(b)
    s.TensorAddShape(b, shape)
    s.TensorAddName(b, name)
    s.TensorAddQuantization(b, quantization)
    tensor = s.TensorEnd(b)
    tensors = _vector(b, s.SubGraphStartTensorsVector, [tensor] * references)
    s.OperatorStart(b)
    operators = _vector(b, s.SubGraphStartOperatorsVector, [s.OperatorEnd(b)])
    s.SubGraphStart(b)
    s.SubGraphAddTensors(b, tensors)
    s.SubGraphAddOperators(b, operators)
    subgraphs = _vector(b, s.ModelStartSubgraphsVector, [s.SubGraphEnd(b)])
    s.BufferStart(b)
    buffers = _vector(b, s.ModelStartBuffersVector, [s.BufferEnd(b)])
    s.OperatorCodeStart(b)
    s.OperatorCodeAddBuiltinCode(b, s.BuiltinOperator.CUSTOM)
    codes = _vector(b, s.ModelStartOperatorCodesVector, [s.OperatorCodeEnd(b)])
    s.ModelStart(b)
    s.ModelAddVersion(b, 3)
    s.ModelAddSubgraphs(b, subgraphs)
    s.ModelAddBuffers(b, buffers)
    s.ModelAddOperatorCodes(b, codes)
    b.Finish(s.ModelEnd(b), IDENTIFIER)
    return bytes(b.Output())


def _vector(b: flatbuffers.Builder, start: Callable[..., object], entries: list[int]) -> int:
    start(b, len(entries))
    for entry in reversed(entries):
        b.PrependUOffsetTRelative(entry)
    return int(b.EndVector())


def test_tables_that_are_named_often_are_counted_each_time() -> None:
    verify_bytes(shared_tensor(1_000), "m")
    with pytest.raises(BandError, match="has more than 1000 tables") as caught:
        verify_bytes(shared_tensor(1_000), "m", Limits(tables=1_000))
    assert caught.value.code is ErrorCode.UNSUPPORTED_FEATURE


def test_a_list_of_a_million_entries_is_refused_before_anything_is_made_of_it() -> None:
    content = shared_tensor(1_000_000)
    with pytest.raises(BandError, match="has more than 50000 tables"):
        verify_bytes(content, "m")


def test_names_and_vectors_that_are_shared_are_counted_each_time() -> None:
    with pytest.raises(BandError, match="its names take more than 50000 bytes"):
        verify_bytes(shared_tensor(1_000), "m", Limits(text_bytes=50_000))
    with pytest.raises(BandError, match="takes too long to check"):
        verify_bytes(shared_tensor(1_000, elements=1_000), "m", Limits(scanned_bytes=1 << 20))


def test_many_layouts_of_one_table_are_refused() -> None:
    with pytest.raises(BandError, match="has more than 4 table layouts"):
        verify_bytes(CONTENT, "m", Limits(layouts=4))
