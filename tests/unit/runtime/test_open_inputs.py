"""A model whose inputs are open is served in the shape that was asked for, or refused clearly."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from band.cli.main import build_app
from band.clock import MonotonicClock
from band.errors import BandError, ErrorCode
from band.model.model import Model, with_input_shapes
from band.model.tflite_reader import read_model
from band.model.tflite_writer import write_whole
from band.runtime.backends import cpu
from band.runtime.backends.protocol import BackendContext
from band.runtime.engine import Engine
from band.runtime.registration import prepare
from band.runtime.shapes import ask_shapes
from band.testing.devices import make_device, make_processor, split_device
from band.testing.edge_models import EDGES
from band.testing.open_models import OPEN, open_image, open_samples
from band.testing.reference import Reference, assert_equal
from band.testing.typed_models import string_output

SERVED: dict[str, Callable[[], Model]] = {
    **EDGES,
    **{name: OPEN[name] for name in ("open_batch", "no_shapes", "shape_of_input", "positions")},
    "open_image": lambda: with_input_shapes(open_image(), {"image": (1, 24, 16, 3)}),
    "open_samples": lambda: with_input_shapes(open_samples(), {"samples": (1, 160)}),
}


def test_an_input_without_a_size_is_refused_with_the_way_out() -> None:
    device = split_device()
    with pytest.raises(BandError, match=r"computes nothing in tensor .* becomes") as caught:
        prepare(open_samples(), device, shapes=lambda model: ask_shapes(model, device))
    assert "'samples' is [1, -1], tried as [1, 1]" in caught.value.message
    assert "?samples=1,N behind the model or as input_shapes" in caught.value.message


@pytest.mark.parametrize("name", SERVED)
def test_odd_models_are_served_exactly(name: str) -> None:
    model = SERVED[name]()
    reference = Reference(model)
    with Engine(split_device()) as engine:
        engine.register(model)
        inputs = reference.inputs(seed=3)
        got = engine.infer(model.name, inputs).outputs
        assert_equal(got, reference.outputs(inputs))
        assert all(np.isfinite(v).all() for v in got.values() if v.dtype.kind == "f")


def test_strings_that_leave_the_model_are_refused_and_never_read_as_pointers() -> None:
    with Engine(split_device()) as engine, pytest.raises(BandError, match="string") as caught:
        engine.register(string_output())
    assert caught.value.code is ErrorCode.UNSUPPORTED_FEATURE
    device = make_device(make_processor("cpu", backend="cpu"))
    context = BackendContext(device=device, clock=MonotonicClock())
    backend = cpu.Backend(device.processors[0], cpu.Options(), context)
    whole = write_whole(string_output())
    with pytest.raises(BandError, match="has strings in its input or output 'found_0'"):
        backend.load(whole.content, whole.inputs, whole.outputs)


def test_a_verb_takes_the_shapes_of_inputs_behind_the_model(tmp_path: Path) -> None:
    path = tmp_path / "samples.tflite"
    path.write_bytes(open_samples().content)
    done = CliRunner().invoke(
        build_app(),
        ["slice", f"{path}?samples=1,160", "--out", str(tmp_path / "slices"), "--json", "-"],
    )
    assert done.exit_code == 0, done.output
    manifest = json.loads(done.stdout)
    assert manifest["slices"]
    part = manifest["slices"][0]
    graph = read_model(tmp_path / "slices" / part["file"]).graph
    assert [graph.tensors[t].shape for t in graph.inputs] == [(1, 160)]
    assert [graph.tensors[t].shape for t in graph.outputs] == [(1, 9, 1, 4)]
