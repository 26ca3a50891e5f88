from collections.abc import Sequence
from typing import Any, ClassVar

import pytest

from band.scheduler.advice import Simulate, Snapshot
from band.scheduler.commands import Advise, Command
from band.scheduler.events import (
    AdviceReady,
    Json,
    ModelAdded,
    PolicySwapped,
    StreamLoad,
    StreamsDeclared,
    WorkerDown,
)
from band.scheduler.options import CoreOptions
from band.scheduler.policy import Decision, PolicyInfo
from band.scheduler.view import View
from band.testing.core_driver import CoreDriver
from band.testing.tables import whole

MODEL = whole("m", cpu=1000, gpu=500)
LOAD = StreamsDeclared((StreamLoad("camera", "m", 10_000, 0),))
PAUSE_US = 1000


class Asking:
    """Runs nothing and asks for advice."""

    info: ClassVar = PolicyInfo(name="asking", summary="", source="")

    def __init__(self) -> None:
        self.got: list[Json] = []

    def plan(self, view: View) -> Sequence[Decision]:
        raise NotImplementedError

    def advise(self, snapshot: Snapshot, params: Any, simulate: Simulate, budget: int) -> Json:
        raise NotImplementedError

    def advised(self, payload: Json) -> None:
        if payload == "bad":
            raise ValueError("no such thing")
        self.got.append(payload)


def asks(commands: list[Command]) -> bool:
    return Advise("given") in commands


@pytest.fixture
def policy() -> Asking:
    return Asking()


@pytest.fixture
def driver(policy: Asking) -> CoreDriver:
    return CoreDriver(MODEL, policy=policy, options=CoreOptions(advise_pause_us=PAUSE_US))


def test_a_declared_load_is_a_reason_to_ask_and_only_once(driver: CoreDriver) -> None:
    assert asks(driver.send(LOAD))
    driver.now_us = 10 * PAUSE_US
    assert not asks(driver.send(LOAD)), "one is under way"
    assert asks(driver.send(AdviceReady("given", None))), "the load was declared anew meanwhile"
    driver.now_us = 20 * PAUSE_US
    assert not asks(driver.send(AdviceReady("given", None))), "nothing has changed"


def test_without_a_load_or_a_model_there_is_nothing_to_ask() -> None:
    driver = CoreDriver(policy=Asking(), options=CoreOptions(advise_pause_us=PAUSE_US))
    assert not asks(driver.send(LOAD))
    assert asks(driver.send(ModelAdded(MODEL)))


def test_a_pause_lies_between_two_questions(driver: CoreDriver) -> None:
    driver.send(LOAD)
    driver.send(AdviceReady("given", 1))
    assert not asks(driver.send(WorkerDown(1, "gone")))
    driver.now_us = PAUSE_US
    assert asks(driver.send(LOAD))


def test_other_spans_or_a_cost_that_moved_by_a_tenth_are_a_reason_to_ask(
    driver: CoreDriver,
) -> None:
    driver.send(LOAD)
    driver.send(AdviceReady("given", 1))
    driver.now_us = PAUSE_US
    slower = MODEL.with_costs({(0, 0, 0): 1050}, 2)
    assert not asks(driver.send(ModelAdded(slower)))
    assert asks(driver.send(ModelAdded(MODEL.with_costs({(0, 0, 0): 1111}, 3))))
    driver.send(AdviceReady("given", 1))
    driver.now_us = 2 * PAUSE_US
    assert asks(driver.send(WorkerDown(1, "gone")))


def test_an_answer_for_a_policy_that_was_swapped_meanwhile_is_not_taken() -> None:
    made: list[Asking] = []

    def make() -> Asking:
        made.append(Asking())
        return made[-1]

    driver = CoreDriver(
        MODEL, policy="asking", policies={"asking": make}, options=CoreOptions(advise_pause_us=1)
    )
    driver.send(LOAD)
    driver.send(PolicySwapped("asking", ""))
    driver.now_us = 5
    commands = driver.send(AdviceReady("asking", 1))
    assert [policy.got for policy in made] == [[], []]
    assert Advise("asking") in commands, "the new one asks as soon as the old answer is in"
    driver.send(AdviceReady("asking", 2))
    assert made[1].got == [2]


def test_failed_advice_is_reported_once_and_the_policy_stays(
    driver: CoreDriver, policy: Asking
) -> None:
    for turn in range(3):
        driver.now_us = turn * PAUSE_US
        driver.send(LOAD)
        driver.send(AdviceReady("given", None, "it took too long"))
    status = driver.core.status()
    assert [(r.reason, r.replaced) for r in status.reports] == [("it took too long", False)]
    assert not status.replaced
    assert policy.got == []


def test_a_policy_that_chokes_on_its_advice_is_replaced(driver: CoreDriver) -> None:
    driver.send(LOAD)
    driver.send(AdviceReady("given", "bad"))
    status = driver.core.status()
    assert status.replaced
    assert "advised raised ValueError: no such thing" in status.reason


def test_a_policy_without_advise_is_never_asked() -> None:
    driver = CoreDriver(MODEL, options=CoreOptions(advise_pause_us=PAUSE_US))
    assert not any(isinstance(command, Advise) for command in driver.send(LOAD))
    assert not driver.core.snapshot(0).window
    assert driver.core.snapshot(0).streams == LOAD.streams, "though it is known for the next one"
