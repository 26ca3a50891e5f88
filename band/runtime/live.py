"""What the driver keeps of models and jobs beyond the core's state: the tensors.

All of it is touched in steps of the driver alone, so never by two threads at once.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from band.metrics.records import RequestRecord, TaskRecord
from band.model.graph import Graph
from band.runtime.backends.protocol import Array
from band.runtime.futures import InferFuture
from band.runtime.memory import BufferPool
from band.runtime.tensors import ModelInfo
from band.scheduler.commands import Finish
from band.scheduler.events import RequestArrived

CostKey = tuple[int, int]
"""(mask of units, processor)."""


class LiveModel:
    """A registered model as requests need it.

    Args:
        info: names and shapes of inputs and outputs.
        graph: the shape-filled graph.
        units: compute ops of each unit.
        profile_us: time of each loaded span by the profile it was registered with. Emulated runs
            keep to it, whatever the scheduler's estimate has become.

    Attributes:
        readers: per boundary tensor, the mask of the units that read it.
        outputs: original ids of the model's outputs; what they hold belongs to the app.
    """

    def __init__(
        self,
        info: ModelInfo,
        graph: Graph,
        units: Iterable[tuple[int, ...]],
        profile_us: Mapping[CostKey, int],
    ) -> None:
        self.info = info
        self.profile_us = profile_us
        self.outputs = frozenset(graph.outputs)
        unit_of = {op: index for index, ops in enumerate(units) for op in ops}
        self.readers: dict[int, int] = {}
        for tensor, consumers in enumerate(graph.consumers):
            if graph.producer[tensor] in unit_of:
                mask = 0
                for op in consumers:
                    mask |= 1 << unit_of[op] if op in unit_of else 0
                self.readers[tensor] = mask

    @property
    def name(self) -> str:
        """Return the registered name."""
        return self.info.name


class Outputs:
    """Where the outputs of one task go: boundary tensors to the pool, the rest to new arrays.

    Args:
        kept: original ids of the tensors that belong to the app.
        pool: for all others.
    """

    __slots__ = ("_kept", "_pool", "_taken")

    def __init__(self, kept: frozenset[int], pool: BufferPool) -> None:
        self._kept = kept
        self._pool = pool
        self._taken: list[Array] = []

    def allocate(self, tensor: int, shape: tuple[int, ...], dtype: "np.dtype[Any]") -> Array:
        """Return an array for an output; called by the worker."""
        if tensor in self._kept:
            return np.empty(shape, dtype)
        array = self._pool.take(shape, dtype)
        self._taken.append(array)
        return array

    def give_back(self) -> None:
        """Return the pooled arrays of a task that ended without a result."""
        for array in self._taken:
            self._pool.give_back(array)


class LiveJob:
    """One request under way: its tensors and what has run for it.

    Args:
        model: the model.
        event: as it goes to the core.
        future: what the app waits for.
        inputs: original tensor id -> array; owned by the job.
        arrived_us: when the app submitted it.

    Attributes:
        ended: the core has finished it; tasks of it may still run.
    """

    def __init__(
        self,
        model: LiveModel,
        event: RequestArrived,
        future: InferFuture,
        inputs: dict[int, Array],
        arrived_us: int,
    ) -> None:
        self.model = model
        self.event = event
        self.future = future
        self.arrived_us = arrived_us
        self.ended = False
        self.records: list[TaskRecord] = []
        self._tensors = inputs
        self._pooled: dict[int, Array] = {}
        self._finished = 0
        self._running = 0
        self._queue_us: int | None = None
        self._tasks: list[int] = []
        self._processors: list[str] = []

    def dispatched(self, task: int, processor: str, now_us: int) -> None:
        """Note that a task starts."""
        if self._queue_us is None:
            self._queue_us = max(0, now_us - self.arrived_us)
        self._tasks.append(task)
        self._processors.append(processor)
        self._running += 1

    def inputs(self) -> dict[int, Array]:
        """Return the tensors that exist now."""
        return dict(self._tensors)

    def finished(self, units: int, outputs: Mapping[int, Array], pool: BufferPool) -> None:
        """Take the outputs of a task; free the boundary tensors that nobody will read again."""
        self._running -= 1
        self._tensors.update(outputs)
        self._pooled.update((t, a) for t, a in outputs.items() if t not in self.model.outputs)
        self._finished |= units
        read = [t for t in self._pooled if not self.model.readers.get(t, 0) & ~self._finished]
        self._free(self._pooled if self._over() else read, pool)

    def lost(self, pool: BufferPool) -> None:
        """Note that a task ended without a result."""
        self._running -= 1
        if self._over():
            self._free(self._pooled, pool)

    def end(self, finish: Finish, now_us: int, priority: int, pool: BufferPool) -> RequestRecord:
        """Note how it ended; free its tensors as soon as no task of it runs."""
        self.ended = True
        if self._over():
            self._free(self._pooled, pool)
        event = self.event
        return RequestRecord(
            request=event.request,
            model=event.model,
            stream=event.stream,
            frame=event.frame,
            parents=event.parents,
            priority=priority,
            arrived_us=self.arrived_us,
            deadline_us=event.deadline_us,
            queue_us=self._queue_us,
            finished_us=now_us,
            outcome=finish.outcome.value,
            reason=str(finish.reason),
            tasks=tuple(self._tasks),
            processors=tuple(self._processors),
        )

    def outputs(self) -> dict[str, Array]:
        """Return the outputs of a completed job by name."""
        return {info.name: self._tensors[info.index] for info in self.model.info.outputs}

    def _over(self) -> bool:
        return self.ended and self._running == 0

    def _free(self, tensors: Iterable[int], pool: BufferPool) -> None:
        for tensor in tuple(tensors):
            del self._tensors[tensor]
            pool.give_back(self._pooled.pop(tensor))

    def __repr__(self) -> str:
        return f"<LiveJob {self.event.request} {self.model.name} running={self._running}>"
