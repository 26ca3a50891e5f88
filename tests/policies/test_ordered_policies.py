"""fcfs, sjf and edf: hand-computed passes under both placements, with and without shedding."""

from collections.abc import Sequence

import pytest

from band.scheduler.commands import DropReason
from band.scheduler.loader import make_policy, policy_swapped
from band.scheduler.policy import Decision, Dispatch, Drop
from band.testing.fixed_view import FixedView, make_job
from band.testing.tables import make_table, whole

ORDERED = ["fcfs", "sjf", "edf"]
TABLE = whole("m", cpu=10, gpu=4)
SPLIT = make_table("s", {"cpu": {(0, 0): 2, (0, 1): 7, (1, 1): 5}, "gpu": {(1, 1): 1}})


def plan(policy: str, view: FixedView, **params: object) -> Sequence[Decision]:
    return make_policy(policy_swapped(policy, params)).plan(view)


def dispatched(decisions: Sequence[Decision]) -> list[tuple[int, int]]:
    """Return (job, processor) of each task in order."""
    specs = [s for d in decisions if isinstance(d, Dispatch) for s in d.tasks]
    return [(spec.jobs[0], spec.processor) for spec in specs]


def dropped(decisions: Sequence[Decision]) -> list[int]:
    drops = [d for d in decisions if isinstance(d, Drop)]
    assert {d.reason for d in drops} <= {DropReason.DEADLINE_UNREACHABLE}
    return [d.job for d in drops]


@pytest.mark.parametrize("policy", ORDERED)
def test_fastest_idle_never_waits_for_a_faster_processor(policy: str) -> None:
    view = FixedView([TABLE], [make_job(n) for n in range(3)])
    assert dispatched(plan(policy, view)) == [(0, 1), (1, 0)]


@pytest.mark.parametrize("policy", ORDERED)
def test_earliest_finish_reserves_the_busy_processor(policy: str) -> None:
    """Job 1 waits for the gpu (4 + 4 < 10), so that job 2 would end there at 12 and takes 10."""
    view = FixedView([TABLE], [make_job(n) for n in range(3)])
    decisions = plan(policy, view, placement="earliest_finish")
    assert dispatched(decisions) == [(0, 1), (2, 0)]


@pytest.mark.parametrize("policy", ORDERED)
def test_shedding_drops_what_is_late_on_an_idle_device_and_reserves_nothing_late(
    policy: str,
) -> None:
    """Job 0 takes the gpu; job 1 (due at 7) would be late behind it but is not hopeless."""
    jobs = [make_job(0, deadline_us=4), make_job(1, deadline_us=7), make_job(2, deadline_us=8)]
    hopeless = make_job(3, deadline_us=3)
    view = FixedView([TABLE], [hopeless, *jobs])
    decisions = plan(policy, view, placement="earliest_finish", shed=True)
    assert dropped(decisions) == [3]
    assert dispatched(decisions) == [(0, 1)]
    kept = plan(policy, view, placement="earliest_finish")
    assert dropped(kept) == []


@pytest.mark.parametrize("policy", ORDERED)
def test_shedding_goes_on_when_nothing_is_idle_and_spares_what_runs(policy: str) -> None:
    jobs = [make_job(0, deadline_us=3), make_job(1, "s", running=1, finished=0, deadline_us=1)]
    view = FixedView([TABLE, SPLIT], jobs, waits_us=[5, 5, 5, 5])
    decisions = plan(policy, view, shed=True)
    assert (dropped(decisions), dispatched(decisions)) == ([0], [])


@pytest.mark.parametrize("policy", ORDERED)
def test_a_split_model_goes_where_its_whole_plan_ends_first(policy: str) -> None:
    """On idle processors 2 + 1 us; with the gpu busy for long the cpu runs it in one piece."""

    def units(waits_us: list[int], placement: str) -> list[int]:
        view = FixedView([SPLIT], [make_job(0, "s")], waits_us=waits_us)
        (decision,) = plan(policy, view, placement=placement)
        assert isinstance(decision, Dispatch)
        return [spec.slice.units for spec in decision.tasks]

    assert units([0, 0, 0, 0], "fastest_idle") == [0b01]
    assert units([0, 3, 0, 0], "fastest_idle") == [0b11]
    assert units([0, 3, 0, 0], "earliest_finish") == [0b01]
    assert units([0, 9, 0, 0], "earliest_finish") == [0b11]


@pytest.mark.parametrize("policy", ORDERED)
def test_fastest_idle_begins_what_idle_processors_cannot_end(policy: str) -> None:
    """Only the busy gpu runs unit 1: the cpu still starts unit 0."""
    table = make_table("g", {"cpu": {(0, 0): 2}, "gpu": {(1, 1): 1}})
    view = FixedView([table], [make_job(0, "g")], waits_us=[0, 9, 0, 0])
    assert dispatched(plan(policy, view)) == [(0, 0)]


def test_each_has_its_own_order() -> None:
    tables = [whole("long", cpu=30), whole("short", cpu=10)]
    jobs = [
        make_job(0, "long"),
        make_job(1, "short", deadline_us=900),
        make_job(2, "short", deadline_us=800),
        make_job(3, "long", deadline_us=500),
    ]
    view = FixedView(tables, jobs)
    assert dispatched(plan("fcfs", view)) == [(0, 0)]
    assert dispatched(plan("sjf", view)) == [(2, 0)]
    assert dispatched(plan("edf", view)) == [(3, 0)]


@pytest.mark.parametrize("policy", ORDERED)
def test_the_better_class_goes_first(policy: str) -> None:
    tables = [whole("long", cpu=30), whole("short", cpu=10)]
    jobs = [make_job(0, "long", priority=1), make_job(1, "short", deadline_us=50)]
    assert dispatched(plan(policy, FixedView(tables, jobs))) == [(0, 0)]


def test_edf_breaks_ties_by_name_and_sjf_by_arrival() -> None:
    tables = [whole("b", cpu=10), whole("a", cpu=10)]
    jobs = [make_job(0, "b", deadline_us=90), make_job(1, "a", deadline_us=90)]
    view = FixedView(tables, jobs)
    assert dispatched(plan("edf", view)) == [(1, 0)]
    assert dispatched(plan("sjf", view)) == [(0, 0)]


def test_what_was_shed_is_counted() -> None:
    policy = make_policy(policy_swapped("sjf", {"shed": True}))
    policy.plan(FixedView([TABLE], [make_job(0, deadline_us=3), make_job(1, deadline_us=3)]))
    assert policy.statistics() == {"shed": 2}  # type: ignore[attr-defined]
