"""Runs chains of slices beside the whole model and compares every output bit for bit.

At most one interpreter is alive at a time, unless the model keeps state: then the slices of one
chain are, since state lives in them. Values are freed with their last reader.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, Final, NamedTuple

import numpy as np

from band.errors import BandError
from band.model.atoms import is_stateful
from band.model.graph import Graph
from band.model.model import Model
from band.model.slice import Slice
from band.model.tflite_writer import write_slice, write_whole
from band.runtime.backends.protocol import Array, Backend, Pace
from band.runtime.seeded import seeded_values

Run = Callable[[Mapping[int, Array]], Mapping[int, Array]]
"""Runs a loaded slice once: inputs -> outputs, by original tensor id."""
Load = Callable[[Slice], AbstractContextManager[Run]]
"""Loads a slice for the time of a ``with`` block."""

_NO_PACE: Final = Pace(0, 0, 0)


class Difference(NamedTuple):
    """Where a chain of slices differs from the whole model.

    Attributes:
        step: number of the run.
        tensor: output that differs.
        largest: largest absolute difference; None if it is no number (shapes differ, or only one
            of two values is NaN).
    """

    step: int
    tensor: int
    largest: float | None


class PartRefusal(Exception):  # noqa: N818 - no error: it is a finding
    """A slice of a chain did not load or run.

    Attributes:
        ops: of the slice.
        reason: one sentence.
    """

    def __init__(self, ops: tuple[int, ...], reason: str) -> None:
        super().__init__(reason)
        self.ops = ops
        self.reason = reason


class Whole:
    """A model run whole: what its chains of slices must equal.

    Args:
        model: with its shapes filled in.
        load: the runtime, the same one for the whole and for the slices.
        steps: runs of a model that keeps state; all others run once.
        seed: of the inputs.

    Raises:
        BandError: the runtime refuses the whole model, or no inputs can be made for it.
    """

    def __init__(self, model: Model, load: Load, *, steps: int, seed: int = 0) -> None:
        self._model = model
        self._load = load
        self._seed = seed
        self._stateful = is_stateful(model.graph)
        self._steps = range(steps if self._stateful else 1)
        self._found: dict[tuple[tuple[int, ...], ...], Difference | None] = {}
        with load(write_whole(model)) as run:
            self._expected = [dict(run(self._inputs(step))) for step in self._steps]

    def difference(self, parts: Iterable[Sequence[int]]) -> Difference | None:
        """Return the first difference of a chain, None if all outputs of all runs are equal.

        A chain that was compared before is not run again.

        Args:
            parts: op indices of each slice, in the order of execution.

        Raises:
            PartRefusal: a slice cannot be cut, loaded or run.
        """
        chain = tuple(tuple(part) for part in parts)
        if chain not in self._found:
            self._found[chain] = self._kept(chain) if self._stateful else self._streamed(chain)
        return self._found[chain]

    def _streamed(self, chain: Sequence[tuple[int, ...]]) -> Difference | None:
        """Compare with one slice loaded at a time."""
        values = self._inputs(0)
        for part, dead in zip(chain, _dead_after(self._model.graph, chain), strict=True):
            with _refusals_of(part), self._load(write_slice(self._model, part)) as run:
                values.update(run(values))
            for tensor in dead & values.keys():
                del values[tensor]
        return self._compared(0, values)

    def _kept(self, chain: Sequence[tuple[int, ...]]) -> Difference | None:
        """Compare with all slices loaded, since they keep the state of the model."""
        with ExitStack() as loaded:
            runs = []
            for part in chain:
                with _refusals_of(part):
                    runs.append(loaded.enter_context(self._load(write_slice(self._model, part))))
            for step in self._steps:
                values = self._inputs(step)
                for part, run in zip(chain, runs, strict=True):
                    with _refusals_of(part):
                        values.update(run(values))
                if (found := self._compared(step, values)) is not None:
                    return found
        return None

    def _inputs(self, step: int) -> dict[int, Array]:
        return seeded_values(self._model.graph, self._model.graph.inputs, self._seed, step)

    def _compared(self, step: int, values: Mapping[int, Array]) -> Difference | None:
        for tensor, value in self._expected[step].items():
            if tensor in self._model.graph.weight_tensors:
                continue  # a constant that leaves the model: no slice makes it
            if not same_bits(value, values[tensor]):
                return Difference(step, tensor, largest_difference(value, values[tensor]))
        return None


def backend_load(backend: Backend) -> Load:
    """Return how a backend loads and runs slices, without any pace of a profile."""

    @contextmanager
    def load(part: Slice) -> Iterator[Run]:
        handle = backend.load(part.content, part.inputs, part.outputs).handle
        try:
            yield (
                lambda values: (
                    backend.run(handle, {t: values[t] for t in part.inputs}, _NO_PACE, _new).outputs
                )
            )
        finally:
            backend.unload(handle)

    return load


def same_bits(a: Array, b: Array) -> bool:
    """Return whether two arrays are the same bit for bit; a NaN equals the same NaN."""
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    return a.tobytes() == b.tobytes()


def largest_difference(a: Array, b: Array) -> float | None:
    """Return the largest absolute difference between values whose bits differ.

    None if it is no finite number: other shapes or types, NaN or infinity on one side only.
    """
    if a.dtype != b.dtype or a.shape != b.shape:
        return None
    wide = np.complex128 if a.dtype.kind == "c" else np.float64
    equal = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        apart = np.where(equal, 0, np.abs(a.astype(wide) - b.astype(wide)))
    largest = float(np.max(apart, initial=0))
    return largest if np.isfinite(largest) else None


@contextmanager
def _refusals_of(part: tuple[int, ...]) -> Iterator[None]:
    try:
        yield
    except BandError as error:
        raise PartRefusal(part, error.message) from error


def _dead_after(graph: Graph, chain: Sequence[tuple[int, ...]]) -> list[set[int]]:
    """Return per part the tensors that nothing after it reads."""
    last: dict[int, int] = {}
    for number, part in enumerate(chain):
        for op in part:
            last.update(dict.fromkeys((*graph.dynamic_inputs(op), *graph.ops[op].outputs), number))
    dead: list[set[int]] = [set() for _ in chain]
    for tensor, number in last.items():
        if tensor not in graph.outputs:
            dead[number].add(tensor)
    return dead


def _new(tensor: int, shape: tuple[int, ...], dtype: "np.dtype[Any]") -> Array:
    del tensor
    return np.empty(shape, dtype)
