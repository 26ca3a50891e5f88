"""Are outputs that came over the wire those of the whole model, bit for bit?

Slices on the same runtime with the same kernels equal the shape-filled whole model exactly, so
the comparison is ``==`` on bytes, never a tolerance.
"""

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from band.clock import MonotonicClock
from band.config.device import load_device
from band.model.model import Model
from band.model.tflite_writer import write_whole
from band.runtime.backends.protocol import BackendContext, Pace
from band.runtime.discovery import open_backend
from band.runtime.tensors import check_inputs, model_info

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exactness:
    """Result of a comparison.

    Attributes:
        compared: replies compared.
        split: how many of them ran as at least two slices on at least two processors.
        different: how many differ in any bit of any output.
    """

    compared: int
    split: int
    different: int


def whole_outputs(model: Model, inputs: Arrays) -> dict[str, npt.NDArray[Any]]:
    """Return the outputs of the whole model run once in one interpreter with one thread.

    Args:
        model: with static shapes.
        inputs: by name.

    Raises:
        BandError: INVALID_REQUEST for wrong inputs, BACKEND_FAILED if the runtime refuses it.
    """
    device = load_device("host")
    context = BackendContext(device=device, clock=MonotonicClock())
    backend = open_backend(device.processors[0], context)
    try:
        info = model_info(model.graph, model.name, "")
        whole = write_whole(model)
        loaded = backend.load(whole.content, whole.inputs, whole.outputs)
        given = check_inputs(info, inputs)
        result = backend.run(loaded.handle, given, Pace(0, 0, 0), lambda _, s, t: np.empty(s, t))
        return {out.name: result.outputs[out.index] for out in info.outputs}
    finally:
        backend.close()


class ReplyCheck:
    """Compares a sample of replies with reference outputs; safe to call from many threads.

    All requests of a model carry the same inputs, so one reference per model serves all of them.

    Args:
        references: model -> outputs of the whole model for the inputs that are sent.
        total: replies that will come.
        sample: how many of them to compare.
        seed: of the choice.
    """

    def __init__(
        self, references: Mapping[str, Arrays], *, total: int, sample: int, seed: int
    ) -> None:
        self._references = references
        chosen = random.Random(seed).sample(range(total), min(sample, total))
        self._chosen = frozenset(chosen)
        self._lock = threading.Lock()
        self._seen = 0
        self._compared = self._split = self._different = 0

    def take(self, model: str, outputs: Arrays, *, split: bool) -> None:
        """Take the outputs of one reply."""
        with self._lock:
            number = self._seen
            self._seen += 1
        if number not in self._chosen:
            return
        equal = _equal(self._references[model], outputs)
        with self._lock:
            self._compared += 1
            self._split += split
            self._different += not equal

    def result(self) -> Exactness:
        """Return what was found so far."""
        with self._lock:
            return Exactness(compared=self._compared, split=self._split, different=self._different)


def _equal(expected: Arrays, got: Arrays) -> bool:
    return expected.keys() == got.keys() and all(
        expected[name].shape == got[name].shape
        and expected[name].dtype == got[name].dtype
        and expected[name].tobytes() == got[name].tobytes()
        for name in expected
    )
