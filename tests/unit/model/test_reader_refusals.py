"""A file that is no usable model gets one clear sentence, never a raw exception."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from band.errors import BandError, ErrorCode
from band.model.content import Content
from band.model.tflite_reader import read_model
from band.model.tflite_schema import pack, schema
from band.testing.models import chain, control_flow, half_weights, resource_variable

CONTENT = chain().content


def changed(change: Callable[[Any], None], content: Content = CONTENT) -> bytes:
    tree = schema().ModelT.InitFromObj(schema().Model.GetRootAs(content, 0))
    change(tree)
    return pack(tree)


def main(tree: Any) -> Any:
    return tree.subgraphs[0]


def no_subgraphs(tree: Any) -> None:
    tree.subgraphs = []


def no_operators(tree: Any) -> None:
    main(tree).operators = []


def old_schema(tree: Any) -> None:
    tree.version = 2


def opcode_out_of_range(tree: Any) -> None:
    main(tree).operators[1].opcodeIndex = 99


def input_out_of_range(tree: Any) -> None:
    main(tree).operators[1].inputs = np.array([4000, -1], np.int32)


def input_below_minus_one(tree: Any) -> None:
    main(tree).operators[1].inputs = np.array([-2], np.int32)


def output_absent(tree: Any) -> None:
    main(tree).operators[1].outputs = np.array([-1], np.int32)


def graph_output_out_of_range(tree: Any) -> None:
    main(tree).outputs = np.array([4000], np.int32)


def graph_input_negative(tree: Any) -> None:
    main(tree).inputs = np.array([-1], np.int32)


def buffer_out_of_range(tree: Any) -> None:
    main(tree).tensors[0].buffer = 4000


def unknown_type(tree: Any) -> None:
    main(tree).tensors[0].type = 99


def unknown_operator(tree: Any) -> None:
    tree.operatorCodes[0].builtinCode = 4000


def order_swapped(tree: Any) -> None:
    operators = main(tree).operators
    operators[0], operators[1] = operators[1], operators[0]


def written_twice(tree: Any) -> None:
    main(tree).operators[1].outputs = main(tree).operators[0].outputs


def output_nobody_writes(tree: Any) -> None:
    main(tree).tensors.append(schema().TensorT(name="nothing", shape=np.array([1], np.int32)))
    main(tree).outputs = np.array([len(main(tree).tensors) - 1], np.int32)


def short_constant(tree: Any) -> None:
    weights = int(main(tree).operators[0].inputs[1])
    buffer = tree.buffers[main(tree).tensors[weights].buffer]
    buffer.data = buffer.data[:-4]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (no_subgraphs, "has no subgraph"),
        (no_operators, "has no operators"),
        (old_schema, "schema version 2"),
        (opcode_out_of_range, "op 1 in subgraph 0 names operator code 99"),
        (input_out_of_range, "op 1 input in subgraph 0 names tensor 4000"),
        (input_below_minus_one, "names tensor -2"),
        (output_absent, "names tensor -1"),
        (graph_output_out_of_range, "the list of outputs in subgraph 0 names tensor 4000"),
        (graph_input_negative, "the list of inputs in subgraph 0 names tensor -1"),
        (buffer_out_of_range, "tensor 0 in subgraph 0 names buffer 4000"),
        (unknown_type, "tensor 0 of unknown type 99"),
        (unknown_operator, "operator code 4000"),
        (order_swapped, r"op 0 \(CONV_2D\) reads tensor \d+ before it has a value"),
        (written_twice, r"op 1 \(CONV_2D\) writes tensor \d+, which has a value"),
        (output_nobody_writes, "an output 'nothing' that no op computes"),
        (short_constant, r"constant tensor \d+ has 860 bytes, its shape needs 864"),
    ],
)
def test_a_corrupt_file_is_refused_with_what_is_wrong(
    change: Callable[[Any], None], says: str
) -> None:
    with pytest.raises(BandError, match=says) as caught:
        read_model(changed(change), name="broken")
    assert caught.value.code is ErrorCode.INVALID_MODEL
    assert str(caught.value).startswith("model 'broken' ")


def test_a_branch_out_of_range_is_refused() -> None:
    def cut(tree: Any) -> None:
        tree.subgraphs = tree.subgraphs[:2]

    with pytest.raises(BandError, match="names subgraph 2, but there are 2"):
        read_model(changed(cut, control_flow().content))


def test_a_corrupt_called_subgraph_is_refused() -> None:
    def corrupt(tree: Any) -> None:
        tree.subgraphs[1].operators[0].outputs = np.array([77], np.int32)

    with pytest.raises(BandError, match="op 0 in subgraph 1 names tensor 77"):
        read_model(changed(corrupt, resource_variable().content))


def test_weights_in_another_file_are_refused() -> None:
    def point_outside(tree: Any) -> None:
        main(tree).tensors[0].externalBuffer = 1

    with pytest.raises(BandError, match="keeps weights in another file") as caught:
        read_model(changed(point_outside))
    assert caught.value.code is ErrorCode.UNSUPPORTED_FEATURE


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\x00\x01", "is not a .tflite file"),
        (b"PK\x03\x04 this is a zip file, really", "is not a .tflite file"),
        (b"\x1c\x00\x00\x00TFL3", "is damaged or truncated"),
        (CONTENT[:1000], "is damaged or truncated"),
    ],
)
def test_other_files_are_refused(content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(content)
    with pytest.raises(BandError, match=says) as caught:
        read_model(path)
    assert caught.value.code is ErrorCode.INVALID_MODEL
    assert str(path) in caught.value.message


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(BandError, match="no file") as missing:
        read_model(tmp_path / "nothing.tflite")
    assert missing.value.code is ErrorCode.NOT_FOUND
    with pytest.raises(BandError, match="is a folder") as folder:
        read_model(tmp_path)
    assert folder.value.code is ErrorCode.INVALID_MODEL


def test_a_path_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(BandError, match="cannot read") as caught:
        read_model("a\0b.tflite")
    assert caught.value.code is ErrorCode.NOT_FOUND


def test_no_truncation_leads_to_a_raw_exception() -> None:
    for end in range(0, len(CONTENT), 97):
        with pytest.raises(BandError):
            read_model(CONTENT[:end])


@pytest.mark.parametrize("make", [chain, half_weights, control_flow, resource_variable])
def test_no_flipped_byte_leads_to_a_raw_exception(make: Callable[[], Any]) -> None:
    content = make().content
    random = np.random.default_rng(5)
    refused = 0
    for _ in range(250):
        damaged = bytearray(content)
        # Most of a file is weights; the tables that can be damaged lie elsewhere.
        for place in random.integers(8, len(damaged), 3):
            damaged[place] ^= int(random.integers(1, 256))
        try:
            read_model(bytes(damaged))
        except BandError:
            refused += 1
    assert refused > 0
