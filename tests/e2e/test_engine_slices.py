"""Slices come and go under real interpreters while requests are served, exactly, within memory."""

import random
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from band.device.profile import Device
from band.errors import BandError, ErrorCode
from band.model.model import Model
from band.model.source import open_model
from band.runtime.engine import Engine, EngineOptions
from band.runtime.registration import AnalysisOptions
from band.scheduler.commands import Evict, Load
from band.scheduler.events import ModelAdded, SliceBudget
from band.scheduler.options import CoreOptions
from band.testing import models
from band.testing.devices import make_device, make_processor
from band.testing.inboxes import KeptInbox
from band.testing.reference import Reference, assert_equal

WAIT_S = 30.0
GONE = (ErrorCode.NO_PROCESSOR, ErrorCode.UNKNOWN_MODEL)
GPU_GAPS = ("FULLY_CONNECTED", "SOFTMAX", "ADD", "CONCATENATION")
NPU_GAPS = ("RELU", "RELU6", "MEAN", "MAX_POOL_2D", "DEPTHWISE_CONV_2D")
MIB = 1 << 20
ONE_PLAN = AnalysisOptions(plans=1)
EAGER = CoreOptions(load_quiet_us=1_000, load_pause_us=2_000, load_share_percent=50)
OPTIONS = EngineOptions(analysis=ONE_PLAN, core=EAGER)


def _three(memory_budget_bytes: int = 256 * MIB, backend: str = "emulated") -> Device:
    """Return a slow CPU and two fast processors with different gaps."""
    return make_device(
        make_processor("cpu", backend=backend, per_op_us=900),
        make_processor("gpu", backend=backend, per_op_us=200, refused_ops=GPU_GAPS),
        make_processor("npu", backend=backend, per_op_us=100, refused_ops=NPU_GAPS),
        sync_us=20,
        memory_budget_bytes=memory_budget_bytes,
    )


def _until(condition: Callable[[], bool]) -> None:
    for _ in range(int(WAIT_S / 0.02)):
        if condition():
            return
        threading.Event().wait(0.02)
    raise AssertionError("it did not happen")


def _settled(engine: Engine) -> bool:
    """Return whether the core has nothing left to load."""
    return not engine._driver.ask(lambda core: core._residency.todo)


class Clients:
    """Apps that ask for whatever is registered and check every result."""

    def __init__(self, engine: Engine, served: list[Model], *, models_go: bool = False) -> None:
        self._models_go = models_go
        references = {m.graph.name: Reference(m) for m in served}
        self._inputs = {name: r.inputs(1) for name, r in references.items()}
        self._expected = {name: r.outputs(self._inputs[name]) for name, r in references.items()}
        self._engine = engine
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(2)]
        self.completed = 0
        self.most_bytes = self.most_rss_mib = 0
        self.failures: list[Exception] = []

    def __enter__(self) -> "Clients":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(WAIT_S)

    def served(self, more: int) -> None:
        """Wait until so many more requests have completed."""
        goal = self.completed + more
        _until(lambda: self.completed >= goal or bool(self.failures))

    def _run(self, seed: int) -> None:
        rng = random.Random(seed)
        while not self._stop.is_set():
            names = [info.name for info in self._engine.models()]
            if not names:
                continue
            name = rng.choice(names)
            try:
                result = self._engine.infer(name, self._inputs[name])
                assert_equal(result.outputs, self._expected[name])
            except Exception as error:  # noqa: BLE001 - told to the main thread
                gone = isinstance(error, BandError) and error.code in GONE
                if gone and self._models_go:
                    continue
                self.failures.append(error)
                return
            self.completed += 1
            used = self._engine.stats().memory_used_bytes
            self.most_bytes = max(self.most_bytes, used)
            self.most_rss_mib = max(self.most_rss_mib, _rss_mib())


def _rss_mib() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 // MIB


def test_more_slices_come_in_the_background_and_what_is_recorded_replays() -> None:
    inbox = KeptInbox()
    served = [models.chain(), models.residual(), models.two_outputs()]
    with Engine(_three(), options=OPTIONS, recorder=inbox) as engine:
        for model in served:
            engine.register(model)
        with Clients(engine, served) as clients:
            clients.served(50)
            _until(lambda: engine.stats().core.loads > 0)
        _until(lambda: _settled(engine))
        after = {m.graph.name: set(engine.registration(m.graph.name).loads) for m in served}
        stats = engine.stats()
    assert not clients.failures
    added = [event for event in inbox.events() if isinstance(event, ModelAdded)]
    before = {event.table.model: set(event.loaded or ()) for event in added}
    assert all(before[name] <= after[name] for name in before)
    assert sum(map(len, after.values())) - sum(map(len, before.values())) == stats.core.loads > 0
    assert (stats.core.evictions, stats.loads_during_requests) == (0, 0)
    assert sum(isinstance(c, Load) for _, _, cs in inbox.records for c in cs) == stats.core.loads
    inbox.check(options=EAGER)


def test_extra_slices_make_room_for_another_model_and_requests_go_on() -> None:
    served = [models.chain(), models.residual(), models.two_outputs()]
    with Engine(_three(), options=OPTIONS) as engine:
        sizes = []
        for model in served:
            engine.register(model)
            sizes.append(engine.stats().memory_used_bytes)
        _until(lambda: _settled(engine))
        everything = engine.stats().memory_used_bytes
    budget = (sizes[-1] + everything) // 2
    inbox = KeptInbox()
    with Engine(_three(budget), options=OPTIONS, recorder=inbox) as engine:
        with Clients(engine, served) as clients:
            for model in served:
                engine.register(model)
                clients.served(30)
        _until(lambda: _settled(engine))
        stats = engine.stats()
        for info in engine.models():
            engine.unregister(info.name)
        left = engine.stats()
    assert not clients.failures
    assert clients.most_bytes <= budget
    assert stats.completed == stats.accepted == clients.completed
    assert stats.loads_during_requests == 0
    assert stats.core.slices_limit_bytes is not None
    assert stats.core.slices_bytes <= stats.core.slices_limit_bytes
    assert (left.memory_used_bytes, left.slices.contents, left.slices.models) == (0, 0, 0)
    inbox.check(options=EAGER)


def test_a_model_is_refused_only_if_no_plan_of_it_fits_beside_those_of_the_others() -> None:
    with Engine(_three(), options=OPTIONS) as engine:
        engine.register(models.chain())
        one_plan = engine.stats().memory_used_bytes
        _until(lambda: _settled(engine))
        everything = engine.stats().memory_used_bytes
    assert everything > one_plan
    with Engine(_three(everything + one_plan // 2), options=OPTIONS) as engine:
        engine.register(models.chain())
        _until(lambda: _settled(engine))
        engine.register(models.chain(), name="again")
        assert engine.stats().core.evictions > 0
        with pytest.raises(BandError, match="of the memory budget are free; raise") as caught:
            _register_more(engine)
        assert caught.value.code is ErrorCode.OUT_OF_MEMORY
        inputs = Reference(models.chain()).inputs()
        for info in engine.models():
            engine.infer(info.name, inputs)


def _register_more(engine: Engine) -> None:
    for number in range(20):
        engine.register(models.chain(), name=f"more {number}")


def test_one_file_under_two_names_is_parsed_once_and_shares_its_slices() -> None:
    with Engine(_three(), options=OPTIONS) as engine:
        engine.register(models.chain())
        _until(lambda: _settled(engine))
        alone = engine.stats().slices
        engine.register(bytes(models.chain().content), name="again")
        _until(lambda: _settled(engine))
        both = engine.stats().slices
        assert (both.models, both.contents) == (1, alone.contents)
        assert both.content_bytes == alone.content_bytes
        assert both.used_bytes == 2 * alone.used_bytes
        assert both.hits > 0
        engine.unregister("chain")
        inputs = Reference(models.chain()).inputs()
        assert engine.infer("again", inputs).record.outcome == "completed"
        assert engine.stats().slices.used_bytes == alone.used_bytes
        engine.unregister("again")
        assert engine.stats().slices.contents == 0


@pytest.mark.parametrize("model", [models.variable_tensor(), models.resource_variable()])
def test_a_stateful_model_gets_nothing_more_and_keeps_its_state(model: Model) -> None:
    reference = Reference(model)
    with Engine(_three(), options=OPTIONS) as engine:
        engine.register(models.chain())
        engine.register(model)
        loads = engine.registration(model.graph.name).loads
        for seed in range(6):
            inputs = reference.inputs(seed)
            result = engine.infer(model.graph.name, inputs)
            assert_equal(result.outputs, reference.outputs(inputs))
            engine._driver.post(SliceBudget(0))
        assert engine.registration(model.graph.name).loads == loads


def test_a_slice_that_does_not_load_in_the_background_changes_nothing(
    scripted: ModuleType,
) -> None:
    options = replace(OPTIONS, profile_runs=0)
    with Engine(_three(backend="scripted"), options=options) as engine:
        engine.register(models.chain())
        for name in ("cpu", "gpu", "npu"):
            scripted.SCRIPTS[name].refuses_load = lambda inputs, outputs: True
        used = engine.stats().memory_used_bytes
        _until(lambda: _settled(engine))
        stats = engine.stats()
        assert stats.memory_used_bytes == used
        assert stats.core.loads > 0
        inputs = Reference(models.chain()).inputs()
        assert engine.infer("chain", inputs).record.outcome == "completed"


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_three_nets_in_a_small_budget_come_and_go_within_bounded_memory() -> None:
    served = [
        open_model(name) for name in ("squeezenet_1_1", "eagleeye_detector", "eagleeye_arc_mobile")
    ]
    budget = 50 * MIB
    inbox = KeptInbox()
    with (
        Engine(_three(budget), options=OPTIONS, recorder=inbox) as engine,
        Clients(engine, served, models_go=True) as clients,
    ):
        for round_number in range(3):
            for model in served:
                engine.register(model)
                clients.served(40)
            if round_number == 0:
                first_rss_mib = clients.most_rss_mib
            for model in served if round_number < 2 else ():
                engine.unregister(model.graph.name)
        stats = engine.stats()
    assert not clients.failures
    assert clients.most_bytes <= budget
    assert stats.loads_during_requests == 0
    assert clients.most_rss_mib < first_rss_mib + 64
    assert any(isinstance(c, Evict) for _, _, cs in inbox.records for c in cs)
    inbox.check(invariants=False, options=EAGER)
