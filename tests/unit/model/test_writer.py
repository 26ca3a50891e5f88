"""Slices are valid files: complete, aligned, deterministic; illegal parts are refused."""

import struct
from typing import Any

import numpy as np
import pytest

from band.errors import BandError, ErrorCode
from band.model.atoms import atoms
from band.model.builder import GraphBuilder
from band.model.graph import Graph
from band.model.model import with_shapes
from band.model.slice import Slice
from band.model.tflite_reader import read_model
from band.model.tflite_schema import schema
from band.model.tflite_writer import write_slice, write_whole
from band.testing.models import (
    RUNNABLE,
    chain,
    constant_producer,
    control_flow,
    half_weights,
    late_input,
    quantized,
    residual,
    resource_variable,
    skip_connection,
    two_outputs,
    variable_tensor,
)


def parsed(part: Slice) -> Any:
    return schema().ModelT.InitFromObj(schema().Model.GetRootAs(part.content, 0))


def types(part: Slice) -> list[str]:
    return [op.type for op in read_model(part.content).graph.ops]


def position(graph: Graph, kind: str) -> int:
    return next(op.index for op in graph.ops if op.type == kind)


def test_inputs_and_outputs_are_original_tensors_in_ascending_order() -> None:
    model = skip_connection()
    graph = model.graph
    middle = write_slice(model, [1, 2, 3])
    assert middle.ops == (1, 2, 3)
    assert middle.inputs == graph.ops[0].outputs
    assert middle.outputs == graph.ops[3].outputs
    last = write_slice(model, [5])
    assert last.inputs == tuple(sorted((*graph.ops[0].outputs, *graph.ops[4].outputs)))
    assert last.outputs == graph.outputs


def test_a_tensor_read_inside_and_outside_is_an_output() -> None:
    model = skip_connection()
    first = model.graph.ops[0].outputs
    assert write_slice(model, [0, 1]).outputs == tuple(
        sorted((*first, *model.graph.ops[1].outputs))
    )


def test_an_output_of_the_model_that_is_read_on_leaves_the_slice() -> None:
    model = two_outputs()
    scores, features = model.graph.outputs
    whole = write_slice(model, model.graph.compute_ops)
    assert whole.outputs == tuple(sorted((scores, features)))
    assert write_whole(model).outputs == (scores, features)


def test_an_input_read_late_is_an_input_of_the_late_slice_only() -> None:
    model = late_input()
    image, late = model.graph.inputs
    assert write_slice(model, [0, 1, 2]).inputs == (image,)
    assert late in write_slice(model, [3]).inputs


def test_weight_ops_are_copied_into_every_reader() -> None:
    model = half_weights()
    graph = model.graph
    for op in graph.compute_ops:
        part = write_slice(model, [op])
        needed = sum(graph.producer[t] in graph.weight_ops for t in graph.ops[op].inputs if t >= 0)
        assert types(part).count("DEQUANTIZE") == needed
        assert not any(graph.is_weight(t) for t in (*part.inputs, *part.outputs))
    shared = constant_producer()
    for op in shared.graph.compute_ops[1:]:
        assert types(write_slice(shared, [op]))[0] == "ADD"


def test_naming_weight_ops_changes_nothing() -> None:
    model = half_weights()
    everything = range(len(model.graph.ops))
    assert write_slice(model, everything) == write_slice(model, model.graph.compute_ops)


@pytest.mark.parametrize("name", RUNNABLE)
def test_every_byte_buffer_is_aligned_to_16(name: str) -> None:
    model = RUNNABLE[name]()
    for part in (write_whole(model), *(write_slice(model, part) for part in atoms(model.graph))):
        content = part.content
        root = schema().Model.GetRootAs(content, 0)
        for number in range(root.BuffersLength()):
            data = root.Buffers(number).DataAsNumpy()
            if isinstance(data, np.ndarray):
                start = np.frombuffer(content, np.uint8).__array_interface__["data"][0]
                assert (data.__array_interface__["data"][0] - start) % 16 == 0


def test_the_file_has_the_identifier_the_version_and_an_empty_first_buffer() -> None:
    part = write_slice(chain(), [0, 1])
    assert part.content[4:8] == b"TFL3"
    assert struct.unpack("<I", part.content[:4])[0] < len(part.content)
    tree = parsed(part)
    assert tree.version == 3
    assert tree.buffers[0].data is None


def test_both_code_fields_are_written() -> None:
    codes = parsed(write_whole(resource_variable())).operatorCodes
    assert {c.builtinCode for c in codes} >= {0, 3}
    assert any(c.builtinCode > 127 for c in codes)
    assert all(c.deprecatedBuiltinCode == min(c.builtinCode, 127) for c in codes)


def test_only_needed_codes_buffers_and_tensors_are_written() -> None:
    model = chain()
    tree = parsed(write_slice(model, [1]))
    assert len(tree.operatorCodes) == 1
    assert len(tree.buffers) == 3  # empty, weights, bias
    assert len(tree.subgraphs[0].tensors) == 4


def test_quantisation_options_versions_and_names_travel() -> None:
    model = quantized()
    for op in model.graph.compute_ops:
        (copied,) = read_model(write_slice(model, [op]).content).graph.ops
        original = model.graph.ops[op]
        assert (copied.type, copied.version) == (original.type, original.version)
        assert copied.options == original.options
        graph = read_model(write_slice(model, [op]).content).graph
        by_name = {t.name: t for t in graph.tensors}
        for t in (*original.inputs, *original.outputs):
            tensor = model.graph.tensors[t]
            assert by_name[tensor.name].quantization == tensor.quantization
            assert by_name[tensor.name].shape == tensor.shape


def test_the_same_part_gives_the_same_bytes() -> None:
    model = half_weights()
    first, again = write_slice(model, [2, 5]), write_slice(half_weights(), [5, 2])
    assert first.content == again.content
    assert first.sha256 == again.sha256
    assert first.sha256 != write_slice(model, [2]).sha256


def test_shapes_come_from_the_graph() -> None:
    b = GraphBuilder("m")
    model = b.build(b.activation(b.activation(b.input("x", (1, 4)))))
    (middle,) = model.graph.ops[0].outputs
    shaped = with_shapes(model, dict.fromkeys((*model.graph.inputs, middle), (2, 2)))
    assert shaped.graph.tensors[middle].shape == (2, 2)
    assert model.graph.tensors[middle].shape == (1, 4)
    written = read_model(write_slice(shaped, [0]).content).graph
    assert [t.shape for t in written.tensors] == [(2, 2), (2, 2)]
    assert written.tensors[written.outputs[0]].name == model.graph.tensors[middle].name
    assert shaped.graph.producer == model.graph.producer


def test_called_subgraphs_travel_and_are_renumbered() -> None:
    model = control_flow("WHILE")
    loop = position(model.graph, "WHILE")
    part = read_model(write_slice(model, [loop]).content).graph
    assert part.subgraph_count == 3
    assert part.ops[0].option("cond_subgraph_index") == 1
    assert part.ops[0].option("body_subgraph_index") == 2
    assert read_model(write_slice(model, [0]).content).graph.subgraph_count == 1


def test_a_slice_with_a_resource_brings_its_initialisation() -> None:
    model = resource_variable()
    relu = position(model.graph, "RELU")
    assert types(write_slice(model, [relu])) == ["RELU"]
    state = [op.index for op in model.graph.ops if op.resources and op.type != "VAR_HANDLE"]
    total = position(model.graph, "ADD")
    part = write_slice(model, [*state, total])
    assert types(part) == ["CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE", "ADD", "ASSIGN_VARIABLE"]
    assert len(part.inputs) == 1


def test_a_variable_tensor_is_no_input() -> None:
    model = variable_tensor()
    part = write_slice(model, [position(model.graph, "SVDF")])
    assert len(part.inputs) == 1
    assert sum(t.isVariable for t in parsed(part).subgraphs[0].tensors) == 1


@pytest.mark.parametrize(
    ("ops", "says"),
    [
        ([], "a slice of no op"),
        ([99], "has no op 99; its ops are 0 to 4"),
        ([-1], "has no op -1"),
        ([0, 3], r"op 3 is in the slice and op [12], which it needs"),
        ([0, 1, 3], "op 2, which it needs and which needs the slice, is not; add that op"),
    ],
)
def test_an_illegal_set_is_refused(ops: list[int], says: str) -> None:
    with pytest.raises(BandError, match=says) as caught:
        write_slice(residual(), ops)
    assert caught.value.code is ErrorCode.INVALID_REQUEST


def test_data_that_comes_back_over_several_ops_is_refused() -> None:
    with pytest.raises(BandError, match="op 4 is in the slice and op 3"):
        write_slice(chain(), [0, 4])


def test_two_branches_without_their_join_are_legal() -> None:
    assert write_slice(residual(), [1, 2]).ops == (1, 2)


def test_a_part_of_weight_ops_alone_is_a_file_that_hands_nothing_on() -> None:
    model = half_weights()
    part = write_slice(model, model.graph.weight_ops[:2])
    assert (part.ops, part.inputs, part.outputs) == ((), (), ())
    assert types(part) == ["DEQUANTIZE", "DEQUANTIZE"]


def test_cutting_shared_state_is_refused() -> None:
    model = resource_variable()
    read = position(model.graph, "READ_VARIABLE")
    with pytest.raises(BandError, match=r"they share state or .* keep the ops 2, 4, 5 in one"):
        write_slice(model, [read])
