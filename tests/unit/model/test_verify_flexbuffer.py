"""Options in FlexBuffers are walked to the end before a kernel follows their offsets."""

import numpy as np
import pytest
from flatbuffers import flexbuffers

from band.errors import BandError
from band.model.builder import GraphBuilder
from band.model.tflite_encode import encode
from band.model.tflite_schema import pack, schema
from band.model.tflite_verify import verify_bytes
from band.model.tflite_verify_flexbuffer import LONGEST_BYTES, read_flexbuffer
from band.runtime.backends.interpreter import open_runtime
from band.runtime.backends.kernels import LITERT
from band.testing.mutation_runs import run_apart


def options() -> bytes:
    """Return options like those of TFLite_Detection_PostProcess."""
    b = flexbuffers.Builder()
    with b.Map():
        for key, value in (
            ("max_detections", 10), ("max_classes_per_detection", 1), ("detections_per_class", 5),
            ("num_classes", 4),
        ):  # fmt: skip
            b.Key(key)
            b.Int(value)
        for key in ("x_scale", "y_scale", "w_scale", "h_scale", "nms_iou_threshold"):
            b.Key(key)
            b.Float(0.5)
        b.Key("use_regular_nms")
        b.Bool(False)
    return bytes(b.Finish())


def everything() -> bytes:
    """Return a map with a value of every kind."""
    b = flexbuffers.Builder()
    with b.Map():
        b.Key("blob")
        b.Blob(b"12345")
        b.Key("fixed")
        b.FixedTypedVectorFromElements([1, 2, 3])
        b.Key("indirect")
        b.IndirectInt(-70_000)
        b.Key("inner")
        with b.Map():
            b.Key("pi")
            b.Float(3.25)
        b.Key("keys")
        with b.TypedVector():
            b.Key("one")
            b.Key("two")
        b.Key("list")
        with b.Vector():
            b.Int(1)
            b.String("text")
            b.Null()
        b.Key("negative")
        b.Int(-3)
        b.Key("real")
        b.Float(1.5)
        b.Key("yes")
        b.Bool(True)
    return bytes(b.Finish())


def detection(raw: bytes) -> bytes:
    """Return a model of one detection op with these options."""
    b = GraphBuilder("detection")
    anchors = b.constant("anchors", np.ones((16, 4), np.float32))
    inputs = (b.input("boxes", (1, 16, 4)), b.input("scores", (1, 16, 5)), anchors)
    shapes = ((1, 10, 4), (1, 10), (1, 10), (1,))
    b.outputs = [b.tensor(f"out{i}", shape) for i, shape in enumerate(shapes)]
    b.op("CUSTOM:TFLite_Detection_PostProcess", inputs, b.outputs)
    tree = schema().ModelT.InitFromObj(schema().Model.GetRootAs(encode([b]), 0))
    tree.subgraphs[0].operators[0].customOptions = np.frombuffer(raw, np.uint8)
    return pack(tree)


def test_the_numbers_of_a_map_are_read_as_the_library_reads_them() -> None:
    found = read_flexbuffer(everything())
    assert found is not None
    expected = flexbuffers.Loads(everything())
    assert dict(found) == {k: v for k, v in expected.items() if isinstance(v, int | float)}
    assert found["indirect"] == -70_000


@pytest.mark.parametrize(
    "raw",
    [b"", b"\x00", bytes(LONGEST_BYTES + 1), flexbuffers.Dumps([1, 2]), flexbuffers.Dumps(5)],
    ids=["empty", "one byte", "too long", "a list", "a number"],
)
def test_what_is_no_map_is_refused(raw: bytes) -> None:
    assert read_flexbuffer(bytes(raw)) is None


def test_a_map_that_contains_itself_is_refused() -> None:
    raw = bytearray(everything())
    # A vector whose only element is a vector that starts where it does, without end.
    loop = bytes((1, 0, 40)) + bytes((1, 40, 1))
    assert read_flexbuffer(bytes(raw) + loop) is None


def test_no_damage_leads_to_a_read_outside_or_to_a_raw_exception() -> None:
    random = np.random.default_rng(4)
    raw = everything()
    refused = 0
    for _ in range(4_000):
        damaged = bytearray(raw)
        for place in random.integers(0, len(raw), int(random.integers(1, 4))):
            damaged[int(place)] = int(random.integers(256))
        refused += read_flexbuffer(bytes(damaged)) is None
    assert 500 < refused < 4_000


def test_counts_that_no_memory_holds_are_refused() -> None:
    verify_bytes(detection(options()), "m")
    content = detection(bytes(flexbuffers.Dumps({"max_detections": 100_000})))
    with pytest.raises(BandError, match="has 100000 as its max_detections"):
        verify_bytes(content, "m")


@pytest.mark.slow
def test_no_flipped_option_that_passes_kills_the_interpreter() -> None:
    interpreter = open_runtime(LITERT, "child").interpreter
    raw = options()
    random = np.random.default_rng(3)
    passed = 0
    for _ in range(400):
        damaged = bytearray(raw)
        for place in random.integers(0, len(raw), int(random.integers(1, 4))):
            damaged[int(place)] = int(random.integers(256))
        content = detection(bytes(damaged))
        try:
            verify_bytes(content, "m")
        except BandError:
            continue
        passed += 1
        assert not run_apart(content, interpreter).killed, bytes(damaged).hex()
    assert passed > 50
