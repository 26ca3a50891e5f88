import random

import pytest

from band.config.params import parse_params
from band.errors import BandError
from band.plan.static import PlannedModel, PlannedStep, Variant, turns
from band.plan.table import PlanTable
from band.scheduler.events import ModelAdded, RequestArrived, SliceEvicted, WorkerDown
from band.scheduler.loader import make_policy, policy_swapped
from band.scheduler.policy import Observed, Outspoken, Policy
from band.testing.core_driver import CoreDriver
from band.testing.tables import PROCESSORS, chain, make_table, whole


def planned(
    *chains: tuple[str, ...], priority: int = 0, release_us: int = 0, weights: tuple[int, ...] = ()
) -> PlannedModel:
    """Return a plan of one unit a step; each chain names its processors."""
    return PlannedModel(
        tuple(
            Variant(
                tuple(PlannedStep(unit, unit, name) for unit, name in enumerate(names)),
                weights[place] if weights else 1,
            )
            for place, names in enumerate(chains)
        ),
        priority,
        release_us,
    )


def static_plan(models: dict[str, PlannedModel], **params: object) -> Policy:
    return make_policy(policy_swapped("static_plan", {"models": models, **params}))


def said(policy: Policy) -> tuple[int, tuple[str, ...]]:
    """Return how many jobs left their plan, and the notes."""
    assert isinstance(policy, Observed)
    assert isinstance(policy, Outspoken)
    return int(policy.statistics()["fallback_jobs"]), tuple(policy.notes())


def two_units(model: str = "m") -> PlanTable:
    costs = {(0, 0): 10, (1, 1): 10, (0, 1): 15}
    return make_table(model, {"cpu": costs, "gpu": costs})


def places(driver: CoreDriver) -> list[tuple[int, int, int]]:
    """Return (job, units, processor) of every task in the order of the starts."""
    return [(task.jobs[0], task.slice.units, task.processor) for task in driver.started]


def test_turns_are_spread_evenly_and_weights_hold_in_every_round() -> None:
    assert turns([1]) == (0,)
    assert turns([2, 1]) == (0, 1, 0)
    assert turns([3, 1]) == (0, 0, 1, 0)
    order = turns([5, 3, 1])
    assert [order.count(index) for index in range(3)] == [5, 3, 1]
    for bad in ([], [1, 0]):
        with pytest.raises(ValueError, match="weight of at least 1"):
            turns(bad)


def test_what_weights_have_in_common_makes_no_longer_round() -> None:
    assert turns([500_000_000]) == (0,)
    assert turns([6_000_000, 2_000_000]) == turns([3, 1])
    with pytest.raises(ValueError, match="make a round of 500000001 jobs, 10000 are the most"):
        turns([500_000_000, 1])


def test_jobs_run_the_planned_steps_though_other_processors_idle() -> None:
    policy = static_plan({"m": planned(("gpu", "cpu"))})
    driver = CoreDriver(two_units(), policy=policy)
    for _ in range(2):
        driver.request("m")
    driver.finish_all()
    assert places(driver) == [(0, 1, 1), (0, 2, 0), (1, 1, 1), (1, 2, 0)]
    assert said(policy) == (0, ())


def test_variants_are_taken_in_turn_by_weight_and_per_class() -> None:
    policy = static_plan({"m": planned(("cpu",), ("gpu",), weights=(2, 1))})
    driver = CoreDriver(whole("m", cpu=10, gpu=10), policy=policy)
    for _ in range(6):
        driver.request("m")
    urgent = driver.request("m", priority=1)
    driver.finish_all()
    assert [{j: p for j, _, p in places(driver)}[job] for job in range(6)] == [0, 1, 0] * 2
    assert {job: place for job, _, place in places(driver)}[urgent] == 0


@pytest.mark.parametrize(("order", "expected"), [("priority", [0, 2, 1]), ("edf", [0, 1, 2])])
def test_a_processor_picks_by_priority_or_by_deadline(order: str, expected: list[int]) -> None:
    models = {"a": planned(("cpu",), priority=5), "b": planned(("cpu",), priority=-1)}
    policy = static_plan(models, order={"cpu": order})
    driver = CoreDriver(whole("a", cpu=10), whole("b", cpu=10), policy=policy)
    driver.request("a")
    driver.request("a", deadline_us=50)
    driver.request("b", deadline_us=90)
    driver.finish_all()
    assert [job for job, _, _ in places(driver)] == expected


def test_the_class_of_a_request_comes_before_the_priority_of_its_model() -> None:
    models = {"a": planned(("cpu",), priority=5), "b": planned(("cpu",), priority=-1)}
    driver = CoreDriver(whole("a", cpu=10), whole("b", cpu=10), policy=static_plan(models))
    for model, priority in (("a", 8), ("b", 8), ("a", 2)):
        driver.request(model, priority=priority)
    driver.finish_all()
    assert [job for job, _, _ in places(driver)] == [0, 2, 1]


def test_a_job_starts_no_earlier_than_its_release() -> None:
    driver = CoreDriver(
        whole("m", cpu=10), policy=static_plan({"m": planned(("cpu",), release_us=30)})
    )
    driver.now_us = 5
    driver.request("m")
    assert driver.started == []
    assert driver.wakes == [35]
    assert not driver.core.status().reports


def test_branches_of_one_model_run_side_by_side() -> None:
    diamond = (0, 0b0001, 0b0001, 0b0110)
    costs = {(unit, unit): 10 for unit in range(4)}
    table = make_table("m", {"cpu": costs, "gpu": costs}, dependencies=diamond)
    policy = static_plan({"m": planned(("cpu", "cpu", "gpu", "cpu"))})
    driver = CoreDriver(table, policy=policy)
    driver.request("m")
    driver.finish(0)
    assert sorted(task.processor for task in driver.running.values()) == [0, 1]
    driver.finish_all()
    assert [units for _, units, _ in places(driver)] == [1, 2, 4, 8]


def test_a_model_that_the_plan_does_not_name_follows_its_best_plan_and_is_counted() -> None:
    policy = static_plan({"m": planned(("cpu",))})
    driver = CoreDriver(whole("m", cpu=5), whole("other", cpu=9, gpu=4), policy=policy)
    for _ in range(2):
        driver.request("other")
    driver.finish_all()
    assert {processor for _, _, processor in places(driver)} == {1}
    jobs, notes = said(policy)
    assert jobs == 2
    assert notes == ("model other left its static plan for best plans: the plan does not name it",)
    status = driver.core.status()
    assert (status.statistics, status.notes) == ({"fallback_jobs": 2}, notes)


def test_a_slice_that_goes_or_is_not_there_makes_jobs_fall_back_and_never_hang() -> None:
    policy = static_plan({"m": planned(("gpu", "gpu"))})
    table = two_units()
    driver = CoreDriver(policy=policy)
    driver.send(ModelAdded(table, tuple(s[:3] for s in table.spans)))
    driver.request("m")
    driver.send(SliceEvicted(table.slice_key(table.spans[-1]), 1))
    driver.request("m")
    driver.finish_all()
    assert len(driver.ended) == 2
    assert said(policy)[0] == 2
    assert "not all loaded" in said(policy)[1][0]
    assert not driver.core.status().reports


def test_a_processor_that_goes_down_takes_its_jobs_off_the_plan() -> None:
    policy = static_plan({"m": planned(("gpu", "gpu"))})
    driver = CoreDriver(two_units(), policy=policy)
    for _ in range(3):
        driver.request("m")
    driver.send(WorkerDown(1, "gone"))
    driver.running.clear()
    driver.running.update({t.id: t for t in driver.started if t.processor == 0})
    driver.finish_all()
    assert len(driver.ended) == 3
    assert said(policy)[0] == 3


def test_a_pinned_request_stays_where_it_is_pinned() -> None:
    policy = static_plan({"m": planned(("gpu", "gpu"))})
    driver = CoreDriver(two_units(), policy=policy)
    driver.request("m", processor="cpu")
    driver.finish_all()
    assert {processor for _, _, processor in places(driver)} == {0}
    assert "pinned" in said(policy)[1][0]


def test_what_is_remembered_of_jobs_that_never_ran_is_bounded() -> None:
    policy = static_plan({"m": planned(("gpu",))}, window=64)
    driver = CoreDriver(whole("m", cpu=5, gpu=5), policy=policy)
    for number in range(9_000):
        request = RequestArrived(number, "m", expires_us=number + 1)
        driver.core.handle(request, number)  # the driver's own checks would take long
    assert len(policy._variant) < 64 + 2 * 4096 + 2  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"models": {"m": {"variants": []}}}, "model 'm': a model needs at least one variant"),
        (
            {"models": {"m": {"variants": [{"steps": [], "weight": 0}]}}},
            "'models.m.variants\\[0\\].weight' must be at least 1, not 0",
        ),
        (
            {"models": {"m": {"variants": [{"steps": [], "weight": w} for w in (1, 10_000)]}}},
            "model 'm': its weights make a round of 10001 jobs",
        ),
        ({"models": {}, "order": {"cpu": "fifo"}}, "order.cpu"),
        ({"models": {"m": {"variants": [{"steps": [{"first": 0}]}]}}}, "last"),
        ({}, "'models' is missing"),
    ],
)
def test_a_bad_plan_is_refused_in_one_sentence(params: dict[str, object], message: str) -> None:
    with pytest.raises(BandError, match=message):
        policy_swapped("static_plan", params, parse=parse_params)


def test_an_order_for_a_processor_that_is_not_there_is_noted() -> None:
    order = {"cpu": "edf", "gppu": "edf"}
    policy = static_plan({"m": planned(("cpu",))}, order=order)
    driver = CoreDriver(whole("m", cpu=10), policy=policy)
    assert said(policy) == (0, ())
    driver.request("m")
    assert said(policy) == (
        0,
        (
            "order names the processor gppu, which the device does not have; "
            f"the device has {', '.join(PROCESSORS)}",
        ),
    )


def test_plans_written_as_yaml_and_as_tuples_are_the_same() -> None:
    steps = [{"first": 0, "last": 0, "processor": "cpu"}]
    written = {"m": {"variants": [{"steps": steps}], "priority": 3}}
    one = policy_swapped("static_plan", {"models": written}, parse=parse_params)
    other = policy_swapped("static_plan", {"models": {"m": planned(("cpu",), priority=3)}})
    assert one == other


def test_chains_of_any_length_play() -> None:
    rng = random.Random(4)
    costs = {(unit, unit): rng.randint(5, 20) for unit in range(12)}
    table = make_table("m", {"cpu": costs, "gpu": costs}, dependencies=chain(12))
    names = tuple(rng.choice(["cpu", "gpu"]) for _ in range(12))
    driver = CoreDriver(table, policy=static_plan({"m": planned(names)}))
    driver.request("m")
    driver.finish_all()
    assert [("cpu", "gpu")[p] for _, _, p in places(driver)] == list(names)
