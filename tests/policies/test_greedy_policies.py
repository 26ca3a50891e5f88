"""XRBench's greedy policies: models in name order, each on the idle processor that looks best."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from band.plan.table import PlanTable
from band.scheduler.loader import make_policy, policy_swapped
from band.scheduler.policy import Decision, Dispatch, Policy
from band.testing.fixed_view import FixedView, make_job
from band.testing.tables import PROCESSORS, make_table, whole

GREEDY = ["latency_greedy", "energy_greedy", "edp_greedy"]


def make(name: str) -> Policy:
    return make_policy(policy_swapped(name))


def dispatched(decisions: Sequence[Decision]) -> list[tuple[int, int]]:
    """Return (job, processor) of each task in order."""
    specs = [s for d in decisions if isinstance(d, Dispatch) for s in d.tasks]
    return [(spec.jobs[0], spec.processor) for spec in specs]


def with_energy(table: PlanTable, energy_uj: Mapping[str, int]) -> PlanTable:
    """Return the table with the energy of a run on each processor."""
    return replace(
        table,
        spans=tuple(s._replace(energy_uj=energy_uj[PROCESSORS[s.processor]]) for s in table.spans),
    )


FAST_GPU = with_energy(whole("m", cpu=10, gpu=4, dsp=8), {"cpu": 5, "gpu": 30, "dsp": 6})
"""Energy x latency: cpu 50, gpu 120, dsp 48."""


@pytest.mark.parametrize(
    ("policy", "expected"), [("latency_greedy", 1), ("energy_greedy", 0), ("edp_greedy", 2)]
)
def test_each_takes_the_idle_processor_that_is_best_by_its_measure(
    policy: str, expected: int
) -> None:
    assert dispatched(make(policy).plan(FixedView([FAST_GPU], [make_job(0)]))) == [(0, expected)]


@pytest.mark.parametrize(
    ("policy", "waits_us", "expected"),
    [
        ("latency_greedy", [0, 1, 0, 0], 2),
        ("energy_greedy", [1, 0, 0, 0], 2),
        ("edp_greedy", [0, 0, 1, 0], 0),
    ],
)
def test_none_waits_for_a_better_one_that_is_busy(
    policy: str, waits_us: list[int], expected: int
) -> None:
    view = FixedView([FAST_GPU], [make_job(0)], waits_us=waits_us)
    assert dispatched(make(policy).plan(view)) == [(0, expected)]


@pytest.mark.parametrize("policy", GREEDY)
def test_models_take_turns_by_name_and_equal_processors_go_by_index(policy: str) -> None:
    same = {"cpu": 7, "gpu": 7, "dsp": 7}
    tables = [with_energy(whole(name, cpu=5, gpu=5, dsp=5), same) for name in ("b", "a")]
    jobs = [make_job(0, "b"), make_job(1, "b"), make_job(2, "a"), make_job(3, "a")]
    assert dispatched(make(policy).plan(FixedView(tables, jobs))) == [(2, 0), (0, 1), (3, 2)]


@pytest.mark.parametrize("policy", GREEDY)
def test_a_job_waits_while_all_that_run_it_whole_are_busy(policy: str) -> None:
    table = make_table("m", {"gpu": {(0, 1): 9, (0, 0): 4, (1, 1): 4}, "cpu": {(0, 0): 3}})
    view = FixedView([table], [make_job(0)], waits_us=[0, 6, 0, 0])
    assert dispatched(make(policy).plan(view)) == []


@pytest.mark.parametrize("policy", GREEDY)
def test_a_model_that_nobody_runs_whole_follows_its_best_plan(policy: str) -> None:
    table = make_table("m", {"cpu": {(0, 0): 4}, "gpu": {(1, 1): 4}})
    assert dispatched(make(policy).plan(FixedView([table], [make_job(0)]))) == [(0, 0)]


@pytest.mark.parametrize("policy", ["energy_greedy", "edp_greedy"])
def test_without_energies_a_job_goes_by_latency_and_is_counted(policy: str) -> None:
    partly = with_energy(whole("p", cpu=10, gpu=4), {"cpu": 5, "gpu": 0})
    made = make(policy)
    view = FixedView([partly, FAST_GPU], [make_job(0, "p"), make_job(1, "m")])
    known = 0 if policy == "energy_greedy" else 2
    assert dispatched(made.plan(view)) == [(1, known), (0, 1)]
    assert made.statistics() == {"placed_by_latency": 1}  # type: ignore[attr-defined]
    assert made.notes()[0].startswith("1 task went by latency")  # type: ignore[attr-defined]


@pytest.mark.parametrize("policy", GREEDY)
def test_a_pinned_job_stays_where_it_is_pinned(policy: str) -> None:
    view = FixedView([FAST_GPU], [make_job(0, processor=1)], waits_us=[0, 3, 0, 0])
    assert dispatched(make(policy).plan(view)) == []
    assert dispatched(make(policy).plan(FixedView([FAST_GPU], [make_job(0, processor=1)]))) == [
        (0, 1)
    ]
