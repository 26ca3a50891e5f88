"""Band's own scheduler unit tests (window 5), and its rules where they have no test."""

from collections.abc import Sequence

import pytest

from band.plan.table import PlanTable
from band.scheduler.commands import DropReason
from band.scheduler.loader import make_policy, policy_swapped
from band.scheduler.policy import Decision, Dispatch, Drop
from band.scheduler.view import JobView
from band.testing import oracle_passes as ports
from band.testing.fixed_view import FixedView, make_job
from band.testing.oracles import PortModel, Ties
from band.testing.tables import make_table, whole

NAMES = ("p0", "p1", "p2")
PORTS = {
    "shortest_expected_latency": ports.shortest_expected_latency,
    "heft": ports.heft,
    "least_slack_first": ports.least_slack_first,
    "round_robin": ports.round_robin,
}


def plan(policy: str, view: FixedView, **params: object) -> Sequence[Decision]:
    return make_policy(policy_swapped(policy, params)).plan(view)


def dispatched(decisions: Sequence[Decision]) -> list[tuple[int, int]]:
    """Return (job, processor) of each task in order."""
    return [
        (spec.jobs[0], spec.processor)
        for decision in decisions
        if isinstance(decision, Dispatch)
        for spec in decision.tasks
    ]


def order(decisions: Sequence[Decision]) -> list[int]:
    return [job for job, _ in dispatched(decisions)]


def models(latencies: Sequence[int], targets: Sequence[int]) -> list[PlanTable]:
    """Return one model per latency that only its target processor runs."""
    return [
        make_table(f"m{number}", {NAMES[target]: {(0, 0): latency}}, processors=NAMES)
        for number, (latency, target) in enumerate(zip(latencies, targets, strict=True))
    ]


def jobs(count: int) -> list[JobView]:
    return [make_job(number, f"m{number}") for number in range(count)]


def test_lsf_takes_the_nearest_deadline_first() -> None:
    waiting = [make_job(0, deadline_us=100), make_job(1, deadline_us=80)]
    view = FixedView([whole("m", cpu=10, gpu=11)], waiting)
    assert order(plan("least_slack_first", view, window=5)) == [1, 0]


def test_lsf_keeps_the_order_of_jobs_without_deadline_and_puts_them_last() -> None:
    table = whole("m", cpu=10, gpu=11, dsp=12)
    view = FixedView([table], [make_job(0), make_job(1)])
    assert order(plan("least_slack_first", view)) == [0, 1]
    view = FixedView([table], [make_job(0), make_job(1), make_job(2, deadline_us=10**6)])
    assert order(plan("least_slack_first", view)) == [2, 0, 1]


def test_lsf_drops_what_cannot_make_its_deadline_unless_told_not_to() -> None:
    view = FixedView([whole("m", cpu=10)], [make_job(0, deadline_us=9), make_job(1)])
    assert plan("least_slack_first", view)[0] == Drop(0, DropReason.DEADLINE_UNREACHABLE)
    assert order(plan("least_slack_first", view)) == [1]
    assert order(plan("least_slack_first", view, drop_unreachable=False)) == [0]


def test_lsf_gives_a_processor_to_one_job_of_a_pass() -> None:
    """In Band two jobs of one pass can hit one worker (its defect 15)."""
    view = FixedView([whole("m", cpu=10)], [make_job(0), make_job(1)])
    assert order(plan("least_slack_first", view)) == [0]


def test_lsf_counts_the_wait_behind_its_own_dispatches() -> None:
    waiting = [make_job(0, deadline_us=15), make_job(1, deadline_us=16)]
    decisions = plan("least_slack_first", FixedView([whole("m", cpu=10)], waiting))
    assert [type(d) for d in decisions] == [Dispatch, Drop], "10 + 10 us is later than 16"


@pytest.mark.parametrize("policy", ["shortest_expected_latency", "sel"])
def test_sel_takes_the_longest_of_the_shortest_plans_first(policy: str) -> None:
    view = FixedView(models([2, 1, 3], [0, 1, 2]), jobs(3))
    assert order(plan(policy, view)) == [2, 0, 1]


def test_sel_on_one_processor_goes_from_long_to_short_pass_by_pass() -> None:
    tables, waiting = models([2, 1, 3], [0, 0, 0]), jobs(3)
    taken = []
    while waiting:
        (job,) = order(plan("sel", FixedView(tables, waiting)))
        taken.append(job)
        waiting = [w for w in waiting if w.job != job]
    assert taken == [2, 0, 1]


def test_sel_takes_the_first_job_on_a_tie_and_passes_over_a_busy_processor() -> None:
    tables = models([3, 3, 1], [0, 0, 1])
    assert dispatched(plan("sel", FixedView(tables, jobs(3)))) == [(0, 0), (2, 1)]
    busy = FixedView(tables, jobs(3), waits_us=[9, 0, 0])
    assert dispatched(plan("sel", busy)) == [(2, 1)]


def test_sel_counts_the_wait_behind_its_own_dispatches() -> None:
    """With the cpu taken by job 0, job 1 does better on the gpu."""
    view = FixedView([whole("m", cpu=10, gpu=15)], [make_job(0), make_job(1)])
    assert dispatched(plan("sel", view)) == [(0, 0), (1, 1)]


@pytest.mark.parametrize(
    ("latencies", "targets", "waits_us", "expected"),
    [
        ([2, 1, 3], [0, 1, 2], [9, 9, 9], []),
        ([2, 1, 3], [0, 0, 0], [0, 0, 0], [2]),
        ([2, 1, 3], [0, 1, 2], [0, 0, 0], [2, 0, 1]),
        ([2, 1, 3], [0, 1, 2], [0, 9, 0], [2, 0]),
        ([2, 3, 3], [0, 0, 2], [0, 0, 0], [1, 2]),
    ],
)
def test_heft_gives_bands_order(
    latencies: list[int], targets: list[int], waits_us: list[int], expected: list[int]
) -> None:
    view = FixedView(models(latencies, targets), jobs(3), waits_us=waits_us)
    assert order(plan("heterogeneous_earliest_finish_time", view, window=5)) == expected


def test_heft_counts_a_job_that_waits_as_load_on_its_processor() -> None:
    """Job 0 waits for the busy cpu, so job 1 does not wait behind it there but takes the gpu."""
    tables = [whole("long", cpu=30), whole("short", cpu=10, gpu=18)]
    waiting = [make_job(0, "long"), make_job(1, "short")]
    view = FixedView(tables, waiting, waits_us=[5, 0, 0, 0])
    assert dispatched(plan("heft", view)) == [(1, 1)]
    assert dispatched(plan("sel", view)) == []


def test_round_robin_schedules_one_job_per_idle_processor() -> None:
    table = make_table("m", {"a": {(0, 0): 5}, "b": {(0, 0): 50}}, processors=["a", "b"])
    view = FixedView([table], [make_job(n) for n in range(3)])
    assert dispatched(plan("round_robin", view)) == [(0, 0), (1, 1)]
    busy = FixedView([table], [make_job(n) for n in range(3)], waits_us=[1, 0])
    assert dispatched(plan("round_robin", busy)) == [(0, 1)]


def test_round_robin_runs_the_largest_subgraph() -> None:
    table = make_table("m", {"cpu": {(0, 0): 1, (1, 1): 1, (0, 1): 9}})
    (decision,) = plan("round_robin", FixedView([table], [make_job(0)]))
    assert isinstance(decision, Dispatch)
    assert decision.tasks[0].slice.units == 0b11


@pytest.mark.parametrize("policy", ["round_robin", "fixed_worker"])
def test_a_model_that_no_processor_runs_whole_still_runs(policy: str) -> None:
    table = make_table("m", {"cpu": {(0, 0): 4}, "gpu": {(1, 1): 4}})
    assert dispatched(plan(policy, FixedView([table], [make_job(0)]))) == [(0, 0)]
    later = FixedView([table], [make_job(0, finished=1, holder=0)])
    assert dispatched(plan(policy, later)) == [(0, 1)]


TWO = whole("m", cpu=10, gpu=4), whole("n", cpu=10, gpu=4)


def test_fixed_worker_follows_its_map() -> None:
    view = FixedView(TWO, [make_job(0, "m"), make_job(1, "n"), make_job(2, "n")])
    assert dispatched(plan("fixed_worker", view, processors={"m": "gpu"})) == [(0, 1), (1, 0)]


def test_fixed_worker_without_a_map_takes_the_first_processor_that_runs_the_model() -> None:
    gpu_only = whole("g", gpu=4)
    view = FixedView([*TWO, gpu_only], [make_job(0, "m"), make_job(1, "g")])
    assert dispatched(plan("fixed_worker", view)) == [(0, 0), (1, 1)]


def test_a_pinned_job_wins_over_the_map() -> None:
    view = FixedView(TWO, [make_job(0, "m", processor=0)])
    assert dispatched(plan("fixed_worker", view, processors={"m": "gpu"})) == [(0, 0)]


@pytest.mark.parametrize("target", ["npu", "no_such_processor"])
def test_fixed_worker_drops_what_its_processor_cannot_run(target: str) -> None:
    view = FixedView(TWO, [make_job(0, "m")])
    decisions = plan("fixed_worker", view, processors={"m": target})
    assert decisions == [Drop(0, DropReason.NO_PROCESSOR)]


@pytest.mark.parametrize("policy", ["sel", "heft", "least_slack_first"])
def test_the_best_class_goes_first_whatever_the_rule_says(policy: str) -> None:
    tables = models([2, 9], [0, 0])
    waiting = [make_job(0, "m0", priority=1), make_job(1, "m1", deadline_us=10)]
    assert order(plan(policy, FixedView(tables, waiting))) == [0]


def vectors() -> dict[str, tuple[str, list[PlanTable], list[JobView], list[int], list[int]]]:
    """Return every vector of Band's tests: policy, models, jobs, waits and the order expected."""
    alike = [
        make_table("m", {n: {(0, 0): 10 + us} for us, n in enumerate(NAMES)}, processors=NAMES)
    ]
    both = [make_table("m", {n: {(0, 0): 5} for n in NAMES[:2]}, processors=NAMES[:2])]
    late = [make_job(0, "m", deadline_us=100), make_job(1, "m", deadline_us=80)]
    free = [make_job(number, "m") for number in range(3)]
    three, idle = jobs(3), [0, 0, 0]
    apart, one = models([2, 1, 3], [0, 1, 2]), models([2, 1, 3], [0, 0, 0])
    sel, heft, lsf = "shortest_expected_latency", "heft", "least_slack_first"
    return {
        "lsf, slo 100 and 80": (lsf, alike, late, idle, [1, 0]),
        "lsf, no slo": (lsf, alike, free[:2], idle, [0, 1]),
        "sel": (sel, apart, three, idle, [2, 0, 1]),
        "heft, no idle workers": (heft, apart, three, [9, 9, 9], []),
        "heft, all want worker 0": (heft, one, three, idle, [2]),
        "heft, job i wants worker i": (heft, apart, three, idle, [2, 0, 1]),
        "heft, workers 0 and 2 idle": (heft, apart, three, [0, 9, 0], [2, 0]),
        "heft, targets 0, 0, 2": (heft, models([2, 3, 3], [0, 0, 2]), three, idle, [1, 2]),
        "round robin, 3 jobs": ("round_robin", both, free, [0, 0], [0, 1]),
    }


@pytest.mark.parametrize("ties", list(Ties))
@pytest.mark.parametrize("vector", vectors())
def test_the_ports_give_bands_vectors_under_bands_rule_of_ties_and_ours(
    vector: str, ties: Ties
) -> None:
    policy, tables, waiting, waits, expected = vectors()[vector]
    state = ports.PortState(
        models={table.model: PortModel.of(table) for table in tables},
        waiting=dict(enumerate(waits)),
        jobs=[
            ports.PortJob(job=job.job, model=job.model, deadline_us=job.deadline_us)
            for job in waiting
        ],
        ties=ties,
    )
    PORTS[policy](state)
    assert [job for job, _ in state.started] == expected
    assert order(plan(policy, FixedView(tables, waiting, waits_us=waits), window=5)) == expected
