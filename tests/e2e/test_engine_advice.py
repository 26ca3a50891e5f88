"""Advice live: computed in a process of its own, delivered as an event, never in the way."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from band.device.profile import Device
from band.runtime.engine import Engine, EngineOptions
from band.scheduler.events import AdviceReady
from band.scheduler.loader import make_policy
from band.scheduler.options import CoreOptions
from band.sim.decisions import compare_decisions
from band.testing import models
from band.testing.devices import make_device, make_processor
from band.testing.inboxes import KeptInbox
from band.testing.reference import Reference

CHAIN = models.chain()
WAIT_S = 60.0
SOON = CoreOptions(advise_pause_us=20_000)

POLICY = '''
"""Asks for advice."""
import time
from dataclasses import dataclass
from band.scheduler.policy import PolicyInfo
from band.scheduler.rules import one_by_one


@dataclass(frozen=True)
class Params:
    simulations: int = 2
    advise_ms: int = 5000
    what: str = "fine"


class Asking:
    info = PolicyInfo(name="asking", summary="", source="")

    def __init__(self, params):
        self.params = params
        self.payload = None

    def plan(self, view):
        def choose(view, waiting, waits):
            for job in waiting:
                plan = view.best_plan(job, waits)
                if plan is not None and waits[plan.steps[0].span.processor] == 0:
                    return job, plan.steps[0]
            return None

        return one_by_one(view, choose)

    def advise(self, snapshot, params, simulate, budget):
        if params.what == "raises":
            raise RuntimeError("no idea")
        if params.what == "exits":
            raise SystemExit(3)
        if params.what == "dies":
            import os
            os._exit(3)
        if params.what == "dawdles":
            time.sleep(600)
        played = simulate({"trial": 1})
        return {"ended": len(played.requests), "streams": len(snapshot.streams)}

    def advised(self, payload):
        self.payload = payload
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "asking.py").write_text(POLICY, encoding="utf-8")
    return tmp_path


def device() -> Device:
    return make_device(*(make_processor(f"cpu{i}", per_op_us=300) for i in range(2)))


def feed(engine: Engine, until: Callable[[], bool]) -> None:
    """Submit a stream of frames, each with a deadline, until something has happened."""
    inputs = Reference(CHAIN).inputs()
    end_s = time.perf_counter() + WAIT_S
    frame = 0
    while not until():
        assert time.perf_counter() < end_s, "it never happened"
        engine.infer("chain", inputs, stream="camera", frame=frame, slo_us=2_000_000)
        frame += 1


def advice(inbox: KeptInbox) -> list[AdviceReady]:
    return [event for _, event, _ in inbox.records if isinstance(event, AdviceReady)]


def test_advice_comes_back_as_an_event_and_replays(folder: Path) -> None:
    inbox = KeptInbox()
    with Engine(
        device(),
        policy="asking",
        policy_dirs=[folder],
        options=EngineOptions(core=SOON),
        recorder=inbox,
    ) as engine:
        engine.register(CHAIN)
        feed(engine, lambda: bool(advice(inbox)))
        assert not engine.stats().core.reports
    first = advice(inbox)[0]
    assert first.reason == ""
    assert isinstance(first.payload, dict)
    assert first.payload["streams"] == 1
    assert first.payload["ended"]
    make = partial(make_policy, policy_dirs=(folder,))
    assert compare_decisions(inbox.records, make_policy=make, options=SOON).difference is None


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("raises", "its advise raised RuntimeError: no idea"),
        ("exits", "its advise raised SystemExit: 3"),
        ("dies", "the process of its advise ended"),
    ],
)
def test_advice_that_fails_is_reported_once_and_the_policy_goes_on(
    folder: Path, what: str, reason: str
) -> None:
    inbox = KeptInbox()
    with Engine(
        device(),
        policy="asking",
        policy_params={"what": what},
        policy_dirs=[folder],
        options=EngineOptions(core=SOON),
        recorder=inbox,
    ) as engine:
        engine.register(CHAIN)
        feed(engine, lambda: bool(advice(inbox)))
        status = engine.stats().core
    assert [report.replaced for report in status.reports] == [False]
    assert status.reports[0].reason.startswith(reason)
    assert status.policy == "asking"
    assert not status.replaced


def test_a_policy_is_swapped_while_its_advice_is_under_way_and_the_engine_closes(
    folder: Path,
) -> None:
    inbox = KeptInbox()
    with Engine(
        device(),
        policy="asking",
        policy_params={"what": "dawdles", "advise_ms": 600_000},
        policy_dirs=[folder],
        options=EngineOptions(core=SOON),
        recorder=inbox,
    ) as engine:
        engine.register(CHAIN)
        feed(engine, lambda: any("Advise" in type(c).__name__ for e in inbox.records for c in e[2]))
        engine.swap_policy("shortest_expected_latency")
        served = engine.stats().completed
        feed(engine, lambda: engine.stats().completed > served + 5)
        begun_s = time.perf_counter()
    assert time.perf_counter() - begun_s < WAIT_S / 4, "closing waits for the advice"
    assert not advice(inbox)


@pytest.mark.parametrize(
    ("policy", "params"),
    [
        ("rehearsal", {"simulations": 8, "horizon_us": 100_000}),
        ("rehearsal", {"simulations": 8, "horizon_us": 100_000, "shed": True, "salvage": True}),
        ("price_aware", {}),
    ],
)
def test_the_shipped_policies_are_advised_live_and_replay(
    policy: str, params: dict[str, object]
) -> None:
    inbox = KeptInbox()
    with Engine(
        device(),
        policy=policy,
        policy_params=params,
        options=EngineOptions(core=SOON),
        recorder=inbox,
    ) as engine:
        engine.register(CHAIN)
        feed(engine, lambda: bool(advice(inbox)))
        feed(engine, lambda: engine.stats().completed > 20)
        status = engine.stats().core
    assert not status.reports
    assert all(isinstance(ready.payload, dict) for ready in advice(inbox))
    inbox.check(options=SOON)
