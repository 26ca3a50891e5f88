"""The figures of one run: what happened to its requests and frames, how fast, how often on time.

``docs/metrics.md`` defines each figure. All of them follow from the request and task records
alone, so simulator, engine and daemon are judged by the same code.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from band.errors import BandError, ErrorCode
from band.metrics.records import RequestRecord
from band.scheduler.commands import JobOutcome
from band.units import US_PER_S

PERCENTILES: Final = (50, 90, 95, 99, 99.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCounts:
    """How requests ended; ``dropped`` is sorted by reason."""

    sent: int
    completed: int
    failed: int
    cancelled: int
    dropped: tuple[tuple[str, int], ...]

    @property
    def ended(self) -> int:
        """Return how many requests ended, in whatever way."""
        return self.completed + self.failed + self.cancelled + sum(n for _, n in self.dropped)

    def to_json(self) -> dict[str, Any]:
        """Return the object ``requests`` of a replay document."""
        return {
            "sent": self.sent,
            "completed": self.completed,
            "failed": self.failed,
            "cancelled": self.cancelled,
            "dropped": dict(self.dropped),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameCounts:
    """Frames sent, those all of whose requests completed, and those that did so on time."""

    sent: int
    complete: int
    on_time: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The figures of all requests of a run, or of those of one model.

    Attributes:
        fps: complete frames per second; completed requests per second if there are no frames.
        percentiles_us: nearest-rank latency of completed requests per percentile; None without.
        slo_satisfaction: share of the sent requests with a deadline that completed within it.
        deadline_misses: how many of those did not; None if no request has a deadline.
        queue_mean_us, queue_p95_us: arrival to first dispatch, of the requests that ever ran.
        split_requests: completed requests that ran as at least two slices on two processors.
    """

    requests: RequestCounts
    frames: FrameCounts
    fps: float
    percentiles_us: tuple[int | None, ...]
    slo_satisfaction: float | None
    split_requests: int
    deadline_misses: int | None
    queue_mean_us: int | None
    queue_p95_us: int | None

    def percentile_us(self, percent: float) -> int | None:
        """Return one of the percentiles of ``PERCENTILES``."""
        return self.percentiles_us[PERCENTILES.index(percent)]

    def to_json(self) -> dict[str, Any]:
        """Return the figures as they stand in a replay document."""
        frames = self.frames
        return {
            "requests": self.requests.to_json(),
            "frames": {
                "sent": frames.sent,
                "complete": frames.complete,
                "on_time": frames.on_time,
            },
            "fps": round(self.fps, 3),
            **{
                f"{percentile_name(percent)}_us": us
                for percent, us in zip(PERCENTILES, self.percentiles_us, strict=True)
            },
            "slo_satisfaction": (
                None if self.slo_satisfaction is None else round(self.slo_satisfaction, 6)
            ),
            "deadline_misses": self.deadline_misses,
            "queue_mean_us": self.queue_mean_us,
            "queue_p95_us": self.queue_p95_us,
            "split_requests": self.split_requests,
        }


def figures(requests: Sequence[RequestRecord], *, sent: int, duration_us: int) -> Figures:
    """Return the figures of some requests.

    Args:
        requests: a record of each, never issued ones included.
        sent: how many there were, counted where they were sent.
        duration_us: of the run, for rates.

    Raises:
        BandError: INTERNAL if a request is missing or ended twice.
    """
    counts = _counts(requests, sent)
    frames = _frames(requests)
    done = frames.complete if frames.sent else counts.completed
    latencies = sorted(r.latency_us for r in requests if _completed(r))
    due = [r for r in requests if r.deadline_us is not None]
    on_time = sum(r.on_time for r in due)
    queued = sorted(r.queue_us for r in requests if r.queue_us is not None)
    return Figures(
        requests=counts,
        frames=frames,
        fps=done * US_PER_S / duration_us if duration_us else 0.0,
        percentiles_us=tuple(nearest_rank(latencies, p) for p in PERCENTILES),
        slo_satisfaction=on_time / len(due) if due else None,
        split_requests=sum(_completed(r) and r.split for r in requests),
        deadline_misses=len(due) - on_time if due else None,
        queue_mean_us=round(sum(queued) / len(queued)) if queued else None,
        queue_p95_us=nearest_rank(queued, 95),
    )


def percentile_name(percent: float) -> str:
    """Return how a percentile is called in a document: ``p99``, ``p99_9``."""
    return f"p{percent:g}".replace(".", "_")


def nearest_rank(ascending: Sequence[int], percent: float) -> int | None:
    """Return the smallest value that at least ``percent`` % of the values do not exceed.

    A percent may have one digit behind the point.
    """
    if not ascending:
        return None
    rank = -(-len(ascending) * round(10 * percent) // 1000)
    return ascending[max(rank, 1) - 1]


def _counts(requests: Sequence[RequestRecord], sent: int) -> RequestCounts:
    outcomes = Counter(r.outcome for r in requests)
    dropped = Counter(r.reason for r in requests if r.outcome == JobOutcome.DROPPED)
    counts = RequestCounts(
        sent=sent,
        completed=outcomes[JobOutcome.COMPLETED],
        failed=outcomes[JobOutcome.FAILED],
        cancelled=outcomes[JobOutcome.CANCELLED],
        dropped=tuple(sorted(dropped.items())),
    )
    if counts.ended != sent or len({r.request for r in requests}) != sent:
        raise BandError(
            ErrorCode.INTERNAL,
            f"{sent} requests were sent but {counts.ended} ended; this is a defect of band",
            sent=sent,
            ended=counts.ended,
        )
    return counts


def _frames(requests: Iterable[RequestRecord]) -> FrameCounts:
    groups: dict[tuple[str, int], list[RequestRecord]] = defaultdict(list)
    for record in requests:
        if record.frame is not None:
            groups[record.stream, record.frame].append(record)
    return FrameCounts(
        sent=len(groups),
        complete=sum(all(map(_completed, group)) for group in groups.values()),
        on_time=sum(all(r.on_time for r in group) for group in groups.values()),
    )


def _completed(record: RequestRecord) -> bool:
    return record.outcome == JobOutcome.COMPLETED
