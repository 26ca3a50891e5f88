"""A core that gathers: one decision about all that happens at one microsecond."""

from collections.abc import Callable

from band.scheduler.commands import Run, WakeAt
from band.scheduler.events import Tick
from band.scheduler.options import CoreOptions
from band.testing.core_driver import CoreDriver
from band.testing.tables import whole

Drive = Callable[..., CoreDriver]

GATHERS = CoreOptions(gather=True)
SHORT, LONG = whole("short", cpu=10), whole("long", cpu=50)


def test_a_decision_waits_for_everything_of_its_time(drive: Drive) -> None:
    driver = drive(SHORT, LONG, options=GATHERS)
    driver.request("short")
    driver.request("long")
    assert driver.started == []
    assert driver.wakes == [0]
    assert any(isinstance(command, Run) for command in driver.send(Tick()))
    assert driver.started[0].slice.model == "long", "the policy saw both: the longest goes first"
    driver.now_us = 50
    driver.finish(driver.started[0].id)
    driver.send(Tick())
    driver.now_us = 60
    driver.finish(driver.started[1].id)


def test_a_later_wake_up_does_not_stand_in_for_one_now(drive: Drive) -> None:
    driver = drive(SHORT, options=GATHERS)
    first = driver.request("short", expires_us=100)
    driver.send(Tick())
    driver.now_us = 5
    second = driver.request("short", expires_us=12)
    driver.send(Tick())
    assert driver.wakes == [0, 5, 12]
    driver.now_us = 10
    assert WakeAt(10) in driver.finish(driver.started[0].id)
    driver.send(Tick())
    driver.now_us = 20
    driver.finish(driver.started[1].id)
    assert {driver.ended[job].outcome for job in (first, second)} == {"completed"}


def test_a_request_that_nothing_can_start_expires_without_a_decision(drive: Drive) -> None:
    driver = drive(SHORT, options=GATHERS)
    driver.request("short")
    driver.send(Tick())
    job = driver.request("short", expires_us=3)
    driver.send(Tick())
    driver.now_us = 3
    driver.send(Tick())
    assert driver.ended[job].reason == "deadline_passed"
