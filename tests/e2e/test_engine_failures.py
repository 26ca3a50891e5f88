"""What goes wrong in a worker stays in its job, and the worker comes back."""

import threading
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from band.device.profile import Device
from band.errors import BandError, ErrorCode
from band.runtime.backends.protocol import Array
from band.runtime.engine import Engine, EngineOptions, InferResult
from band.scheduler.commands import Command
from band.scheduler.core import Core
from band.scheduler.events import Event, RequestArrived
from band.testing import models
from band.testing.devices import FALLBACK, make_device, make_processor, split_device
from band.testing.policy_files import write_policy
from band.testing.reference import Reference, assert_equal

WAIT_S = 60.0
CHAIN = models.chain()


def _cpus(count: int = 1) -> Device:
    return make_device(*(make_processor(f"cpu{i}", backend="scripted") for i in range(count)))


def _mixed(*, must_split: bool) -> Device:
    """Return two cpus and a gpu; if it must, the chain model starts there and ends on a cpu."""
    return make_device(
        *(
            make_processor(
                name,
                backend="scripted",
                per_op_us=10 if name == "gpu" else 5_000,
                refused_ops=FALLBACK if name == "gpu" else ("CONV_2D",) if must_split else (),
            )
            for name in ("cpu0", "gpu", "cpu1")
        )
    )


def test_a_failed_run_fails_its_job_alone_and_the_slice_works_again(scripted: ModuleType) -> None:
    reference = Reference(CHAIN)
    inputs = reference.inputs()
    with Engine(_cpus()) as engine:
        engine.register(CHAIN)
        scripted.SCRIPTS["cpu0"].runs.append(scripted.fail)
        first, second = engine.submit("chain", inputs), engine.submit("chain", inputs)
        with pytest.raises(BandError, match=r"request 1 for model 'chain' failed: .*scripted") as e:
            first.result(WAIT_S)
        assert e.value.code is ErrorCode.BACKEND_FAILED
        assert_equal(second.result(WAIT_S).outputs, reference.outputs(inputs))
        assert first.record is not None
        assert first.record.outcome == "failed"
        assert [task.ok for task in first.tasks] == [False]
        stats = engine.stats()
    assert (stats.failed, stats.completed, stats.in_flight) == (1, 1, 0)
    assert stats.processors[0].failed_tasks == 1
    assert stats.processors[0].up
    assert len(scripted.SCRIPTS["cpu0"].loads) == 2
    assert stats.loads_during_requests == 0


def test_a_job_whose_output_cannot_be_copied_out_fails(scripted: ModuleType) -> None:
    def no_copy(*_: object) -> None:
        raise BandError(ErrorCode.BACKEND_FAILED, "an output could not be copied")

    with Engine(_cpus()) as engine:
        engine.register(CHAIN)
        scripted.SCRIPTS["cpu0"].runs.append(no_copy)
        with pytest.raises(BandError, match="could not be copied"):
            engine.infer("chain", Reference(CHAIN).inputs())
        assert engine.stats().failed == 1


def test_a_lost_processors_task_runs_elsewhere_and_finished_slices_do_not_run_again(
    scripted: ModuleType,
) -> None:
    reference = Reference(CHAIN)
    inputs = reference.inputs()
    with Engine(_mixed(must_split=True)) as engine:
        engine.register(CHAIN)
        assert engine.infer("chain", inputs).record.split
        losses = [scripted.lose]

        def lose_once() -> None:
            while losses:
                losses.pop()()

        for name in ("cpu0", "cpu1"):
            scripted.SCRIPTS[name].runs.append(lose_once)
        result = engine.infer("chain", inputs)
        assert_equal(result.outputs, reference.outputs(inputs))
        stats = engine.stats()
    ok = [task.units for task in result.tasks if task.ok]
    assert sum(ok) == sum(set(ok))
    first, lost, last = result.tasks
    assert (first.processor, first.ok, lost.ok, last.ok) == ("gpu", True, False, True)
    assert {lost.processor, last.processor} == {"cpu0", "cpu1"}
    assert (stats.completed, stats.in_flight, stats.buffer_bytes) == (2, 0, 0)


def test_a_worker_that_went_down_is_probed_and_serves_again(scripted: ModuleType) -> None:
    script = scripted.SCRIPTS["cpu0"]
    inputs = Reference(CHAIN).inputs()
    with Engine(_cpus()) as engine:
        engine.register(CHAIN)
        script.opens.extend([scripted.fail] * 3)
        script.runs.append(scripted.lose)
        with pytest.raises(BandError, match="while cpu0 is down; try again later") as caught:
            engine.infer("chain", inputs)
        assert caught.value.code is ErrorCode.WORKER_DOWN
        assert not engine.stats().processors[0].up
        result = _retried(engine, inputs)
        assert result.record.outcome == "completed"
        stats = engine.stats()
    assert stats.processors[0].up
    assert not script.opens


def test_a_processor_that_stays_down_holds_up_neither_removal_nor_closing(
    scripted: ModuleType,
) -> None:
    inputs = Reference(CHAIN).inputs()
    with Engine(_cpus(2)) as engine:
        engine.register(CHAIN)
        scripted.SCRIPTS["cpu1"].opens.extend([scripted.fail] * 1_000)
        scripted.SCRIPTS["cpu1"].runs.append(scripted.lose)
        result = engine.infer("chain", inputs)
        while engine.stats().processors[1].up:
            result = engine.infer("chain", inputs)
        assert result.record.outcome == "completed"
        with pytest.raises(BandError, match="'cpu1' is down") as caught:
            engine.register(models.residual())
        assert caught.value.code is ErrorCode.WORKER_DOWN
        engine.unregister("chain")
        assert engine.stats().memory_used_bytes == 0


def _retried(engine: Engine, inputs: dict[str, Array]) -> InferResult:
    while True:
        try:
            return engine.infer("chain", inputs)
        except BandError as error:
            if error.code is not ErrorCode.WORKER_DOWN:
                raise
            threading.Event().wait(0.02)


def test_a_defect_of_a_backend_costs_one_job_and_a_restart(scripted: ModuleType) -> None:
    inputs = Reference(CHAIN).inputs()
    with Engine(_cpus(2)) as engine:
        engine.register(CHAIN)
        scripted.SCRIPTS["cpu1"].runs.append(scripted.crash)
        with pytest.raises(BandError, match="'cpu1': ZeroDivisionError: scripted defect"):
            engine.infer("chain", inputs, processor="cpu1")
        for _ in range(5):
            engine.infer("chain", inputs)
        stats = engine.stats()
    assert (stats.failed, stats.completed) == (1, 5)


def test_nothing_is_dispatched_to_a_processor_whose_task_overruns_its_estimate(
    scripted: ModuleType,
) -> None:
    gate, reached = threading.Event(), threading.Event()

    def hold() -> None:
        reached.set()
        gate.wait(WAIT_S)

    inputs = Reference(CHAIN).inputs()
    with Engine(_cpus(2)) as engine:
        engine.register(CHAIN)
        scripted.SCRIPTS["cpu0"].runs.append(hold)
        slow = engine.submit("chain", inputs, processor="cpu0")
        assert reached.wait(WAIT_S)
        waiting = engine.submit("chain", inputs, processor="cpu0")
        for _ in range(3):
            engine.infer("chain", inputs, processor="cpu1")
        core = engine.stats().core
        assert (core.running, core.waiting) == (1, 1)
        gate.set()
        slow.result(WAIT_S)
        waiting.result(WAIT_S)


def test_a_slice_that_does_not_load_is_planned_around_with_its_reason(
    scripted: ModuleType,
) -> None:
    model = models.residual()
    reference = Reference(model)
    scripted.SCRIPTS["gpu"].refuses_load = lambda inputs, outputs: True
    with Engine(_mixed(must_split=False)) as engine:
        engine.register(model)
        loads = engine.registration("residual").prepared.loads
        assert {processor for _, _, processor in loads} == {0, 2}
        inputs = reference.inputs()
        assert_equal(engine.infer("residual", inputs).outputs, reference.outputs(inputs))
        reasons = {u.reason for u in engine.registration("residual").prepared.partition.unsupported}
    assert "the slice is refused: scripted" in reasons
    assert any(reason.startswith("gpu takes no MEAN") for reason in reasons)


def test_a_slice_that_loads_but_does_not_run_is_planned_around_too(scripted: ModuleType) -> None:
    scripted.SCRIPTS["gpu"].runs.append(scripted.fail)
    with Engine(_mixed(must_split=False)) as engine:
        engine.register(CHAIN)
        loads = engine.registration("chain").prepared.loads
        engine.infer("chain", Reference(CHAIN).inputs())
    assert {processor for _, _, processor in loads} == {0, 2}


def test_a_model_that_loads_nowhere_is_refused_and_takes_no_memory(scripted: ModuleType) -> None:
    for name in ("cpu0", "cpu1"):
        scripted.SCRIPTS[name].refuses_load = lambda inputs, outputs: True
    with Engine(_cpus(2)) as engine:
        with pytest.raises(BandError, match=r"chain.*refused: scripted") as caught:
            engine.register(CHAIN)
        assert caught.value.code is ErrorCode.UNSUPPORTED_MODEL
        assert engine.stats().memory_used_bytes == 0
        assert engine.models() == ()


def test_a_custom_op_without_kernel_is_refused_at_registration_with_its_name() -> None:
    with Engine(split_device()) as engine:
        with pytest.raises(BandError) as caught:
            engine.register(models.custom_op())
        assert caught.value.code is ErrorCode.UNSUPPORTED_MODEL
        assert engine.stats().memory_used_bytes == 0


def test_a_policy_over_its_time_budget_is_replaced_and_jobs_go_on(tmp_path: Path) -> None:
    waits = "import threading; threading.Event().wait(0.05); return ()"
    path = write_policy(tmp_path, "slow", waits)
    inputs = Reference(CHAIN).inputs()
    options = EngineOptions(policy_budget_us=1_000)
    with Engine(split_device(), policy=str(path), options=options) as engine:
        engine.register(CHAIN)
        for _ in range(4):
            engine.infer("chain", inputs)
        core = engine.stats().core
    assert core.requested == str(path)
    assert core.policy == "shortest_expected_latency"
    assert core.replaced
    assert core.reason


def test_an_emulated_processor_slower_than_its_profile_reports_an_overrun() -> None:
    device = make_device(make_processor("gpu", dispatch_us=1, per_op_us=0))
    with Engine(device) as engine:
        engine.register(models.chain(convolutions=12))
        reference = Reference(models.chain(convolutions=12))
        (task,) = engine.infer("chain", reference.inputs()).tasks
    assert task.run_us == 1
    assert task.overrun_us > 0
    assert task.finished_us - task.dispatched_us >= task.run_us + task.overrun_us


def test_an_error_of_ours_ends_the_requests_it_would_have_lost(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    handle = Core.handle

    def broken(core: Core, event: Event, now_us: int) -> list[Command]:
        if isinstance(event, RequestArrived) and event.stream == "bad":
            raise AssertionError("a defect")
        return handle(core, event, now_us)

    monkeypatch.setattr(Core, "handle", broken)
    with Engine(split_device()) as engine:
        engine.register(CHAIN)
        inputs = Reference(CHAIN).inputs()
        with pytest.raises(BandError, match="internal error, see the log"):
            engine.infer("chain", inputs, stream="bad")
        assert engine.infer("chain", inputs).record.outcome == "completed"
        assert engine.drain(WAIT_S)
    assert "a defect" in caplog.text


def test_processors_that_are_not_available_keep_the_indices_of_the_others() -> None:
    gpu = replace(make_processor("gpu"), available=False)
    device = make_device(gpu, make_processor("cpu0"), gpu, make_processor("cpu1"))
    inputs = Reference(CHAIN).inputs()
    with Engine(device) as engine:
        engine.register(CHAIN)
        for name in ("cpu0", "cpu1"):
            record = engine.infer("chain", inputs, processor=name).record
            assert record.processors == (name,)
        assert [p.name for p in engine.stats().processors] == ["cpu0", "cpu1"]
        with pytest.raises(BandError) as caught:
            engine.infer("chain", inputs, processor="gpu")
        assert caught.value.code is ErrorCode.NO_PROCESSOR
    with pytest.raises(BandError, match="no processor of device 'made' is available"):
        Engine(make_device(gpu))
