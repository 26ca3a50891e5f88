"""The reader gives the graph of a file, and one clear sentence for a bad one."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from band.errors import BandError
from band.model.builder import GraphBuilder
from band.model.graph import missing_shapes
from band.model.model import Model
from band.model.tflite_reader import read_model
from band.model.tflite_schema import pack, schema
from band.model.tflite_writer import write_slice
from band.testing.models import (
    chain,
    control_flow,
    custom_op,
    half_weights,
    quantized,
    resource_variable,
    variable_tensor,
)


def changed(model: Model, change: Any) -> bytes:
    """Return the bytes of a model after a change of its parsed file."""
    tree = schema().ModelT.InitFromObj(schema().Model.GetRootAs(model.content, 0))
    change(tree)
    return pack(tree)


def test_ops_carry_type_version_tensors_and_options() -> None:
    b = GraphBuilder("m")
    x = b.conv2d(b.input("image", (1, 8, 8, 3)), 4, stride=2, activation="RELU6")
    model = b.build(x)
    (op,) = model.graph.ops
    assert (op.type, op.version, op.outputs) == ("CONV_2D", 1, (x,))
    assert op.option("stride_h") == 2
    assert op.option("padding") == "SAME"
    assert op.option("fused_activation_function") == "RELU6"
    assert op.option("nothing", 7) == 7
    assert [name for name, _ in op.options] == sorted(name for name, _ in op.options)


def test_tensors_carry_shape_type_constness_and_quantisation() -> None:
    graph = quantized().graph
    conv = next(op for op in graph.ops if op.type == "CONV_2D")
    data, weights, bias = (graph.tensors[t] for t in conv.inputs)
    assert (data.dtype, data.shape, data.constant) == ("int8", (1, 16, 16, 3), False)
    assert data.quantization is not None
    assert data.quantization.scales == pytest.approx((0.05,))
    assert weights.constant
    assert weights.buffer_bytes == weights.byte_size == 8 * 3 * 3 * 3
    assert weights.quantization is not None
    assert len(weights.quantization.scales) == 8
    assert bias.dtype == "int32"


def test_weight_ops_are_those_fed_by_constants_alone() -> None:
    graph = half_weights().graph
    assert {graph.ops[op].type for op in graph.weight_ops} == {"DEQUANTIZE"}
    assert "DEQUANTIZE" not in {graph.ops[op].type for op in graph.compute_ops}
    conv = next(op for op in graph.ops if op.type == "CONV_2D")
    assert graph.dynamic_inputs(conv.index) == (graph.inputs[0],)


def test_an_op_fed_by_constants_is_computed_when_its_result_leaves_the_model() -> None:
    b = GraphBuilder("m")
    x = b.activation(b.input("x", (1, 4)))
    left = b.constant("left", np.ones((1, 4), np.float32))
    total = b.add(left, left)
    graph = b.build(b.add(x, total), total).graph
    assert graph.weight_ops == ()
    assert graph.compute_ops == (0, 1, 2)


def test_random_ops_are_never_weight_ops() -> None:
    b = GraphBuilder("m")
    shape = b.integers((1, 4), "shape")
    noise = b.tensor("noise", (1, 4))
    b.op("RANDOM_UNIFORM", (shape,), (noise,))
    graph = b.build(b.add(b.input("x", (1, 4)), noise)).graph
    assert graph.weight_ops == ()


def test_variables_and_resources_are_known() -> None:
    graph = variable_tensor().graph
    (state,) = (t for t in graph.tensors if t.variable)
    assert not state.constant
    resources = resource_variable().graph
    touching = [op.type for op in resources.ops if op.resources]
    assert touching == ["CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"]
    assert resources.ops[resources.weight_ops[0]].type == "CALL_ONCE"
    assert resources.subgraph_count == 2
    assert missing_shapes(resources) == ()


def test_subgraphs_and_custom_names_are_read() -> None:
    assert control_flow("WHILE").graph.subgraph_count == 3
    assert custom_op().graph.ops[1].type == "CUSTOM:BandUnknown"


def test_an_operator_code_is_the_larger_of_its_two_fields() -> None:
    def deprecate(tree: Any) -> None:
        for code in tree.operatorCodes:
            code.deprecatedBuiltinCode, code.builtinCode = code.builtinCode, 0

    old = read_model(changed(chain(), deprecate))
    assert [op.type for op in old.graph.ops] == [op.type for op in chain().graph.ops]


def test_constants_stay_views_of_the_file() -> None:
    model = chain()
    file = np.frombuffer(model.content, np.uint8)
    tree: Any = model.tree
    held = [b.data for b in tree.buffers if b.data is not None and len(b.data)]
    assert held
    assert all(np.shares_memory(data, file) for data in held)


def test_data_behind_the_flatbuffer_is_read_like_any_other() -> None:
    whole = chain()
    tail = bytearray()

    def move_out(tree: Any) -> None:
        for buffer in tree.buffers:
            if buffer.data is not None and len(buffer.data):
                buffer.size = len(buffer.data)
                buffer.offset = 1 << 20  # same width as the real one
                places.append((len(tail), buffer.data.tobytes()))
                tail.extend(places[-1][1] + bytes(-len(places[-1][1]) % 16))
                buffer.data = None

    places: list[tuple[int, bytes]] = []
    start = len(changed(whole, move_out)) + 16 - len(changed(whole, move_out)) % 16
    places.clear()
    tail.clear()

    def move_to_tail(tree: Any) -> None:
        move_out(tree)
        external = [b for b in tree.buffers if b.size]
        for buffer, (place, _) in zip(external, places, strict=True):
            buffer.offset = start + place

    head = changed(whole, move_to_tail)
    content = head.ljust(start, b"\0") + bytes(tail)
    external = read_model(content)
    assert [t.buffer_bytes for t in external.graph.tensors] == [
        t.buffer_bytes for t in whole.graph.tensors
    ]
    with pytest.raises(BandError, match="past the end of the file"):
        read_model(content[:-100])


def test_custom_options_behind_the_flatbuffer_travel_with_their_op() -> None:
    settings = b"settings of the op"

    def point_behind(tree: Any) -> None:
        op = tree.subgraphs[0].operators[1]
        op.largeCustomOptionsOffset, op.largeCustomOptionsSize = start, len(settings)

    start = 1 << 16
    content = changed(custom_op(), point_behind).ljust(start, b"\0") + settings
    part = write_slice(read_model(content), [1])
    tree = schema().ModelT.InitFromObj(schema().Model.GetRootAs(part.content, 0))
    assert tree.subgraphs[0].operators[0].customOptions.tobytes() == settings
    with pytest.raises(BandError, match="data of op 1 lies past the end"):
        read_model(content[:-1])


def test_a_model_is_named_after_its_file(tmp_path: Path) -> None:
    path = tmp_path / "hand.tflite"
    path.write_bytes(chain().content)
    assert read_model(path).name == "hand"
    assert read_model(str(path), name="other").name == "other"
    assert read_model(path).path == path
    assert read_model(path).graph.sha256 == chain().graph.sha256


def test_a_file_without_shapes_says_which_tensors_miss_one() -> None:
    def forget(tree: Any) -> None:
        tensor = tree.subgraphs[0].tensors[int(tree.subgraphs[0].operators[0].outputs[0])]
        tensor.shape, tensor.hasRank = None, False

    model = read_model(changed(chain(), forget))
    assert missing_shapes(model.graph) == (model.graph.ops[0].outputs[0],)
