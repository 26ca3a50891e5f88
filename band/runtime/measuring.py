"""How the execution time of a slice is taken, and what many runs of it say together.

Interference only ever adds time, so the middle of the runs speaks for the slice, not their sum.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from band.model.graph import Graph
from band.model.slice import Slice
from band.runtime.backends.protocol import Array, Backend, Pace

_PERCENTILE: Final = 95
_ENOUGH_US: Final = 500_000


class Timing(NamedTuple):
    """One run of a slice.

    Attributes:
        run_us: device time of the execution.
        cpu_us: processor time of it, None where the backend cannot tell.
    """

    run_us: int
    cpu_us: int | None


class Summary(NamedTuple):
    """What several runs of a slice say; all at least 1.

    Attributes:
        mean_us: mean of the middle half of the device times (interquartile mean).
        p95_us: 95th percentile of all device times.
        cpu_us: mean of the faster half of the processor times, None if some is not known. On a
            shared machine it repeats where the device time does not: other programs can make a run
            dearer in processor time (caches, sibling threads), never cheaper.
    """

    mean_us: int
    p95_us: int
    cpu_us: int | None


def summary(timings: Sequence[Timing]) -> Summary:
    """Return what runs of one slice say together.

    Args:
        timings: of at least one run.
    """
    runs = sorted(timing.run_us for timing in timings)
    cpu = sorted(timing.cpu_us for timing in timings if timing.cpu_us is not None)
    quarter = len(runs) // 4
    half = cpu[: (len(cpu) + 1) // 2]
    return Summary(
        mean_us=_whole(float(np.mean(runs[quarter : len(runs) - quarter]))),
        p95_us=_whole(float(np.percentile(runs, _PERCENTILE))),
        cpu_us=_whole(float(np.mean(half))) if len(cpu) == len(runs) else None,
    )


def random_inputs(graph: Graph, part: Slice, seed: int = 0) -> dict[int, Array]:
    """Return inputs for a slice, the same for the same seed.

    Floating point values lie in [0, 1); bytes cover their range. Wider integers are 0, because
    they may be indices.
    """
    rng = np.random.default_rng(seed)
    inputs: dict[int, Array] = {}
    for index in part.inputs:
        tensor = graph.tensors[index]
        shape, dtype = tensor.shape or (), np.dtype(tensor.dtype)
        if dtype.kind == "f":
            inputs[index] = rng.random(shape, dtype=np.float32).astype(dtype)
        elif dtype.itemsize == 1 and dtype.kind in "iu":
            limits = np.iinfo(dtype)
            inputs[index] = rng.integers(
                limits.min, limits.max, size=shape, dtype=dtype, endpoint=True
            )
        else:
            inputs[index] = np.zeros(shape, dtype)
    return inputs


class Subject:
    """A loaded slice with its inputs, to be run again and again in the thread of its backend.

    Args:
        handle: of the loaded slice.
        inputs: by original tensor id.
        pace: for an emulated processor; asked for before each run.

    Attributes:
        timings: of the runs so far, without the warm-up.
    """

    def __init__(self, handle: int, inputs: Mapping[int, Array], pace: Callable[[], Pace]) -> None:
        self.timings: list[Timing] = []
        self._handle = handle
        self._inputs = inputs
        self._pace = pace
        self._total_us = 0

    def warm_up(self, backend: Backend) -> None:
        """Run once without timing.

        Raises:
            BandError: BACKEND_FAILED if the slice does not run.
        """
        backend.run(self._handle, self._inputs, self._pace(), _new_array)

    def run(self, backend: Backend, runs: int) -> bool:
        """Run once more unless it has had ``runs`` runs or half a second; return whether it did.

        Raises:
            BandError: BACKEND_FAILED if the slice does not run.
        """
        if len(self.timings) >= runs or self._total_us >= _ENOUGH_US:
            return False
        result = backend.run(self._handle, self._inputs, self._pace(), _new_array)
        self.timings.append(Timing(result.run_us, result.cpu_us))
        self._total_us += result.run_us
        return True


def measure(
    backend: Backend,
    handle: int,
    inputs: Mapping[int, Array],
    *,
    runs: int,
    pace: Callable[[], Pace],
) -> tuple[Timing, ...]:
    """Run a loaded slice once to warm it up and then up to ``runs`` times.

    Long runs vary little: it stops once they have taken half a second together. Called in the
    thread of the backend.

    Args:
        backend: of the slice.
        handle: of the slice.
        inputs: by original tensor id.
        runs: at most.
        pace: for an emulated processor; asked for before each run.

    Returns:
        The times of the runs; empty for no runs.

    Raises:
        BandError: BACKEND_FAILED if the slice does not run.
    """
    subject = Subject(handle, inputs, pace)
    subject.warm_up(backend)
    while subject.run(backend, runs):
        pass
    return tuple(subject.timings)


def _whole(us: float) -> int:
    return max(1, round(us))


def _new_array(tensor: int, shape: tuple[int, ...], dtype: "np.dtype[Any]") -> Array:
    del tensor
    return np.empty(shape, dtype)
