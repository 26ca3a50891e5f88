"""MACs and bytes per op, by hand and against the published counts of real files."""

import json

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from band.model.builder import GraphBuilder
from band.model.graph import Graph
from band.model.tflite_reader import read_model
from band.model.work import graph_work, op_work, parameters
from band.testing.chains import filled
from band.testing.data import NO_DATA, data_dir, real_models
from band.testing.models import half_weights, quantized, variable_tensor

# The published counts leave the LSTM op out; ours has it.
COUNTED_MORE = {"lstm_mnist_int8"}


def only(b: GraphBuilder, output: int) -> Graph:
    return b.build(output).graph


def test_a_convolution_takes_window_times_channels_per_output_value() -> None:
    b = GraphBuilder("m")
    graph = only(b, b.conv2d(b.input("x", (1, 8, 6, 3)), 5, stride=2))
    work = op_work(graph, 0)
    assert work.macs == (4 * 3 * 5) * (3 * 3 * 3)
    assert work.depthwise_macs == 0
    assert work.parameter_bytes == 4 * (5 * 3 * 3 * 3 + 5)
    assert work.read_bytes == 4 * 8 * 6 * 3
    assert work.written_bytes == 4 * 4 * 3 * 5


def test_depthwise_macs_are_told_apart() -> None:
    b = GraphBuilder("m")
    graph = only(b, b.depthwise_conv2d(b.input("x", (1, 8, 8, 4))))
    assert op_work(graph, 0).macs == op_work(graph, 0).depthwise_macs == 8 * 8 * 4 * 9


def test_a_transpose_convolution_takes_one_filter_per_input_position() -> None:
    b = GraphBuilder("m")
    graph = only(b, b.transpose_conv2d(b.input("x", (1, 4, 4, 3)), 5, 2))
    assert op_work(graph, 0).macs == 4 * 4 * (5 * 2 * 2 * 3)


def test_dense_layers_and_matrix_products_are_counted() -> None:
    b = GraphBuilder("m")
    graph = only(b, b.fully_connected(b.input("x", (2, 7)), 3))
    assert op_work(graph, 0).macs == 2 * 7 * 3
    b = GraphBuilder("m")
    left, right = b.input("a", (2, 3, 5)), b.input("b", (2, 5, 4))
    graph = only(b, b.layer("BATCH_MATMUL", (left, right), (2, 3, 4), adj_x=False, adj_y=False))
    assert op_work(graph, 0).macs == 2 * 3 * 4 * 5


def test_a_recurrent_op_applies_every_matrix_at_every_step() -> None:
    b = GraphBuilder("m")
    x = b.input("x", (1, 6, 4))
    matrices = [b.constant(f"w{i}", np.zeros((5, 4 if i < 4 else 5), np.float32)) for i in range(8)]
    bias = b.constant("bias", np.zeros(5, np.float32))
    states = [b.tensor(name, (1, 5), variable=True) for name in ("output_state", "cell_state")]
    b.op(
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        (x, *matrices, -1, -1, -1, *[bias] * 4, -1, -1, *states),
        (out := b.tensor("y", (1, 6, 5)),),
    )
    assert op_work(b.build(out).graph, 0).macs == 6 * (4 * 5 * 4 + 4 * 5 * 5)


def test_ops_that_only_move_data_have_bytes_and_no_macs() -> None:
    b = GraphBuilder("m")
    graph = only(b, b.pad(b.input("x", (1, 4, 4, 2)), [(0, 0), (1, 1), (1, 1), (0, 0)]))
    work = op_work(graph, 0)
    assert (work.macs, work.read_bytes, work.written_bytes) == (0, 128, 288)


def test_weights_behind_weight_ops_count_as_stored_and_weight_ops_are_no_work() -> None:
    graph = half_weights().graph
    conv = next(op for op in graph.ops if op.type == "CONV_2D")
    assert op_work(graph, conv.index).parameter_bytes == 2 * (8 * 3 * 3 * 3 + 8)
    assert all(op_work(graph, op) == (0, 0, 0, 0, 0) for op in graph.weight_ops)


def test_int8_activations_are_one_byte() -> None:
    graph = quantized().graph
    conv = next(op for op in graph.ops if op.type == "CONV_2D")
    assert op_work(graph, conv.index).read_bytes == 16 * 16 * 3


def test_a_constant_that_two_ops_share_counts_once_in_the_sum() -> None:
    b = GraphBuilder("m")
    shared = b.constant("shared", np.ones((1, 4), np.float32))
    x = b.add(b.input("x", (1, 4)), shared)
    graph = only(b, b.mul(x, shared))
    assert [op_work(graph, op).parameter_bytes for op in (0, 1)] == [16, 16]
    assert graph_work(graph).parameter_bytes == 16
    assert parameters(graph, (0, 1)) == (shared,)


def test_variables_are_not_parameters() -> None:
    graph = variable_tensor().graph
    assert graph_work(graph).parameter_bytes == 4 * (8 * 8 + 8 + 4 * 8 + 4 * 3 + 2 * 4 + 2)


@pytest.mark.slow
def test_the_work_of_real_models_is_the_published_count() -> None:
    folder = data_dir("devices")
    if folder is None or not real_models():
        pytest.skip(NO_DATA)
    published = json.loads((folder / "published_latency.json").read_text())["our_files"]
    compared = 0
    for path in real_models():
        row = published.get(path.name)
        if row is None or path.stem in COUNTED_MORE:
            continue
        model = read_model(path)
        if not any(op.type == "CUSTOM:PosenetDecoderOp" for op in model.graph.ops):
            model = filled(model, lambda content: Interpreter(model_content=content, num_threads=1))
        work = graph_work(model.graph)
        # Published figures are rounded to 0.01 MMAC and 0.01 MB.
        assert work.macs / 1e6 == pytest.approx(row["macs_m"], rel=0.005, abs=0.005), path.name
        depthwise = row["by_class"].get("dw", 0.0)
        assert work.depthwise_macs / 1e6 == pytest.approx(depthwise, rel=0.005, abs=0.0005)
        assert work.parameter_bytes / 1e6 == pytest.approx(
            row["constants_mb"], rel=0.005, abs=0.006
        )
        moved = (work.read_bytes + work.written_bytes) / 1e6
        assert moved == pytest.approx(row["activation_mb"], rel=0.006, abs=0.006), path.name
        compared += 1
    assert compared >= 30
