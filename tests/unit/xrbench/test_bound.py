"""The upper bound: never below what can be reached, and near what was published."""

import random
from itertools import pairwise
from pathlib import Path

import pytest

from band.testing.xrbench_cases import best_overall, tiny_case
from band.testing.xrbench_data import dual_cases
from band.xrbench import correct
from band.xrbench.bound import bound
from band.xrbench.case import Case, make_case
from band.xrbench.costs import Accelerator, Cost, CostTable, Setting
from band.xrbench.scenarios import Scenario, ScenarioModel
from band.xrbench.slots import Slot, classes, frames, slots

MODELS = (
    ScenarioModel(name="a", fps=4),
    ScenarioModel(name="b", fps=4, depends_on=("a",)),
    ScenarioModel(name="c", fps=2),
)
"""Two frames of a and of b, one of c."""


def random_case(seed: int) -> Case:
    """Return an overloaded case of five frames and two accelerators."""
    rng = random.Random(seed)
    accelerators = tuple(
        Accelerator(
            id=place,
            costs={
                model.name: Cost(rng.uniform(0.2, 1.1) * 250, rng.uniform(0, 600))
                for model in MODELS
            },
        )
        for place in range(2)
    )
    table = CostTable(source="", settings={"s": Setting(name="s", accelerators=accelerators)})
    return make_case(table, "s", Scenario(name="n", models=MODELS))


@pytest.mark.parametrize("slot_ms", [10.0, 30.0])
@pytest.mark.parametrize("relaxed", [False, True])
def test_no_schedule_of_tiny_cases_beats_the_bound(slot_ms: float, relaxed: bool) -> None:
    below_ideal = 0
    for seed in range(6):
        case = random_case(seed)
        found = bound(case, slot_ms=slot_ms, relaxed=relaxed)
        best = best_overall(case)
        assert found.proven
        assert best <= found.overall, f"seed {seed}"
        assert found.overall <= best + 35, f"seed {seed}: it says something"
        below_ideal += found.overall < 60
    assert below_ideal, "overload shows in the bound"


def test_whole_starts_give_no_higher_bound_than_starts_in_parts() -> None:
    for seed in range(4):
        case = random_case(seed)
        whole = bound(case, slot_ms=10.0).overall
        assert whole <= bound(case, slot_ms=10.0, relaxed=True).overall + 1e-3


def test_a_case_with_time_for_everything_has_the_bound_that_a_policy_reaches() -> None:
    models = [ScenarioModel(name="a", fps=10), ScenarioModel(name="b", fps=10, depends_on=("a",))]
    case = tiny_case(models, {"a": [10.0], "b": [20.0]}, energy_mj=150.0)
    assert correct.run(case, "fcfs").scores.overall == pytest.approx(90.0)
    assert bound(case, slot_ms=5.0).overall == pytest.approx(90.0, abs=1e-3)


def test_the_bound_holds_when_the_time_is_over_at_once() -> None:
    case = random_case(1)
    found = bound(case, slot_ms=1.0, time_limit_s=0.01)
    assert best_overall(case) <= found.overall <= 100.0


def test_a_stochastic_case_is_bounded_for_the_frames_of_its_seed() -> None:
    models = [ScenarioModel(name="a", fps=10), ScenarioModel(name="b", fps=10, probability=0.4)]
    case = tiny_case(models, {"a": [60.0], "b": [60.0]})
    for seed in range(3):
        played = correct.run(case, "sjf", {"shed": True}, seed=seed).scores.overall
        assert played <= bound(case, seed=seed, slot_ms=10.0).overall


def test_equal_accelerators_are_one_class_with_the_better_of_costs_that_differ_by_rounding() -> (
    None
):
    models = [ScenarioModel(name="a", fps=10)]
    (both,) = classes(tiny_case(models, {"a": [5.0, 5.00002]}))
    assert (both.size, both.costs[0].latency_ms) == (2, 5.0)
    assert len(classes(tiny_case(models, {"a": [5.0, 5.1]}))) == 2


def test_the_slots_of_a_frame_cover_every_start_once() -> None:
    case = random_case(0)
    places = classes(case)
    wanted = frames(case, places, 0)
    for at, frame in enumerate(wanted):
        mine = [s for s in slots(wanted, places, 7.0) if (s.frame, s.place) == (at, 0)]
        assert mine[0].earliest_ms == frame.release_ms
        assert mine[-1].latest_ms == frame.deadline_ms
        assert all(a.latest_ms == b.earliest_ms for a, b in pairwise(mine))


def test_certain_work_is_the_least_over_all_starts_of_a_slot() -> None:
    slot = Slot(0, 0, earliest_ms=2.0, latest_ms=4.0, latency_ms=5.0, reward=1.0)
    for begin, end in ((0.0, 3.0), (3.0, 5.0), (4.0, 20.0), (0.0, 20.0), (8.0, 9.0), (5.0, 6.0)):
        starts = [2.0 + 2.0 * i / 1000 for i in range(1001)]
        work = [max(0.0, min(s + 5.0, end) - max(s, begin)) for s in starts]
        assert slot.certain_ms(begin, end) == pytest.approx(min(work))


@pytest.mark.slow
def test_published_bounds_hold_and_ours_is_no_higher(published: Path) -> None:
    quick = {
        "Dual_8K__RS_RS VR_gaming": 97.28,
        "Dual_8K__RS_RS AR_gaming": 90.63,
        "Dual_8K__WS_OS VR_gaming": 94.80,
        "Dual_8K__WS_OS social_interactionA": 90.89,
    }
    for case in dual_cases(published):
        if case.name in quick:
            most = bound(case).overall
            assert most <= quick[case.name] + 0.05, case.name
            shedding = correct.run(case, "sjf", {"shed": True, "placement": "earliest_finish"})
            assert shedding.scores.overall <= most
