from collections.abc import Sequence

import pytest

from band.errors import BandError, ErrorCode
from band.metrics.figures import figures, nearest_rank
from band.metrics.records import RequestRecord


def record(
    request: int,
    latency_us: int = 1000,
    outcome: str = "completed",
    reason: str = "",
    deadline_us: int | None = None,
    frame: int | None = None,
    processors: tuple[str, ...] = ("cpu",),
) -> RequestRecord:
    return RequestRecord(
        request=request,
        model="m",
        stream="s",
        frame=frame,
        parents=(),
        priority=0,
        arrived_us=100,
        deadline_us=deadline_us,
        queue_us=0,
        finished_us=100 + latency_us,
        outcome=outcome,
        reason=reason,
        tasks=tuple(range(len(processors))),
        processors=processors,
    )


def percentiles(latencies: Sequence[int]) -> tuple[int | None, ...]:
    records = [record(i, us) for i, us in enumerate(latencies)]
    return figures(records, sent=len(records), duration_us=1_000_000).percentiles_us


def test_percentiles_are_values_that_occurred_by_nearest_rank() -> None:
    assert percentiles(range(100, 0, -1)) == (50, 90, 95, 99, 100)
    assert percentiles(range(2_000)) == (999, 1_799, 1_899, 1_979, 1_997)
    assert percentiles([10, 20]) == (10, 20, 20, 20, 20)
    assert percentiles([7]) == (7,) * 5
    assert percentiles([]) == (None,) * 5


def test_percentiles_stand_in_the_document_under_their_names() -> None:
    made = figures([record(0, 500)], sent=1, duration_us=10)
    names = ("p50_us", "p90_us", "p95_us", "p99_us", "p99_9_us")
    assert [made.to_json()[name] for name in names] == [500] * 5
    assert made.percentile_us(99.9) == 500


@pytest.mark.parametrize(("percent", "value"), [(0, 15), (5, 15), (30, 20), (40, 20), (100, 50)])
def test_nearest_rank_of_the_textbook_example(percent: int, value: int) -> None:
    assert nearest_rank([15, 20, 35, 40, 50], percent) == value


def test_latency_counts_only_completed_requests() -> None:
    records = [record(0, 500), record(1, 1, "dropped", "queue_full"), record(2, 1, "failed", "x")]
    assert figures(records, sent=3, duration_us=10).percentiles_us == (500,) * 5


def test_every_outcome_is_counted_and_drops_by_reason() -> None:
    records = [
        record(0),
        record(1, outcome="failed", reason="boom"),
        record(2, outcome="cancelled"),
        record(3, outcome="dropped", reason="queue_full"),
        record(4, outcome="dropped", reason="deadline_passed"),
        record(5, outcome="dropped", reason="queue_full"),
    ]
    assert figures(records, sent=6, duration_us=10).to_json()["requests"] == {
        "sent": 6,
        "completed": 1,
        "failed": 1,
        "cancelled": 1,
        "dropped": {"deadline_passed": 1, "queue_full": 2},
    }


@pytest.mark.parametrize("requests", [[record(0)], [record(0), record(0)], [record(0)] * 3])
def test_a_lost_or_doubled_request_is_our_defect(requests: list[RequestRecord]) -> None:
    with pytest.raises(BandError) as caught:
        figures(requests, sent=2, duration_us=10)
    assert caught.value.code is ErrorCode.INTERNAL


def test_slo_counts_late_dropped_and_failed_requests_as_missed() -> None:
    records = [
        record(0, 1000, deadline_us=1100),
        record(1, 1001, deadline_us=1100),
        record(2, 5, "dropped", "deadline_unreachable", deadline_us=1100),
        record(3, 5, "failed", "boom", deadline_us=1100),
        record(4),
    ]
    assert figures(records, sent=5, duration_us=10).slo_satisfaction == 0.25


def test_missed_deadlines_are_counted_where_there_are_deadlines() -> None:
    records = [
        record(0, 1000, deadline_us=1100),
        record(1, 1001, deadline_us=1100),
        record(2, 5, "dropped", "deadline_unreachable", deadline_us=1100),
        record(3),
    ]
    assert figures(records, sent=4, duration_us=10).deadline_misses == 2
    assert figures(records[3:], sent=1, duration_us=10).deadline_misses is None


def test_queue_time_is_that_of_the_requests_that_ran() -> None:
    waits = [record(i)._replace(queue_us=i) for i in range(20)]
    never = record(20, outcome="dropped", reason="queue_full")._replace(queue_us=None)
    made = figures([*waits, never], sent=21, duration_us=10)
    assert (made.queue_mean_us, made.queue_p95_us) == (10, 18)
    none = figures([never], sent=1, duration_us=10)
    assert (none.queue_mean_us, none.queue_p95_us) == (None, None)


def test_slo_is_null_when_no_request_has_a_deadline() -> None:
    assert figures([record(0)], sent=1, duration_us=10).to_json()["slo_satisfaction"] is None


def test_dropping_a_request_never_improves_slo_or_rate() -> None:
    kept = [record(i, 100, deadline_us=500, frame=i) for i in range(4)]
    shed = [*kept[:3], record(3, 0, "dropped", "quota", deadline_us=500, frame=3)]
    with_all = figures(kept, sent=4, duration_us=1_000_000)
    with_drop = figures(shed, sent=4, duration_us=1_000_000)
    assert (with_all.slo_satisfaction, with_drop.slo_satisfaction) == (1.0, 0.75)
    assert (with_all.fps, with_drop.fps) == (4.0, 3.0)


def test_a_frame_is_complete_when_all_its_requests_are_and_on_time_when_none_is_late() -> None:
    records = [
        record(0, frame=0, deadline_us=9999),
        record(1, frame=0),
        record(2, frame=1, deadline_us=1099),
        record(3, frame=1),
        record(4, frame=2),
        record(5, frame=2, outcome="dropped", reason="parent_dropped"),
        record(6),
    ]
    made = figures(records, sent=7, duration_us=2_000_000)
    assert made.to_json()["frames"] == {"sent": 3, "complete": 2, "on_time": 1}
    assert made.fps == 1.0


def test_without_frames_the_rate_is_that_of_completed_requests() -> None:
    records = [record(0), record(1), record(2, outcome="cancelled")]
    assert figures(records, sent=3, duration_us=500_000).fps == 4.0


def test_a_split_request_ran_on_two_processors_and_completed() -> None:
    records = [
        record(0, processors=("gpu", "cpu")),
        record(1, processors=("cpu", "cpu")),
        record(2, processors=("gpu",)),
        record(3, processors=("gpu", "cpu"), outcome="failed", reason="boom"),
    ]
    assert figures(records, sent=4, duration_us=10).split_requests == 1
