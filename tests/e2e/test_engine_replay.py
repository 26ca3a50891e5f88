"""What a live engine decided, a fresh core decides again from the recorded inbox alone."""

import random
import threading
from types import ModuleType

import pytest

from band.device.profile import Device
from band.errors import BandError
from band.runtime.engine import Engine
from band.scheduler.events import (
    ModelRemoved,
    PolicySwapped,
    RequestArrived,
    Tick,
    WorkerDown,
    WorkerUp,
)
from band.testing import models
from band.testing.devices import make_device, make_processor, split_device
from band.testing.inboxes import KeptInbox
from band.testing.reference import Reference

WAIT_S = 60.0


def test_the_inbox_begins_with_the_policy_and_the_workers() -> None:
    inbox = KeptInbox()
    with Engine(split_device(), recorder=inbox):
        pass
    events = inbox.events()
    assert isinstance(events[0], PolicySwapped)
    assert events[1:] == [
        WorkerUp(0, "cpu", "cpu", 1 << 28, "emulated"),
        WorkerUp(1, "gpu", "gpu", 1 << 28, "emulated"),
    ]


def _drive(engine: Engine, count: int, seed: int) -> None:
    """Send requests of all sorts from two threads."""
    references = {m.graph.name: Reference(m) for m in (models.chain(), models.residual())}
    for model in (models.chain(), models.residual()):
        engine.register(model)

    def send(part: int) -> None:
        rng = random.Random(seed + part)
        for number in range(count):
            name = rng.choice(sorted(references))
            future = engine.submit(
                name,
                references[name].inputs(),
                priority=rng.choice((0, 1, 9)),
                slo_us=rng.choice((None, 2_000, 10**9)),
                timeout_us=rng.choice((None, 3_000, 10**9)),
                stream=f"s{part}",
                frame=number,
            )
            if rng.random() < 0.1:
                future.cancel()
            threading.Event().wait(rng.random() * 0.004)

    threads = [threading.Thread(target=send, args=(part,)) for part in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)


def _balanced(engine: Engine) -> None:
    stats = engine.stats()
    ended = stats.completed + stats.failed + stats.cancelled + sum(stats.dropped.values())
    assert stats.accepted == ended + stats.in_flight


@pytest.mark.parametrize("policy", ["shortest_expected_latency", "least_slack_first", "heft"])
def test_a_recorded_run_replays_to_the_same_decisions(policy: str) -> None:
    inbox = KeptInbox()
    with Engine(split_device(noise_sigma=0.2), policy=policy, recorder=inbox) as engine:
        _drive(engine, 30, seed=1)
        assert engine.drain(WAIT_S)
        _balanced(engine)
        assert engine.stats().in_flight == 0
    assert any(isinstance(event, Tick) for event in inbox.events())
    assert sum(isinstance(event, RequestArrived) for event in inbox.events()) == 60
    inbox.check()


def test_policies_can_be_swapped_under_load_and_no_request_is_lost() -> None:
    inbox = KeptInbox()
    with Engine(split_device(), recorder=inbox) as engine:
        driver = threading.Thread(target=_drive, args=(engine, 30, 5))
        driver.start()
        for policy in ("round_robin", "heft", "least_slack_first", "shortest_expected_latency"):
            threading.Event().wait(0.03)
            engine.swap_policy(policy)
            assert engine.stats().core.policy == policy
        driver.join(WAIT_S)
        assert engine.drain(WAIT_S)
        _balanced(engine)
    assert sum(isinstance(event, PolicySwapped) for event in inbox.events()) == 5
    inbox.check()


def test_a_swap_to_an_unknown_policy_or_wrong_parameter_changes_nothing() -> None:
    with Engine(split_device()) as engine:
        with pytest.raises(BandError, match="'hefd'; did you mean 'heft'"):
            engine.swap_policy("hefd")
        with pytest.raises(BandError, match=r"policy heft: .*windw"):
            engine.swap_policy("heft", {"windw": 3})
        assert engine.stats().core.policy == "shortest_expected_latency"
        engine.swap_policy("heft", {"window": 3})
        assert engine.stats().core.policy == "heft"


def _scripted() -> Device:
    return make_device(*(make_processor(f"cpu{i}", backend="scripted") for i in range(2)))


def test_a_run_with_failures_and_removed_models_replays_too(scripted: ModuleType) -> None:
    inbox = KeptInbox()
    with Engine(_scripted(), recorder=inbox) as engine:
        engine.register(models.chain())
        inputs = Reference(models.chain()).inputs()
        for step in (scripted.fail, scripted.lose, scripted.crash):
            scripted.SCRIPTS["cpu0"].runs.append(step)
            while scripted.SCRIPTS["cpu0"].runs:  # the processor may be down for a while
                for processor in ("cpu0", None):
                    engine.submit("chain", inputs, processor=processor)
                threading.Event().wait(0.005)
        engine.unregister("chain")
        assert engine.drain(WAIT_S)
        _balanced(engine)
    assert {WorkerDown, ModelRemoved} <= {type(event) for event in inbox.events()}
    inbox.check()


def test_closing_under_load_is_recorded_as_cancelling() -> None:
    inbox = KeptInbox()
    with Engine(split_device(), recorder=inbox) as engine:
        _drive(engine, 10, seed=3)
        inputs = Reference(models.chain()).inputs()
        futures = [engine.submit("chain", inputs) for _ in range(20)]
    assert all(future.done() for future in futures)
    _balanced(engine)
    assert engine.stats().in_flight == 0
    inbox.check()
