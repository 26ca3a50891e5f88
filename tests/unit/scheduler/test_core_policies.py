"""A policy is foreign code: whatever it does, the pass is not lost and the status tells."""

import sys
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import pytest

from band.errors import BandError, ErrorCode
from band.plan.task import SliceKey
from band.scheduler.commands import DropReason, JobOutcome
from band.scheduler.events import AdviceReady, Cancelled, PolicyOverran, PolicySwapped, Tick
from band.scheduler.options import DEFAULT_POLICY, CoreOptions
from band.scheduler.policy import Decision, Defer, Dispatch, Drop, PolicyInfo, TaskSpec
from band.scheduler.view import View
from band.testing.core_driver import CoreDriver
from band.testing.tables import make_table, whole

Drive = Callable[..., CoreDriver]
CHAIN = make_table("chain", {"cpu": {(0, 0): 10, (1, 1): 10}, "gpu": {(1, 1): 10}})


class Scripted:
    """Answers with what a function says."""

    info: ClassVar = PolicyInfo(name="scripted", summary="", source="")

    def __init__(self, answer: Callable[[View], Any]) -> None:
        self._answer = answer

    def plan(self, view: View) -> Sequence[Decision]:
        answer: Sequence[Decision] = self._answer(view)
        return answer


def task(*jobs: int, model: str = "chain", units: int = 1, processor: int = 0) -> TaskSpec:
    return TaskSpec(jobs, SliceKey(model, units), processor)


def run(*specs: Any) -> list[Decision]:
    return [Dispatch(tuple(specs))]


def leave(*_: Any) -> Any:
    sys.exit(4)


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def fail_without_words(view: View) -> Any:
    raise UnprintableError


INVALID = {
    "exits": (leave, "it raised SystemExit: 4"),
    "raises no words": (fail_without_words, "it raised UnprintableError"),
    "raises": (lambda view: 1 // 0, "it raised ZeroDivisionError: integer division"),
    "no sequence": (lambda view: None, "it returned None, which is no sequence of decisions"),
    "no decision": (lambda view: ["run"], "it decided 'run', which is no decision"),
    "no tasks": (lambda view: [Dispatch(None)], "(tasks=None), which is no decision"),  # type: ignore[arg-type]
    "no task": (lambda view: run("job 0"), "'job 0' is no task"),
    "unknown job": (lambda view: run(task(7)), "job 7 is unknown or has ended"),
    "no job": (lambda view: run(task()), "a task serves no job"),
    "job twice": (lambda view: run(task(0, 0)), "or one job twice"),
    "unknown processor": (lambda view: run(task(0, processor=9)), "processor 9 is not up"),
    "busy processor": (lambda view: run(task(0), task(1)), "processor cpu is busy"),
    "not loaded": (lambda view: run(task(0, processor=2)), "units 0b1 of 'chain' are not loaded"),
    "unknown model": (lambda view: run(task(0, model="x")), "model 'x' is not registered"),
    "other model": (lambda view: run(task(0, model="m")), "model 'm' does not serve ['chain']"),
    "two jobs of a plain model": (lambda view: run(task(0, 1)), "does not serve"),
    "needs an unfinished unit": (
        lambda view: run(task(0, units=2, processor=1)), "has not finished what this task needs",
    ),
    "unit twice": (
        lambda view: run(task(0), task(0, processor=1)), "units 0b1 of 'chain' are not loaded",
    ),
    "drop for no reason": (lambda view: [Drop(0, "bored")], "'bored', not a DropReason"),  # type: ignore[arg-type]
    "drop unknown": (lambda view: [Drop(9, DropReason.QUOTA)], "job 9 is unknown"),
    "drop what is no job": (lambda view: [Drop([0], DropReason.QUOTA)], "job [0] is unknown"),  # type: ignore[arg-type]
    "defer unknown": (lambda view: [Defer(9)], "job 9 is unknown"),
    "defer to the past": (lambda view: [Defer(0, 9)], "job 0 is deferred until 9, now 1000"),
    "defer to no time": (lambda view: [Defer(0, "noon")], "job 0 is deferred until 'noon'"),  # type: ignore[arg-type]
    "defer what is no job": (lambda view: [Defer("0")], "job '0' is unknown"),  # type: ignore[arg-type]
    "nothing for ever": (lambda view: [], "it left 2 jobs waiting though every processor is idle"),
    "defers for ever": (lambda view: [Defer(0)], "though every processor is idle"),
}  # fmt: skip


@pytest.mark.parametrize("case", INVALID)
def test_a_failing_policy_is_replaced_and_the_pass_goes_on(drive: Drive, case: str) -> None:
    answer, reason = INVALID[case]
    driver = drive(
        CHAIN,
        whole("m", cpu=5),
        policy=Scripted(lambda view: [Defer(job.job, 1000) for job in view.window]),
        policies={"scripted": lambda: Scripted(answer)},
    )
    jobs = [driver.request("chain") for _ in range(2)]
    driver.now_us = 1000
    driver.send(PolicySwapped("scripted", ""))
    assert driver.started, "the default policy has run the pass"
    status = driver.core.status()
    assert (status.policy, status.requested, status.replaced) == (DEFAULT_POLICY, "scripted", True)
    assert reason in status.reason
    assert [(r.policy, r.reason) for r in status.reports] == [("scripted", status.reason)]
    driver.finish_all()
    assert [driver.ended[job].outcome for job in jobs] == [JobOutcome.COMPLETED] * 2


def test_a_policy_that_only_puts_off_is_replaced_after_a_thousand_ticks(drive: Drive) -> None:
    answer = Scripted(lambda view: [Defer(job.job, view.now_us + 5) for job in view.window])
    driver = drive(CHAIN, policy=answer)
    driver.request("chain")

    def tick(times: int) -> None:
        for _ in range(times):
            driver.now_us = driver.wakes[-1]
            driver.send(Tick())

    tick(999)
    driver.send(Cancelled(77))  # any other event: what the policy waits for may have changed
    tick(999)
    assert not driver.started
    assert not driver.core.status().replaced
    tick(1)
    assert driver.started
    reason = "it left 1 jobs waiting though every processor is idle, over 1000 ticks in a row"
    assert [r.reason for r in driver.core.status().reports] == [reason]


def test_decisions_before_an_invalid_one_stand(drive: Drive) -> None:
    def answer(view: View) -> list[Decision]:
        return [*run(task(0)), Drop(9, DropReason.QUOTA)]

    driver = drive(CHAIN, policy=Scripted(answer))
    driver.request("chain")
    assert [t.jobs for t in driver.started] == [(0,)]
    assert driver.core.status().replaced


def test_a_policy_may_drop_and_defer(drive: Drive) -> None:
    def answer(view: View) -> list[Decision]:
        job = view.window[0].job
        if view.now_us < 5:
            return [Defer(job, 5), Defer(job, 5)]
        return [Drop(job, DropReason.SUPERSEDED)]

    driver = drive(CHAIN, policy=Scripted(answer))
    job = driver.request("chain")
    assert driver.wakes == [5]
    driver.now_us = 5
    driver.request("chain")
    assert driver.ended[job].reason is DropReason.SUPERSEDED
    assert not driver.core.status().replaced


def test_a_policy_that_dispatches_one_job_a_call_is_called_until_it_has_nothing(
    drive: Drive,
) -> None:
    def answer(view: View) -> list[Decision]:
        idle = [p for p, wait in enumerate(view.waits_us) if wait == 0]
        return run(task(view.window[0].job, model="m", processor=idle[0])) if idle else []

    driver = drive(
        whole("m", cpu=10, gpu=10, dsp=10, npu=10),
        policy=Scripted(lambda view: [Defer(job.job, 1000) for job in view.window]),
        policies={"scripted": lambda: Scripted(answer)},
    )
    for _ in range(6):
        driver.request("m")
    driver.send(PolicySwapped("scripted", ""))
    assert [(t.jobs, t.processor) for t in driver.started] == [((n,), n) for n in range(4)]


def test_an_overrunning_policy_is_replaced_only_while_it_is_in_force(drive: Drive) -> None:
    driver = drive(whole("m", cpu=1), policy="heft")
    driver.send(PolicyOverran("round_robin", 900))
    assert driver.core.status().policy == "heft"
    driver.send(PolicyOverran("heft", 900))
    status = driver.core.status()
    assert (status.policy, status.requested) == (DEFAULT_POLICY, "heft")
    assert status.reason == "a pass took 900 us, over its time budget"
    driver.send(PolicyOverran(DEFAULT_POLICY, 900))
    assert len(driver.core.status().reports) == 1, "nothing can replace the replacement"


def test_swapping_puts_the_new_policy_in_force_and_clears_the_reason(drive: Drive) -> None:
    driver = drive(whole("m", cpu=1), policy="heft")
    driver.send(PolicyOverran("heft", 900))
    driver.send(PolicySwapped("round_robin", ""))
    status = driver.core.status()
    assert (status.policy, status.replaced, status.reason) == ("round_robin", False, "")
    assert len(status.reports) == 1


def test_a_policy_that_cannot_be_made_is_replaced(drive: Drive) -> None:
    driver = drive(whole("m", cpu=1), policy="no_such_policy")
    status = driver.core.status()
    assert (status.policy, status.requested) == (DEFAULT_POLICY, "no_such_policy")
    assert status.reason.startswith("unknown policy 'no_such_policy'")
    job = driver.request("m")
    driver.finish_all()
    assert driver.ended[job].outcome is JobOutcome.COMPLETED


def test_a_maker_may_raise_anything(drive: Drive) -> None:
    def broken() -> Scripted:
        raise BandError(ErrorCode.POLICY_FAILED, "policy broken.py does not import")

    driver = drive(policies={"broken": broken}, policy="broken")
    assert driver.core.status().reason == "policy broken.py does not import"


def test_a_maker_may_exit(drive: Drive) -> None:
    driver = drive(policies={"leaves": leave}, policy="leaves")
    assert driver.core.status().reason == "SystemExit: 4"


@pytest.mark.parametrize("place", ["plan", "make"])
def test_ctrl_c_gets_through(drive: Drive, place: str) -> None:
    def interrupt(*_: Any) -> Any:
        raise KeyboardInterrupt

    makers = {"plan": lambda: Scripted(interrupt), "make": interrupt}
    driver = drive(whole("m", cpu=1), policies=makers)

    def swap_and_run() -> None:
        driver.send(PolicySwapped(place, ""))
        driver.request("m")

    with pytest.raises(KeyboardInterrupt):
        swap_and_run()
    driver.send(PolicySwapped("heft", ""))


def test_a_policy_may_be_false(drive: Drive) -> None:
    class Empty(Scripted):
        def __len__(self) -> int:
            return 0

    driver = drive(whole("m", cpu=1), policy=Empty(lambda view: run(task(0, model="m"))))
    driver.request("m")
    assert driver.core.policy == "given"


def test_without_a_default_policy_jobs_fail_and_the_core_goes_on(drive: Drive) -> None:
    options = CoreOptions(default_policy="gone")
    driver = drive(CHAIN, policy="heft", policies={"gone": leave}, options=options)
    first = driver.request("chain")
    driver.send(PolicyOverran("heft", 900))
    jobs = [first, *(driver.request("chain") for _ in range(2))]
    driver.finish_all()
    reason = "the default policy 'gone' cannot be made: SystemExit: 4"
    assert [driver.ended[job] for job in jobs] == [(job, JobOutcome.FAILED, reason) for job in jobs]
    status = driver.core.status()
    assert (status.policy, status.reason) == ("gone", reason)
    assert [report.policy for report in status.reports] == ["heft", "gone"]
    driver.send(PolicySwapped("heft", ""))
    job = driver.request("chain")
    driver.finish_all()
    assert driver.ended[job].outcome is JobOutcome.COMPLETED


def test_the_replacement_is_an_option(drive: Drive) -> None:
    driver = drive(policy="gone", options=CoreOptions(default_policy="round_robin"))
    assert driver.core.status().policy == "round_robin"


def test_a_failing_default_policy_ends_the_pass_and_is_reported(drive: Drive) -> None:
    flaw = [True]

    def answer(view: View) -> list[Decision]:
        return [] if flaw else run(task(view.window[0].job))

    driver = drive(
        CHAIN,
        policy="default",
        policies={"default": lambda: Scripted(answer)},
        options=CoreOptions(default_policy="default"),
    )
    job = driver.request("chain")
    assert len(driver.core.status().reports) == 2
    assert driver.core.status().waiting == 1
    flaw.clear()
    driver.send(PolicySwapped("shortest_expected_latency", ""))
    driver.finish_all()
    assert driver.ended[job].outcome is JobOutcome.COMPLETED


class Advised(Scripted):
    """Takes advice."""

    def __init__(self) -> None:
        super().__init__(lambda view: [])
        self.payloads: list[Any] = []

    def advise(self, snapshot: Any, params: Any, simulate: Any, budget: int) -> Any:
        return None

    def advised(self, payload: Any) -> None:
        self.payloads.append(payload)


def test_advice_reaches_the_policy_it_was_made_for_alone(drive: Drive) -> None:
    policy = Advised()
    driver = drive(policies={"advised": lambda: policy}, policy="advised")
    driver.send(AdviceReady("advised", {"price": 3}))
    driver.send(AdviceReady("heft", {"price": 4}))
    driver.send(PolicySwapped("heft", ""))
    driver.send(AdviceReady("heft", {"price": 5}))
    assert policy.payloads == [{"price": 3}]


class Windowed(Scripted):
    """Has a window of its own."""

    class params:  # noqa: N801 - what a policy calls its parameters
        window = 3


@pytest.mark.parametrize(("policy_type", "size"), [(Windowed, 3), (Scripted, 5)])
def test_the_window_is_the_policys_or_the_options(
    drive: Drive, policy_type: type[Scripted], size: int
) -> None:
    seen = []

    def answer(view: View) -> list[Decision]:
        seen.append([job.job for job in view.window])
        return run(task(view.window[0].job, model="m")) if view.waits_us[0] == 0 else []

    driver = drive(whole("m", cpu=1), policy=policy_type(answer), options=CoreOptions(window=5))
    for _ in range(9):
        driver.request("m")
    assert seen[-1] == list(range(1, size + 1))


class Talkative(Scripted):
    """Keeps figures of itself, and some that are none."""

    def __init__(self, figures: Callable[[], Any]) -> None:
        super().__init__(lambda view: [])
        self._figures = figures

    def statistics(self) -> Any:
        return self._figures()


@pytest.mark.parametrize(
    ("figures", "shown"),
    [
        (lambda: {"seen": 3, "share": 0.5, "well": True}, {"seen": 3, "share": 0.5, "well": True}),
        (lambda: {"seen": 3, "name": "x", "rate": float("nan"), "none": None}, {"seen": 3}),
        (lambda: 1 // 0, {}),
        (lambda: {"huge": 10**400}, {}),
        (leave, {}),
        (lambda: None, {}),
    ],
)
def test_the_status_shows_what_the_policy_counts_and_no_mistake_of_it(
    drive: Drive, figures: Callable[[], Any], shown: dict[str, float]
) -> None:
    driver = drive(policy=Talkative(figures))
    assert driver.core.status().statistics == shown
    assert not driver.core.status().replaced
    driver.send(PolicySwapped("heft", ""))
    assert driver.core.status().statistics == {}


class Silent(Scripted):
    """Leaves when it is asked for anything."""

    def __init__(self) -> None:
        super().__init__(lambda view: [])

    @property
    def statistics(self) -> Any:
        return leave()

    notes = statistics

    def advise(self, snapshot: Any, params: Any, simulate: Any, budget: int) -> Any:
        leave()

    advised = leave


def test_a_policy_that_exits_when_it_is_asked_or_advised_ends_nothing(drive: Drive) -> None:
    driver = drive(policies={"silent": Silent}, policy="silent")
    status = driver.core.status()
    assert (status.policy, status.statistics, status.notes) == ("silent", {}, ())
    driver.send(AdviceReady("silent", {"price": 3}))
    assert driver.core.status().reason == "its advised raised SystemExit: 4"
