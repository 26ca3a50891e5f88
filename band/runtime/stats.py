"""Counts of an engine: kept by the driver, read by anyone through a snapshot."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from band.metrics.records import RequestRecord, TaskRecord
from band.runtime.memory import BufferPool
from band.runtime.stores import SliceCounts
from band.runtime.workforce import Post
from band.scheduler.commands import JobOutcome
from band.scheduler.options import CoreStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessorStats:
    """Counts of one processor.

    Attributes:
        up: it can run tasks now.
        busy_us: device time during which it had a task.
        word: "emulated" or "software" if every figure must carry that word, else "".
    """

    name: str
    up: bool
    tasks: int
    failed_tasks: int
    busy_us: int
    word: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStats:
    """A picture of an engine. accepted = completed + failed + cancelled + dropped + in_flight.

    Attributes:
        dropped: number of dropped requests by reason.
        loads_during_requests: slices loaded inside a task; anything but 0 is a defect.
        memory_used_bytes: loaded slices and boundary buffers.
        buffer_bytes: of it, boundary buffers that hold data now.
        buffer_allocations: boundary buffers allocated since the start; the rest was used again.
        slices: how models and the contents of slices are shared.
        up_us: device time since the start.
        core: the scheduler's own picture: policy in force, queue, table versions, slices loaded,
            background loads and evictions.
    """

    accepted: int
    completed: int
    failed: int
    cancelled: int
    dropped: Mapping[str, int]
    in_flight: int
    loads_during_requests: int
    memory_used_bytes: int
    memory_budget_bytes: int
    buffer_bytes: int
    buffer_allocations: int
    slices: SliceCounts
    up_us: int
    processors: tuple[ProcessorStats, ...]
    core: CoreStatus


class Counters:
    """What the driver counts, in its steps."""

    def __init__(self) -> None:
        self.ended: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.tasks: Counter[str] = Counter()
        self.failed_tasks: Counter[str] = Counter()
        self.busy_us: Counter[str] = Counter()

    def request(self, record: RequestRecord) -> None:
        """Count the end of a request."""
        self.ended[record.outcome] += 1
        if record.outcome == JobOutcome.DROPPED:
            self.dropped[record.reason] += 1

    def task(self, record: TaskRecord) -> None:
        """Count the end of a task."""
        self.tasks[record.processor] += 1
        self.failed_tasks[record.processor] += not record.ok
        self.busy_us[record.processor] += record.finished_us - record.dispatched_us

    def processor(self, post: Post, *, up: bool) -> ProcessorStats:
        """Return the counts of a processor."""
        name = post.up.name
        return ProcessorStats(
            name=name,
            up=up,
            tasks=self.tasks[name],
            failed_tasks=self.failed_tasks[name],
            busy_us=self.busy_us[name],
            word=post.up.word,
        )


def take_stats(
    core: CoreStatus,
    counters: Counters,
    posts: Mapping[int, Post],
    pool: BufferPool,
    *,
    slices: SliceCounts,
    accepted: int,
    down: tuple[str, ...],
    up_us: int,
) -> EngineStats:
    """Return a picture of an engine; called in a step of the driver."""
    ended = counters.ended
    return EngineStats(
        accepted=accepted,
        completed=ended[JobOutcome.COMPLETED],
        failed=ended[JobOutcome.FAILED],
        cancelled=ended[JobOutcome.CANCELLED],
        dropped=dict(counters.dropped),
        in_flight=accepted - ended.total(),
        loads_during_requests=sum(p.worker.loads_during_requests for p in posts.values()),
        memory_used_bytes=pool.account.used_bytes,
        memory_budget_bytes=pool.account.budget_bytes,
        buffer_bytes=pool.in_use_bytes,
        buffer_allocations=pool.allocations,
        slices=slices,
        up_us=up_us,
        processors=tuple(
            counters.processor(post, up=post.up.name not in down) for post in posts.values()
        ),
        core=core,
    )
