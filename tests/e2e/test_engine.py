"""The engine on real interpreters: results, records, deadlines, cancelling, draining."""

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from band.device.profile import Device
from band.errors import BandError, ErrorCode
from band.metrics.records import RequestRecord, TaskRecord
from band.model.model import Model
from band.runtime.engine import Engine, EngineOptions
from band.scheduler.options import CoreOptions
from band.testing import models
from band.testing.devices import make_device, make_processor, split_device
from band.testing.policy_files import write_policy
from band.testing.reference import Reference, assert_equal

WAIT_S = 60.0
SPLIT_MODELS = [models.chain(), models.residual(), models.two_outputs(), models.half_weights()]


def _name(model: Model) -> str:
    return model.graph.name


def _cpus(count: int = 1, backend: str = "cpu", **options: int) -> Device:
    processors = [make_processor(f"cpu{i}", backend=backend) for i in range(count)]
    return make_device(*processors, **options)


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine(_cpus()) as engine:
        engine.register(models.chain())
        yield engine


class Gate:
    """Holds a scripted processor inside a run until it is opened."""

    def __init__(self, module: ModuleType, processor: str = "cpu0") -> None:
        self._script = module.SCRIPTS[processor]
        self._open, self.reached = threading.Event(), threading.Event()

    def hold(self) -> None:
        def wait() -> None:
            self.reached.set()
            assert self._open.wait(WAIT_S)

        self._script.runs.append(wait)

    def open(self) -> None:
        self._open.set()


@pytest.mark.parametrize("model", SPLIT_MODELS, ids=_name)
def test_a_split_over_two_processors_gives_exactly_the_whole_models_outputs(model: Model) -> None:
    reference = Reference(model)
    with Engine(split_device(noise_sigma=0.05)) as engine:
        name = engine.register(model).name
        for seed in range(5):
            inputs = reference.inputs(seed)
            result = engine.infer(name, inputs)
            assert_equal(result.outputs, reference.outputs(inputs))
            assert result.record.split
            assert result.word == "emulated"
            assert {task.processor for task in result.tasks} == {"cpu", "gpu"}
            assert [task.word for task in result.tasks] == ["emulated"] * len(result.tasks)
        stats = engine.stats()
    assert stats.loads_during_requests == 0
    assert stats.completed == 5
    assert stats.buffer_bytes == 0


def test_emulated_times_are_device_time_of_the_profile() -> None:
    with Engine(split_device(time_scale=20.0)) as engine:
        engine.register(models.chain())
        reference = Reference(models.chain())
        result = engine.infer("chain", reference.inputs())
        planned_us = sum(task.predicted_us for task in result.tasks)
        assert sum(t.run_us + t.transfer_us for t in result.tasks) == planned_us
        assert result.record.latency_us >= planned_us
        assert all(task.overrun_us == 0 for task in result.tasks)


def test_many_threads_and_models_at_once_all_get_their_own_results() -> None:
    served = [models.chain(), models.residual(), models.late_input(), models.quantized()]
    references = {_name(m): Reference(m) for m in served}
    expected = {
        (name, seed): r.outputs(r.inputs(seed)) for name, r in references.items() for seed in (0, 1)
    }
    with Engine(_cpus(2)) as engine:
        for model in served:
            engine.register(model)

        def ask(number: int) -> None:
            name, seed = _name(served[number % len(served)]), number // len(served) % 2
            result = engine.infer(name, references[name].inputs(seed))
            assert_equal(result.outputs, expected[name, seed])

        with ThreadPoolExecutor(6) as pool:
            for done in [pool.submit(ask, number) for number in range(120)]:
                done.result(WAIT_S)
        stats = engine.stats()
    assert (stats.accepted, stats.completed, stats.in_flight) == (120, 120, 0)
    assert sum(p.tasks for p in stats.processors) == 120
    assert stats.loads_during_requests == 0


def test_inputs_are_copied_when_the_request_is_made(scripted: ModuleType) -> None:
    gate = Gate(scripted)
    reference = Reference(models.chain())
    with Engine(_cpus(backend="scripted")) as engine:
        engine.register(models.chain())
        gate.hold()
        inputs = reference.inputs()
        first, second = engine.submit("chain", inputs), engine.submit("chain", inputs)
        expected = reference.outputs(inputs)
        for array in inputs.values():
            array[...] = 0
        gate.open()
        assert_equal(first.result(WAIT_S).outputs, expected)
        assert_equal(second.result(WAIT_S).outputs, expected)


def test_results_belong_to_the_caller(engine: Engine) -> None:
    reference = Reference(models.chain())
    first = engine.infer("chain", reference.inputs(1))
    kept = {name: array.copy() for name, array in first.outputs.items()}
    engine.infer("chain", reference.inputs(2))
    assert_equal(first.outputs, kept)


def test_a_request_for_an_unknown_model_is_refused_before_it_counts(engine: Engine) -> None:
    with pytest.raises(BandError, match="Request for unknown model: 'chian'") as caught:
        engine.submit("chian", {})
    assert caught.value.code is ErrorCode.UNKNOWN_MODEL
    assert engine.stats().accepted == 0


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"slo_us": 0}, "slo_us 0; it must be positive"),
        ({"timeout_us": -5}, "timeout_us -5; it must be positive"),
        ({"priority": -1}, "priority -1; 1 is the highest"),
        ({"slo_us": 5, "deadline_us": 7}, "both slo_us and deadline_us"),
        ({"processor": "cpu"}, "unknown processor 'cpu'; did you mean 'cpu0'?"),
    ],
)
def test_a_wrong_parameter_is_named(
    engine: Engine, parameters: dict[str, object], message: str
) -> None:
    inputs = Reference(models.chain()).inputs()
    with pytest.raises(BandError) as caught:
        engine.submit("chain", inputs, **parameters)  # type: ignore[arg-type]
    assert caught.value.code is ErrorCode.INVALID_REQUEST
    assert message in caught.value.message
    with pytest.raises(TypeError, match="no parameter 'slo_ms'"):
        engine.submit("chain", inputs, slo_ms=5)  # type: ignore[call-arg]
    assert engine.stats().accepted == 0


def test_a_late_result_is_a_result_and_visibly_late(engine: Engine) -> None:
    inputs = Reference(models.chain()).inputs()
    result = engine.infer("chain", inputs, slo_us=1)
    assert result.record.outcome == "completed"
    assert not result.record.on_time
    assert engine.infer("chain", inputs, slo_us=60_000_000).record.on_time


def test_a_request_that_cannot_start_in_time_is_dropped(scripted: ModuleType) -> None:
    gate = Gate(scripted)
    inputs = Reference(models.chain()).inputs()
    with Engine(_cpus(backend="scripted")) as engine:
        engine.register(models.chain())
        gate.hold()
        running = engine.submit("chain", inputs)
        assert gate.reached.wait(WAIT_S)
        waiting = engine.submit("chain", inputs, timeout_us=20_000)
        with pytest.raises(BandError) as caught:
            waiting.result(WAIT_S)
        gate.open()
        running.result(WAIT_S)
        assert engine.stats().dropped == {"deadline_passed": 1}
    assert caught.value.code is ErrorCode.DEADLINE_EXCEEDED
    assert caught.value.fields["reason"] == "deadline_passed"
    assert waiting.record is not None
    assert waiting.record.queue_us is None
    assert waiting.record.finished_us >= waiting.record.arrived_us + 20_000


def test_a_full_queue_drops_the_newest_with_that_reason(scripted: ModuleType) -> None:
    gate = Gate(scripted)
    inputs = Reference(models.chain()).inputs()
    options = EngineOptions(core=CoreOptions(queue_limit=2))
    with Engine(_cpus(backend="scripted"), options=options) as engine:
        engine.register(models.chain())
        gate.hold()
        running = engine.submit("chain", inputs)
        assert gate.reached.wait(WAIT_S)
        futures = [engine.submit("chain", inputs) for _ in range(3)]
        with pytest.raises(BandError) as caught:
            futures[2].result(WAIT_S)
        assert caught.value.code is ErrorCode.QUEUE_FULL
        gate.open()
        for future in (running, *futures[:2]):
            future.result(WAIT_S)


def test_waiting_and_running_requests_can_be_cancelled(scripted: ModuleType) -> None:
    gate = Gate(scripted)
    inputs = Reference(models.chain()).inputs()
    with Engine(_cpus(backend="scripted")) as engine:
        engine.register(models.chain())
        gate.hold()
        running, waiting = engine.submit("chain", inputs), engine.submit("chain", inputs)
        assert gate.reached.wait(WAIT_S)
        for future in (running, waiting):
            assert future.cancel()
            with pytest.raises(BandError) as caught:
                future.result(WAIT_S)
            assert caught.value.code is ErrorCode.CANCELLED
            assert future.cancelled()
            assert not future.cancel()
        gate.open()
        later = engine.infer("chain", inputs)
        stats = engine.stats()
    assert later.record.outcome == "completed"
    assert (stats.cancelled, stats.completed, stats.processors[0].tasks) == (2, 1, 2)


def test_draining_finishes_what_is_accepted_and_refuses_the_rest(scripted: ModuleType) -> None:
    gate = Gate(scripted)
    inputs = Reference(models.chain()).inputs()
    with Engine(_cpus(backend="scripted")) as engine:
        engine.register(models.chain())
        gate.hold()
        futures = [engine.submit("chain", inputs) for _ in range(3)]
        assert not engine.drain(timeout_s=0.01)
        for refused in (
            lambda: engine.submit("chain", inputs),
            lambda: engine.register(models.residual()),
        ):
            with pytest.raises(BandError) as caught:
                refused()
            assert caught.value.code is ErrorCode.DRAINING
        gate.open()
        assert engine.drain(timeout_s=WAIT_S)
        assert all(future.done() for future in futures)


def test_closing_ends_every_request_and_every_thread(scripted: ModuleType) -> None:
    before = sys.getswitchinterval()
    gate = Gate(scripted)
    inputs = Reference(models.chain()).inputs()
    engine = Engine(_cpus(2, backend="scripted"))
    assert sys.getswitchinterval() == pytest.approx(2e-4)
    engine.register(models.chain())
    gate.hold()
    futures = [engine.submit("chain", inputs, processor="cpu0") for _ in range(5)]
    assert gate.reached.wait(WAIT_S)
    threading.Timer(0.05, gate.open).start()
    engine.close()
    engine.close()
    for future in futures:
        with pytest.raises(BandError, match="was cancelled"):
            future.result(0)
    assert not [t.name for t in threading.enumerate() if t.name.startswith("band-")]
    assert sys.getswitchinterval() == pytest.approx(before)
    assert engine.stats().cancelled == 5
    with pytest.raises(BandError) as caught:
        engine.submit("chain", inputs)
    assert caught.value.code is ErrorCode.DRAINING


def test_observers_get_every_record_before_the_result_and_may_fail(engine: Engine) -> None:
    seen: list[RequestRecord | TaskRecord] = []

    def broken(record: object) -> None:
        raise ValueError(record)

    def leaving(record: object) -> None:
        raise SystemExit(record)

    engine.add_observer(broken)
    engine.add_observer(leaving)
    engine.add_observer(seen.append)
    results = [engine.infer("chain", Reference(models.chain()).inputs()) for _ in range(3)]
    tasks = [r for r in seen if isinstance(r, TaskRecord)]
    requests = [r for r in seen if isinstance(r, RequestRecord)]
    assert requests == [result.record for result in results]
    assert tasks == [task for result in results for task in result.tasks]
    assert [r.tasks for r in requests] == [(t.task,) for t in tasks]


def test_a_result_may_lead_to_the_next_request_from_its_callback(engine: Engine) -> None:
    inputs = Reference(models.chain()).inputs()
    chained = threading.Event()
    parents: list[tuple[int, ...]] = []

    def follow(record: RequestRecord | TaskRecord) -> None:
        if isinstance(record, RequestRecord):
            parents.append(record.parents)
            if record.parents:
                chained.set()
            else:
                engine.submit("chain", inputs, parents=(record.request,))

    engine.add_observer(follow)
    first = engine.submit("chain", inputs)
    assert chained.wait(WAIT_S)
    assert parents == [(), (first.request,)]


def test_a_request_pinned_to_a_processor_runs_there() -> None:
    inputs = Reference(models.chain()).inputs()
    with Engine(_cpus(2)) as engine:
        engine.register(models.chain())
        for processor in ("cpu1", "cpu0", "cpu1"):
            record = engine.infer("chain", inputs, processor=processor).record
            assert record.processors == (processor,)


def test_the_same_clock_is_used_everywhere(engine: Engine) -> None:
    before_us = engine.clock.now_us()
    inputs = Reference(models.chain()).inputs()
    result = engine.infer("chain", inputs, deadline_us=before_us + 60_000_000)
    record, task = result.record, result.tasks[0]
    times = [before_us, record.arrived_us, task.dispatched_us, task.finished_us, record.finished_us]
    assert times == sorted(times)
    assert record.queue_us == task.dispatched_us - record.arrived_us
    assert record.deadline_us == before_us + 60_000_000
    assert record.on_time


def test_a_device_that_mixes_real_processors_with_scaled_time_is_refused() -> None:
    with pytest.raises(BandError, match="'cpu0' is not emulated and runs in real time"):
        Engine(_cpus(time_scale=2))


def test_an_unknown_policy_is_refused_before_anything_starts() -> None:
    with pytest.raises(BandError) as caught:
        Engine(_cpus(), policy="shortest_expected_latenzy")
    assert caught.value.code is ErrorCode.UNKNOWN_POLICY
    assert not [t.name for t in threading.enumerate() if t.name.startswith("band-")]


def test_a_policy_that_cannot_be_made_is_refused_and_leaves_no_thread(tmp_path: Path) -> None:
    policy = write_policy(tmp_path, "broken", init="raise RuntimeError('no such model')")
    with pytest.raises(BandError, match="cannot be used: RuntimeError: no such model") as caught:
        Engine(_cpus(), policy=str(policy))
    assert caught.value.code is ErrorCode.POLICY_FAILED
    assert not [t.name for t in threading.enumerate() if t.name.startswith("band-")]


def test_float_inputs_of_another_type_are_refused(engine: Engine) -> None:
    inputs = Reference(models.chain()).inputs()
    wrong = {name: array.astype(np.float64) for name, array in inputs.items()}
    with pytest.raises(BandError, match=r"expected float32 .* got float64"):
        engine.infer("chain", wrong)
