"""The whole model in one interpreter: what every served result must equal bit for bit."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from band.clock import MonotonicClock
from band.model.graph import input_shapes, missing_shapes
from band.model.model import Model, with_shapes
from band.model.tflite_writer import write_whole
from band.runtime.backends import cpu
from band.runtime.backends.protocol import Array, BackendContext, Pace
from band.runtime.measuring import random_inputs
from band.runtime.tensors import model_info
from band.testing.devices import make_device, make_processor


class Reference:
    """Runs a model whole, with inputs and outputs by name.

    Args:
        model: as it is registered.
        runtime: interpreter package.
    """

    def __init__(self, model: Model, *, runtime: str = "ai-edge-litert") -> None:
        device = make_device(make_processor("cpu", backend="cpu", runtime=runtime))
        context = BackendContext(device=device, clock=MonotonicClock())
        self._backend = cpu.Backend(device.processors[0], cpu.Options(), context)
        if missing_shapes(model.graph):
            model = with_shapes(
                model, self._backend.shapes(model.source, input_shapes(model.graph))
            )
        self.model = model
        self.info = model_info(model.graph, model.graph.name, "")
        self._whole = write_whole(model)
        part = self._whole
        self._handle = self._backend.load(part.content, part.inputs, part.outputs).handle

    def inputs(self, seed: int = 0) -> dict[str, Array]:
        """Return random inputs, the same for the same seed."""
        values = random_inputs(self.model.graph, self._whole, seed)
        return {info.name: values[info.index] for info in self.info.inputs}

    def outputs(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the outputs of one run."""
        values = {info.index: inputs[info.name] for info in self.info.inputs}
        result = self._backend.run(self._handle, values, Pace(0, 0, 0), _new)
        return {info.name: result.outputs[info.index] for info in self.info.outputs}


def assert_equal(got: Mapping[str, Array], expected: Mapping[str, Array]) -> None:
    """Check that outputs are the same bit for bit."""
    assert list(got) == list(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(got[name], value, strict=True, err_msg=name)


def _new(tensor: int, shape: tuple[int, ...], dtype: "np.dtype[Any]") -> Array:
    del tensor
    return np.empty(shape, dtype)
