"""Everything at once: failures, losses, cancels, policy swaps, models that come and go."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import pytest

from band.errors import BandError
from band.runtime.engine import Engine
from band.runtime.futures import InferFuture, InferResult
from band.testing import models
from band.testing.devices import FALLBACK, make_device, make_processor
from band.testing.inboxes import KeptInbox
from band.testing.reference import Reference, assert_equal

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

WAIT_S = 60.0
MODELS = (models.chain(), models.residual(), models.two_outputs())
POLICIES = ("heft", "round_robin", "least_slack_first", "shortest_expected_latency")
REFUSED = {"cpu0": (), "gpu": FALLBACK, "cpu1": ("CONV_2D",)}
REQUESTS, THREADS, TROUBLES = 1_500, 3, 120


class Client:
    """One app: sends requests of all sorts and checks every result that it gets."""

    def __init__(self, engine: Engine, seed: int) -> None:
        self._engine = engine
        self._random = random.Random(seed)
        self._references = {m.graph.name: Reference(m) for m in MODELS}
        self._inputs = {name: r.inputs(seed) for name, r in self._references.items()}
        self._expected = {n: r.outputs(self._inputs[n]) for n, r in self._references.items()}

    def run(self) -> int:
        """Return how many requests were accepted."""
        accepted = 0
        waiting: list[InferFuture] = []
        for _ in range(REQUESTS):
            name = self._random.choice(sorted(self._inputs))
            try:
                future = self._engine.submit(
                    name,
                    self._inputs[name],
                    priority=self._random.randint(0, 3),
                    timeout_us=self._random.choice((None, 1_000, 10**7)),
                    slo_us=self._random.choice((None, 2_000)),
                )
            except BandError:  # the model is away
                continue
            accepted += 1
            waiting.append(future)
            if self._random.random() < 0.1:
                future.cancel()
            if len(waiting) >= 20:
                self._check(waiting)
        self._check(waiting)
        return accepted

    def _check(self, futures: list[InferFuture]) -> None:
        for future in futures:
            error = future.exception(WAIT_S)
            assert future.record is not None
            if error is None:
                result: InferResult = future.result()
                assert_equal(result.outputs, self._expected[result.record.model])
            else:
                assert isinstance(error, BandError)
        futures.clear()


def _trouble(engine: Engine, scripted: ModuleType) -> None:
    rng = random.Random(99)
    for _ in range(TROUBLES):
        threading.Event().wait(0.02)
        script = scripted.SCRIPTS[rng.choice(sorted(REFUSED))]
        script.runs.append(rng.choice((scripted.fail, scripted.lose, scripted.crash)))
        if rng.random() < 0.2:
            engine.swap_policy(rng.choice(POLICIES))
        if rng.random() < 0.1:
            engine.unregister("residual")
            while not any(info.name == "residual" for info in engine.models()):
                try:
                    engine.register(models.residual())
                except BandError:  # a processor is down
                    threading.Event().wait(0.02)


def test_every_request_ends_once_with_the_right_result_whatever_happens(
    scripted: ModuleType,
) -> None:
    device = make_device(
        *(make_processor(n, backend="scripted", refused_ops=r) for n, r in REFUSED.items())
    )
    inbox = KeptInbox()
    with Engine(device, recorder=inbox) as engine:
        for model in MODELS:
            engine.register(model)
        with ThreadPoolExecutor(THREADS) as pool:
            running = [pool.submit(Client(engine, seed).run) for seed in range(THREADS)]
            _trouble(engine, scripted)
            accepted = sum(future.result(WAIT_S) for future in running)
        assert engine.drain(WAIT_S)
        stats = engine.stats()
        for info in engine.models():
            engine.unregister(info.name)
        left = engine.stats()
    ended = stats.completed + stats.failed + stats.cancelled + sum(stats.dropped.values())
    assert stats.accepted == accepted == ended
    assert min(stats.completed, stats.failed, stats.cancelled) > 0
    assert (stats.in_flight, stats.buffer_bytes, stats.loads_during_requests) == (0, 0, 0)
    assert left.memory_used_bytes == 0
    assert not stats.core.reports
    inbox.check(invariants=False)
