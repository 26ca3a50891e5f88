"""Whatever a legal file may hold, chains of its slices equal the whole model bit for bit."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from flatbuffers import flexbuffers

from band.analysis.plan_kinds import plan_kinds
from band.errors import BandError
from band.model.atoms import atoms, is_stateful
from band.model.builder import GraphBuilder
from band.model.graph import Graph, missing_shapes
from band.model.model import Model, with_input_shapes
from band.model.slice import Slice
from band.model.tflite_reader import read_model
from band.model.tflite_writer import write_slice, write_whole
from band.runtime.backends.interpreter import open_runtime
from band.runtime.backends.kernels import LITERT
from band.runtime.check_chain import Run, Whole
from band.testing.chains import LoadedPart, first_difference
from band.testing.edge_models import EDGES, constant_as_output, edited, named_signature
from band.testing.models import IMAGE, RUNNABLE, resource_variable
from band.testing.open_models import OPEN, open_image, open_samples, positions
from band.testing.shapes import shaped
from band.testing.state_models import (
    STATES,
    called,
    hoisted_reads,
    lstm,
    nested_control_flow,
    rnn,
    two_initialisations,
)
from band.testing.typed_models import TYPED, strings, types_that_numpy_lacks

KINDS = {**EDGES, **TYPED, **STATES, **OPEN}
LONG_STREAM = 30


def litert(content: bytes) -> Any:
    return Interpreter(model_content=content, num_threads=1)


def types(graph: Graph, part: tuple[int, ...]) -> list[str]:
    return [graph.ops[op].type for op in part]


def assert_exact(model: Model) -> None:
    for kind, parts in plan_kinds(model.graph).items():
        assert first_difference(model, parts, litert) is None, kind


@pytest.mark.parametrize("name", KINDS)
def test_every_plan_equals_the_whole(name: str) -> None:
    assert_exact(shaped(KINDS[name]()))


@pytest.mark.parametrize("name", [*KINDS, *RUNNABLE])
def test_a_written_slice_reads_as_the_same_ops_with_no_subgraph_too_many(name: str) -> None:
    model = shaped({**KINDS, **RUNNABLE}[name]())
    for part in atoms(model.graph):
        written = write_slice(model, part)
        graph = read_model(written.content).graph
        assert [op.type for op in graph.ops if graph.atom_of[op.index] >= 0] == types(
            model.graph, part
        )
        called = {int(str(v)) for op in graph.ops for k, v in op.options if "subgraph" in k}
        assert called <= set(range(1, graph.subgraph_count))
        assert all(t.shape is not None for t in (graph.tensors[t] for t in graph.inputs))


def test_a_constant_output_leaves_exactly_one_slice() -> None:
    model = constant_as_output()
    (_, anchors) = model.graph.outputs
    holders = [p for p in atoms(model.graph) if anchors in write_slice(model, p).outputs]
    assert holders == [(0,)]
    first = litert(write_slice(model, (0,)).content)
    first.allocate_tensors()
    first.invoke()
    values = [first.get_tensor(d["index"]) for d in first.get_output_details()]
    assert any(v.tolist() == np.linspace(0, 1, 6, dtype=np.float32).tolist() for v in values)


def test_a_state_that_is_an_output_leaves_the_slice_that_keeps_it() -> None:
    model = rnn()
    state = model.graph.outputs[1]
    holders = [
        types(model.graph, p) for p in atoms(model.graph) if state in write_slice(model, p).outputs
    ]
    assert holders == [["RNN"]]


def test_signatures_stay_on_the_whole_and_not_on_slices() -> None:
    model = named_signature()
    names = litert(write_whole(model).content).get_signature_list()
    assert names == {"serve": {"inputs": ["picture", "shift"], "outputs": ["mean", "sum"]}}
    runner = litert(write_whole(model).content).get_signature_runner("serve")
    result = runner(picture=np.ones(IMAGE, np.float32), shift=np.zeros((1, 8), np.float32))
    assert np.array_equal(result["mean"], result["sum"])
    assert litert(write_slice(model, (0,)).content).get_signature_list() == {}


@pytest.mark.parametrize("make", [resource_variable, hoisted_reads, two_initialisations, rnn, lstm])
def test_state_stays_exact_over_a_long_stream(make: Any) -> None:
    model = make()

    @contextmanager
    def load(part: Slice) -> Iterator[Run]:
        yield LoadedPart(part, litert).run

    whole = Whole(model, load, steps=LONG_STREAM)
    assert is_stateful(model.graph)
    assert whole.difference(atoms(model.graph)) is None
    # The same frame gives another answer later, so there was state to keep.
    part = LoadedPart(write_whole(model), litert)
    inputs = {
        t: np.ones(model.graph.tensors[t].shape or (), np.float32) for t in model.graph.inputs
    }
    first, second = (part.run(inputs)[model.graph.outputs[0]] for _ in range(2))
    assert first.tobytes() != second.tobytes()


def test_hoisted_reads_leave_every_cut_between_the_layers() -> None:
    graph = hoisted_reads().graph
    held = ["READ_VARIABLE", "ADD", "ASSIGN_VARIABLE"]
    assert [types(graph, p) for p in atoms(graph)] == [
        ["FULLY_CONNECTED"], held, ["FULLY_CONNECTED"], held, ["HARD_SWISH"],
    ]  # fmt: skip


def test_a_slice_brings_only_the_initialisation_that_fills_its_variable() -> None:
    model = two_initialisations()
    for part in atoms(model.graph):
        graph = read_model(write_slice(model, part).content).graph
        starts = [op for op in graph.ops if op.type == "CALL_ONCE"]
        assert len(starts) == (1 if len(part) > 1 else 0)
        assert graph.subgraph_count == 1 + len(starts)


def test_a_loop_brings_its_nested_branches_and_other_slices_bring_none() -> None:
    model = nested_control_flow()
    counts = [
        read_model(write_slice(model, p).content).graph.subgraph_count for p in atoms(model.graph)
    ]
    assert counts == [1, 5, 1]


def test_slices_around_a_call_run_and_the_call_is_refused_by_name() -> None:
    model = called()
    head, call, tail = (write_slice(model, part) for part in atoms(model.graph))
    assert read_model(call.content).graph.subgraph_count == 2
    for part in (head, tail):
        interpreter = litert(part.content)
        interpreter.allocate_tensors()
        interpreter.invoke()
    (refused,) = open_runtime(LITERT, "cpu").unsupported(model.graph, "cpu")
    assert (refused.op, refused.type) == (1, "CALL")
    assert refused.reason.endswith("has no kernel for CALL")
    with pytest.raises(ValueError, match="CALL"):
        litert(call.content)


def test_strings_and_unknown_shapes_never_cross_a_boundary() -> None:
    for model in (strings(), shaped(positions())):
        for part in atoms(model.graph):
            written = write_slice(model, part)
            for tensor in (model.graph.tensors[t] for t in written.inputs):
                assert tensor.shape is not None
                assert tensor.dtype != "string"


def test_numbers_that_numpy_lacks_never_cross_a_boundary() -> None:
    graph = types_that_numpy_lacks().graph
    assert [types(graph, p) for p in atoms(graph)] == [["CAST", "CAST"], ["TANH"]] * 3


def test_cutting_an_atom_of_unknown_shapes_is_refused() -> None:
    model = shaped(positions())
    (where,) = (op.index for op in model.graph.ops if op.type == "WHERE")
    with pytest.raises(BandError, match="share state or a tensor that cannot be handed on"):
        write_slice(model, [where])


@pytest.mark.parametrize(("make", "name", "shape", "shorter"), [
    (open_image, "image", (1, 24, 16, 3), (1, 1, 1, 3)),
    (open_samples, "samples", (1, 160), (1, 1)),
])  # fmt: skip
def test_open_inputs_take_the_shape_that_is_asked_for(
    make: Any, name: str, shape: tuple[int, ...], shorter: tuple[int, ...]
) -> None:
    model = make()
    (source,) = model.graph.inputs
    assert model.graph.tensors[source].shape == shorter
    wide = shaped(with_input_shapes(model, {name: shape}))
    assert missing_shapes(wide.graph) == ()
    assert wide.graph.tensors[source].shape == shape
    assert_exact(wide)


def test_the_detection_op_of_the_runtime_is_cut_like_any_other() -> None:
    model = shaped(detection())
    assert [types(model.graph, p) for p in atoms(model.graph)] == [
        ["TANH"], ["LOGISTIC"], ["CUSTOM:TFLite_Detection_PostProcess"], ["RELU"],
    ]  # fmt: skip
    assert_exact(model)


def detection() -> Model:
    """Return box decoding and suppression by the custom op that both runtimes bring."""
    boxes, classes, results = 8, 3, 4
    b = GraphBuilder("detection", seed=60)
    places = b.activation(b.input("places", (1, boxes, 4)), "TANH")
    scores = b.activation(b.input("scores", (1, boxes, classes + 1)), "LOGISTIC")
    anchors = b.constant(
        "anchors", np.linspace(0.1, 0.9, boxes * 4, dtype=np.float32).reshape(-1, 4)
    )
    shapes = {"boxes": (1, results, 4), "classes": (1, results), "best": (1, results), "n": (1,)}
    found = [b.tensor(name, shape) for name, shape in shapes.items()]
    b.op("CUSTOM:TFLite_Detection_PostProcess", (places, scores, anchors), found)
    last = b.activation(found[2])
    settings = {
        "max_detections": results, "max_classes_per_detection": 1, "detections_per_class": 2,
        "use_regular_nms": False, "nms_score_threshold": 0.0, "nms_iou_threshold": 0.5,
        "num_classes": classes, "y_scale": 10.0, "x_scale": 10.0, "h_scale": 5.0, "w_scale": 5.0,
    }  # fmt: skip

    def configure(tree: Any) -> None:
        (op,) = (op for op in tree.subgraphs[0].operators if len(op.outputs) == len(found))
        op.customOptions = np.frombuffer(flexbuffers.Dumps(settings), np.uint8)

    return edited(b, (*found, last), configure)
