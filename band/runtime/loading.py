"""Loads the slices of one prepared model on the workers, and runs each of them once."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Final

from band.errors import BandError
from band.model.atoms import is_stateful
from band.model.slice import Slice
from band.plan.kernel import Kernel
from band.plan.table import PlanTable, Span
from band.plan.task import SliceKey
from band.runtime.backends.protocol import Backend, Pace
from band.runtime.live import LiveModel
from band.runtime.measuring import Timing, measure, random_inputs
from band.runtime.memory import MemoryAccount
from band.runtime.profiling import Measured, measured
from band.runtime.registration import Prepared, SpanKey, sized
from band.runtime.room import WAIT_S, Room
from band.runtime.stores import SliceStore
from band.runtime.tensors import model_info
from band.runtime.workforce import Post

_NO_PACE: Final = Pace(0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A model whose slices are loaded.

    Attributes:
        loads: bytes counted for each span that is loaded or on its way in or out; the mover
            changes it.
        measured: execution times taken at registration, of processors that are not emulated.
    """

    prepared: Prepared
    live: LiveModel
    loads: dict[SpanKey, int]
    measured: tuple[Measured, ...]

    @property
    def table(self) -> PlanTable:
        """Return the plan table in force."""
        return self.prepared.table

    def ops(self, key: SpanKey) -> tuple[int, ...]:
        """Return the compute ops of a span of its table."""
        span = self.table.find(*key)
        assert span is not None
        return ops_of(self.prepared, span)

    def now(self) -> "Registered":
        """Return a picture of it with what is loaded now."""
        loads = self.loads.copy()
        return replace(self, prepared=replace(self.prepared, loads=tuple(loads)), loads=loads)


class SliceRefusal(Exception):  # noqa: N818 - no error: it leads to another plan
    """A slice did not load or run on a processor."""

    def __init__(self, span: Span, reason: str) -> None:
        super().__init__(reason)
        self.span = span
        self.reason = reason


class SliceTooLarge(Exception):  # noqa: N818 - no error: it leads to another plan
    """A slice takes more memory than was foreseen, and there is not that much.

    Attributes:
        sizes: what the slices loaded so far really took.
    """

    def __init__(self, sizes: Mapping[SpanKey, int]) -> None:
        super().__init__(sizes)
        self.sizes = sizes


class Loading:
    """One attempt to load what a prepared model needs."""

    def __init__(
        self,
        posts: Mapping[int, Post],
        account: MemoryAccount,
        store: SliceStore,
        room: Room,
        prepared: Prepared,
    ) -> None:
        self._posts = posts
        self._account = account
        self._store = store
        self._room = room
        self._prepared = prepared
        self._graph = prepared.model.graph
        self._name = prepared.table.model
        self._spans = {(s.first, s.last, s.processor): s for s in prepared.table.spans}
        self._slices: dict[SliceKey, Slice] = {}
        self._loads: dict[SpanKey, int] = {}
        self._measured: list[Measured] = []

    def run(self, known: Collection[SpanKey], runs: int) -> Registered:
        """Load everything, and run each slice: to measure it, or at least to warm it up.

        Args:
            known: spans whose measured cost is in the table already.
            runs: for the others, on processors that are not emulated.
        """
        prepared = self._prepared
        words = {self._posts[key[2]].info.word for key in prepared.loads}
        info = model_info(self._graph, self._name, next((w for w in sorted(words) if w), ""))
        costs: dict[SpanKey, int] = {}
        self._room.claim(sum(self._spans[key].load_bytes for key in prepared.loads), self._name)
        for key in prepared.loads:
            span = self._spans[key]
            if not self._load(key, span):
                continue
            emulated = self._posts[span.processor].worker.processor.emulated
            cost_us = self._try(span, 0 if emulated or key in known else runs)
            if cost_us:
                costs[key] = cost_us
        table = sized(prepared.table.with_costs(costs, prepared.table.version), self._loads)
        return Registered(
            prepared=replace(prepared, table=table, loads=tuple(self._loads)),
            live=LiveModel(
                info,
                self._graph,
                [unit.ops for unit in prepared.partition.units],
                {(span.units, span.processor): span.cost_us for span in table.spans},
            ),
            loads=self._loads,
            measured=tuple(self._measured),
        )

    def undo(self) -> None:
        """Unload what was loaded."""
        for key in tuple(self._loads):
            self._unload(key)

    def _load(self, key: SpanKey, span: Span) -> bool:
        """Load one slice; return False if it turns out too large and others will do."""
        worker = self._posts[span.processor].worker
        slice_key = SliceKey(self._name, span.units)
        part = self._slices[slice_key] = self._store.take(self._prepared.model, self._ops(span))
        self._account.force(span.load_bytes)
        self._loads[key] = span.load_bytes
        try:
            size = max(span.load_bytes, worker.load(slice_key, part).result())
        except BandError as error:
            raise SliceRefusal(span, error.message) from error
        self._account.force(size - span.load_bytes)
        self._loads[key] = size
        if self._account.free_bytes >= 0 or self._more_room():
            return True
        known = self._loads.copy()
        self._unload(key)
        if not Kernel(self._prepared.table.restricted(self._loads)).k_best(1):
            raise SliceTooLarge(known)
        return False

    def _unload(self, key: SpanKey) -> None:
        worker = self._posts[key[2]].worker
        span = self._spans[key]
        worker.unload(SliceKey(self._name, span.units)).result()
        self._account.release(self._loads.pop(key))
        self._store.give_back(self._prepared.model, self._ops(span))

    def _more_room(self) -> bool:
        """Make room for a slice that is larger than its table says, if that is possible."""
        missing = -self._account.free_bytes
        if self._room.reclaimable() < missing:
            return False
        self._room.claim_more(missing)
        return self._account.wait_free(0, WAIT_S)

    def _ops(self, span: Span) -> tuple[int, ...]:
        return ops_of(self._prepared, span)

    def _try(self, span: Span, runs: int) -> int | None:
        """Run a slice; return its mean execution time, None if it was only warmed up."""
        worker, info, _ = self._posts[span.processor]
        key = SliceKey(self._name, span.units)
        part = self._slices[key]
        inputs = random_inputs(self._graph, part)

        def chore(backend: Backend) -> tuple[Timing, ...]:
            return measure(backend, worker.handle(key), inputs, runs=runs, pace=lambda: _NO_PACE)

        try:
            times = worker.call(chore).result()
        except BandError as error:
            raise SliceRefusal(span, error.message) from error
        if is_stateful(self._graph):
            worker.reload(key).result()
        if not times:
            return None
        found = measured(self._graph, part, worker.processor.name, info, times)
        self._measured.append(found)
        return found.mean_us


def ops_of(prepared: Prepared, span: Span) -> tuple[int, ...]:
    """Return the compute ops of a span, ascending."""
    weight = set(prepared.model.graph.weight_ops)
    units = prepared.partition.units[span.first : span.last + 1]
    return tuple(sorted(op for unit in units for op in unit.ops if op not in weight))
