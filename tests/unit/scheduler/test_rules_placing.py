"""Parts that orders and placements are made of."""

from band.plan.hops import DOWN_US
from band.scheduler.rules_placing import (
    NO_DEADLINE_US,
    best_latency_us,
    busy_as_down,
    due_us,
    heads_first,
    hopeless,
    idle_waits,
    isolated_us,
    tells_energy,
    whole_spans,
)
from band.testing.fixed_view import FixedView, make_job
from band.testing.tables import make_table, whole

SPLIT = make_table("s", {"cpu": {(0, 0): 2, (0, 1): 7, (1, 1): 5}, "gpu": {(1, 1): 1}})


def test_waits_as_if_idle_leave_down_processors_down() -> None:
    view = FixedView([SPLIT], [], waits_us=[5, 0, DOWN_US, 7])
    assert idle_waits(view) == (0, 0, DOWN_US, 0)
    assert busy_as_down([5, 0, DOWN_US, 7]) == [DOWN_US, 0, DOWN_US, DOWN_US]


def test_latencies_are_those_of_an_idle_device() -> None:
    view = FixedView([SPLIT], [], waits_us=[5, 9, 0, 0])
    fresh, later = make_job(0, "s"), make_job(1, "s", finished=1, holder=0)
    assert best_latency_us(view, fresh) == isolated_us(view, fresh) == 3
    assert best_latency_us(view, later) == 1
    assert isolated_us(view, later) == 3
    assert best_latency_us(view, make_job(2, "s", processor=3)) == NO_DEADLINE_US


def test_hopeless_is_what_ends_late_even_on_an_idle_device() -> None:
    view = FixedView([SPLIT], [], waits_us=[5, 9, 0, 0], now_us=10)
    assert not hopeless(view, make_job(0, "s", deadline_us=13))
    assert hopeless(view, make_job(0, "s", deadline_us=12))
    assert not hopeless(view, make_job(0, "s"))
    assert due_us(make_job(0, "s")) == NO_DEADLINE_US


def test_whole_spans_are_what_ends_the_job_in_one_task() -> None:
    view = FixedView([SPLIT, whole("m", cpu=5, gpu=4)], [])
    assert [s.processor for s in whole_spans(view, make_job(0, "s"))] == [0]
    later = make_job(0, "s", finished=1, holder=0)
    assert [s.processor for s in whole_spans(view, later)] == [0, 1]
    assert [s.processor for s in whole_spans(view, make_job(0, processor=1))] == [1]
    assert whole_spans(view, make_job(0, "s", running=1)) == []
    assert not tells_energy(view, make_job(0))


def test_models_take_turns_by_name_within_a_class() -> None:
    jobs = [make_job(n, model) for n, model in enumerate("bbaab")]
    first = make_job(9, "z", priority=1)
    assert [job.job for job in heads_first([*jobs, first])] == [9, 2, 0, 3, 1, 4]
