"""The fixed mappings: jobs that were begun elsewhere, and maps that name what is not there."""

import random

import pytest

from band.scheduler.commands import DropReason, JobOutcome
from band.scheduler.events import Json, ModelAdded, PolicySwapped
from band.testing.core_driver import CoreDriver
from band.testing.tables import PROCESSORS, chain, make_table, random_table, whole

FIXED = ["fixed_worker", "fixed_worker_global_queue"]
DIAMOND = (0, 0b0001, 0b0001, 0b0110)


def swap_to(driver: CoreDriver, policy: str, **processors: str) -> None:
    given: Json = {**processors}
    driver.send(PolicySwapped(policy, "", (("processors", given),)))


@pytest.mark.parametrize("policy", FIXED)
@pytest.mark.parametrize("processor", ["gpu", "no_such_processor"])
def test_a_job_begun_elsewhere_is_finished_where_it_can_be(policy: str, processor: str) -> None:
    """The gpu has the whole model only: after a first unit on the cpu it cannot go on."""
    costs = {"cpu": {(0, 0): 100, (0, 1): 900, (1, 1): 100}, "gpu": {(0, 1): 400}}
    driver = CoreDriver(make_table("m", costs, processors=["cpu", "gpu"]))
    begun, untouched = driver.request("m"), driver.request("m")
    assert driver.running[0].slice.units == 0b01
    swap_to(driver, policy, m=processor)
    driver.finish_all()
    assert driver.ended[begun].outcome is JobOutcome.COMPLETED
    assert [task.processor for task in driver.started if begun in task.jobs] == [0, 0]
    if processor == "gpu":
        assert driver.ended[untouched].outcome is JobOutcome.COMPLETED
    else:
        assert driver.ended[untouched].reason is DropReason.NO_PROCESSOR
    assert not driver.core.status().reports


@pytest.mark.parametrize("policy", FIXED)
def test_it_goes_back_to_its_processor_as_soon_as_that_can_go_on(policy: str) -> None:
    """The gpu can do the last unit but not the middle one."""
    costs = {
        "cpu": {(0, 0): 10, (1, 1): 10, (2, 2): 10},
        "gpu": {(0, 2): 500, (2, 2): 40},
    }
    table = make_table("m", costs, processors=["cpu", "gpu"], dependencies=chain(3))
    driver = CoreDriver(table)
    job = driver.request("m")
    swap_to(driver, policy, m="gpu")
    driver.finish_all()
    assert [task.processor for task in driver.started] == [0, 0, 1]
    assert driver.ended[job].outcome is JobOutcome.COMPLETED


@pytest.mark.parametrize("policy", FIXED)
def test_a_branch_may_start_while_another_one_runs_elsewhere(policy: str) -> None:
    units = {(unit, unit): 10 + unit for unit in range(4)}
    table = make_table(
        "m", {"cpu": units, "gpu": units}, processors=["cpu", "gpu", "npu"], dependencies=DIAMOND
    )
    driver = CoreDriver(table)
    job = driver.request("m")
    swap_to(driver, policy, m="npu")
    driver.finish(0)
    assert {task.slice.units for task in driver.running.values()} == {0b0010, 0b0100}
    driver.finish_all()
    assert driver.ended[job].outcome is JobOutcome.COMPLETED


@pytest.mark.parametrize("policy", FIXED)
@pytest.mark.parametrize("seed", range(4))
def test_no_swap_drops_a_job_that_has_begun(policy: str, seed: int) -> None:
    rng = random.Random(seed)
    shapes = [(1, None), (3, None), (4, DIAMOND), (5, chain(5))]
    tables = [
        random_table(rng, f"m{n}", units, dependencies=needs)
        for n, (units, needs) in enumerate(shapes)
    ]
    driver = CoreDriver(*tables)
    for number in range(80):
        driver.now_us += rng.randrange(300)
        driver.request(rng.choice(tables).model)
        if number % 10 == 5:
            swap_to(driver, policy, **{t.model: rng.choice([*PROCESSORS, "none"]) for t in tables})
        elif number % 10 == 0:
            driver.send(PolicySwapped("shortest_expected_latency", ""))
        while len(driver.running) > 2:
            driver.finish(min(driver.running))
    driver.finish_all()
    begun = {job for task in driver.started for job in task.jobs}
    assert {driver.ended[job].outcome for job in begun} == {JobOutcome.COMPLETED}
    dropped = [job for job, end in driver.ended.items() if end.outcome is JobOutcome.DROPPED]
    assert dropped
    assert not set(dropped) & begun
    assert not driver.core.status().reports


@pytest.mark.parametrize("policy", FIXED)
def test_the_notes_name_what_the_map_names_in_vain(policy: str) -> None:
    driver = CoreDriver(
        whole("detector", cpu=10), whole("classifier", cpu=10), processors=["cpu", "gpu"]
    )
    swap_to(driver, policy, classifier="nosuch", clasifier="gpu", detector="cpu")
    assert driver.core.status().notes == (), "nothing has been planned yet"
    lost, run = driver.request("classifier"), driver.request("detector")
    driver.finish_all()
    assert driver.ended[lost].reason is DropReason.NO_PROCESSOR
    assert driver.ended[run].outcome is JobOutcome.COMPLETED
    assert driver.core.status().notes == (
        "model classifier is mapped to the processor nosuch, which the device does not have, "
        f"and its jobs are dropped; the device has {', '.join(PROCESSORS)}",
        "the map of processors names the model clasifier, which is not registered; "
        "registered: classifier, detector",
    )
    driver.send(ModelAdded(whole("clasifier", cpu=10)))
    driver.request("detector")
    assert len(driver.core.status().notes) == 1, "it is registered now"


@pytest.mark.parametrize("policy", FIXED)
def test_a_map_of_what_is_there_needs_no_note(policy: str) -> None:
    driver = CoreDriver(whole("m", cpu=10), whole("n", cpu=10), policy=policy)
    driver.request("m")
    swap_to(driver, policy, m="cpu")
    driver.request("n")
    driver.finish_all()
    assert driver.core.status().notes == ()
