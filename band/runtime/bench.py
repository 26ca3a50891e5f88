"""Measures the subgraphs of one model in turns, on the workers that own the processors."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from band.clock import Clock
from band.errors import BandError
from band.model.graph import Graph
from band.model.model import Model
from band.model.slice import Slice
from band.model.tflite_writer import write_slice, write_whole
from band.runtime.backends.protocol import Backend, Pace, WorkerLostError
from band.runtime.measuring import Subject, Timing, random_inputs
from band.runtime.profiling import Measured, measured
from band.runtime.workforce import Post

_BATCH: Final = 8
_BATCH_BYTES: Final = 256 << 20
_WEIGHT_COPIES: Final = 3
_ACTIVATION_COPIES: Final = 8

Outcome = Sequence[Timing] | BandError | WorkerLostError


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One subgraph to measure on one processor.

    Attributes:
        where: what to call it in a message.
        whole: it is all of the model.
        cost_us: what an emulated processor takes for it.
    """

    processor: int
    ops: tuple[int, ...]
    where: str
    whole: bool
    cost_us: int


def different(*targets: Target) -> tuple[Target, ...]:
    """Return targets without those that name the same ops on the same processor again."""
    found: dict[tuple[int, tuple[int, ...]], Target] = {}
    for target in targets:
        found.setdefault((target.processor, target.ops), target)
    return tuple(found.values())


class Bench:
    """Measures the subgraphs of one model.

    Several are loaded together and run in turns, so that what disturbs the machine for a while
    disturbs all of them a little and none of them throughout.

    Args:
        model: with its shapes.
        posts: the workers, by processor.
        clock: device time.
        runs: of each subgraph at most.
    """

    def __init__(self, model: Model, posts: Mapping[int, Post], clock: Clock, runs: int) -> None:
        self._model = model
        self._posts = posts
        self._clock = clock
        self._runs = runs

    def measure(self, targets: Sequence[Target]) -> Iterator[Measured | str]:
        """Yield for each target what was measured, or one sentence why nothing was."""
        for processor, post in self._posts.items():
            for batch in self._batches(t for t in targets if t.processor == processor):
                yield from self._measure(post, batch)

    def _batches(self, targets: Iterable[Target]) -> Iterator[list[tuple[Target, Slice | str]]]:
        """Yield targets with their slices, or the reason why there is none, a few at a time."""
        batch: list[tuple[Target, Slice | str]] = []
        size = 0
        for target in targets:
            try:
                part = write_whole(self._model) if target.whole else self._cut(target)
            except BandError as error:
                batch.append((target, error.message))
                continue
            size += _memory_bytes(self._model.graph, part)
            if batch and (len(batch) >= _BATCH or size > _BATCH_BYTES):
                yield batch
                batch, size = [], _memory_bytes(self._model.graph, part)
            batch.append((target, part))
        if batch:
            yield batch

    def _cut(self, target: Target) -> Slice:
        return write_slice(self._model, target.ops)

    def _measure(
        self, post: Post, batch: Sequence[tuple[Target, Slice | str]]
    ) -> Iterator[Measured | str]:
        parts = [(target, part) for target, part in batch if isinstance(part, Slice)]
        for target, reason in batch:
            if isinstance(reason, str):
                yield f"{target.where}: {reason}"
        found: Sequence[Outcome]
        try:
            found = post.worker.call(lambda backend: self._in_turns(backend, parts)).result()
        except (BandError, WorkerLostError) as error:
            found = [error] * len(parts)
        for (target, part), outcome in zip(parts, found, strict=True):
            if isinstance(outcome, Exception):
                yield f"{target.where}: {outcome}"
            else:
                yield measured(self._model.graph, part, post.up.name, post.info, outcome)

    def _in_turns(self, backend: Backend, parts: Iterable[tuple[Target, Slice]]) -> list[Outcome]:
        """Load, warm up and run slices in turns; for each its times, or why it has none."""
        handles: list[int] = []
        subjects: list[Subject | BandError] = []
        try:
            for target, part in parts:
                try:
                    loaded = backend.load(part.content, part.inputs, part.outputs)
                    handles.append(loaded.handle)
                    inputs = random_inputs(self._model.graph, part)
                    subject = Subject(loaded.handle, inputs, self._pace(target.cost_us))
                    subject.warm_up(backend)
                    subjects.append(subject)
                except BandError as error:
                    subjects.append(error)
            _take_turns(backend, subjects, self._runs)
        finally:
            for handle in handles:
                backend.unload(handle)
        return [s.timings if isinstance(s, Subject) else s for s in subjects]

    def _pace(self, cost_us: int) -> Callable[[], Pace]:
        return lambda: Pace(self._clock.now_us(), 0, cost_us)


def _take_turns(backend: Backend, subjects: list[Subject | BandError], runs: int) -> None:
    """Run all subjects once, then once more; one that fails is replaced by its error."""
    waiting = True
    while waiting:
        waiting = False
        for number, subject in enumerate(subjects):
            if isinstance(subject, Subject):
                try:
                    waiting |= subject.run(backend, runs)
                except BandError as error:
                    subjects[number] = error


def _memory_bytes(graph: Graph, part: Slice) -> int:
    """Return roughly what a loaded slice takes: packed weights, and several large activations."""
    made = (t for op in part.ops for t in graph.ops[op].outputs)
    largest = max((graph.tensors[t].byte_size or 0 for t in made), default=0)
    return _WEIGHT_COPIES * len(part.content) + _ACTIVATION_COPIES * largest
