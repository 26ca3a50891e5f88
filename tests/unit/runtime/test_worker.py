"""Workers on a real interpreter that goes wrong on command."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from queue import SimpleQueue
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from band.clock import MonotonicClock
from band.errors import BandError
from band.model.tflite_writer import write_slice, write_whole
from band.plan.task import SliceKey
from band.runtime.backends.protocol import Array, BackendContext, Pace, WorkerLostError
from band.runtime.measuring import random_inputs
from band.runtime.reports import Done, Down, Failed, Order, Report, Up
from band.runtime.worker import UNHURRIED, Worker
from band.testing import models
from band.testing.devices import make_device, make_processor

MODEL = models.chain()
KEY = SliceKey("chain", 1)
PART = write_whole(MODEL)
INPUTS = random_inputs(MODEL.graph, PART)
WAIT_S = 30.0


def _new(tensor: int, shape: tuple[int, ...], dtype: "np.dtype[Any]") -> Array:
    return np.empty(shape, dtype)


class Bench:
    """A started worker with the chain model loaded, and what it reported."""

    def __init__(self, module: ModuleType) -> None:
        device = make_device(make_processor("cpu0", backend="scripted"))
        self.script = module.SCRIPTS["cpu0"]
        self.reports: SimpleQueue[Report] = SimpleQueue()
        context = BackendContext(device=device, clock=MonotonicClock())
        self.worker = Worker(device.processors[0], context, self.reports.put)
        self.worker.start()
        self.load_bytes = self.worker.load(KEY, PART).result(WAIT_S)

    def order(self, task: int, key: SliceKey = KEY) -> None:
        self.worker.run(Order(task, key, INPUTS, Pace(0, 0, 0), _new))

    def next(self) -> Report:
        return self.reports.get(timeout=WAIT_S)


@pytest.fixture
def bench(scripted: ModuleType) -> Iterator[Bench]:
    bench = Bench(scripted)
    yield bench
    bench.worker.close()


def test_a_task_ends_with_its_outputs(bench: Bench) -> None:
    bench.order(3)
    report = bench.next()
    assert isinstance(report, Done)
    assert report.task == 3
    assert set(report.result.outputs) == set(PART.outputs)
    assert bench.worker.loads_during_requests == 0


def test_a_processor_that_always_has_a_task_still_does_its_chores(bench: Bench) -> None:
    ended = threading.Event()
    tasks = 0

    def again() -> None:
        nonlocal tasks
        tasks += 1
        if not ended.is_set() and tasks < 20_000:
            bench.script.runs.append(again)
            bench.order(tasks)

    bench.script.runs.append(again)
    bench.order(0)
    patient = bench.worker.call(lambda backend: ended.set(), UNHURRIED)
    hurried = bench.worker.call(lambda backend: tasks)
    assert hurried.result(WAIT_S) > 0
    assert tasks < 20_000
    patient.result(WAIT_S)


def test_tasks_go_before_chores(bench: Bench) -> None:
    hold = threading.Event()
    order: list[str] = []
    bench.script.runs.append(lambda: hold.wait(WAIT_S))
    bench.script.runs.append(lambda: order.append("task"))
    bench.order(1)
    chore = bench.worker.call(lambda backend: order.append("chore"))
    bench.order(2)
    hold.set()
    chore.result(WAIT_S)
    assert [type(bench.next()), type(bench.next())] == [Done, Done]
    assert order == ["task", "chore"]


def test_a_failed_run_reports_its_reason_and_the_slice_is_loaded_anew(
    bench: Bench, scripted: ModuleType
) -> None:
    bench.script.runs.append(scripted.fail)
    bench.order(1)
    assert bench.next() == Failed(1, "the slice failed to run: scripted")
    bench.order(2)
    assert isinstance(bench.next(), Done)
    bench.worker.call(lambda backend: None).result(WAIT_S)
    assert len(bench.script.loads) == 2
    assert bench.worker.loads_during_requests == 0


def test_a_slice_that_is_not_loaded_fails_the_task_alone(bench: Bench) -> None:
    bench.order(1, SliceKey("chain", 2))
    report = bench.next()
    assert isinstance(report, Failed)
    assert "not loaded on 'cpu0'" in report.reason
    bench.order(2)
    assert isinstance(bench.next(), Done)


def test_a_lost_processor_comes_back_with_its_slices(bench: Bench, scripted: ModuleType) -> None:
    bench.script.runs.append(scripted.lose)
    bench.order(1)
    assert bench.next() == Down(0, "scripted loss")
    assert bench.next() == Up(0)
    bench.order(2)
    assert isinstance(bench.next(), Done)
    assert len(bench.script.loads) == 2


def test_a_processor_is_probed_until_it_works(bench: Bench, scripted: ModuleType) -> None:
    bench.script.opens.extend([scripted.fail, scripted.crash])
    bench.script.runs.append(scripted.lose)
    bench.order(1)
    assert bench.next() == Down(0, "scripted loss")
    assert bench.next() == Up(0)
    assert not bench.script.opens


def test_a_defect_of_a_backend_fails_the_task_and_renews_the_worker(
    bench: Bench, scripted: ModuleType
) -> None:
    bench.script.runs.append(scripted.crash)
    bench.order(1)
    assert bench.next() == Failed(1, "processor 'cpu0': ZeroDivisionError: scripted defect")
    assert bench.next() == Down(0, "ZeroDivisionError: scripted defect")
    assert bench.next() == Up(0)


def test_a_slice_that_cannot_be_loaded_anew_takes_the_processor_down(
    bench: Bench, scripted: ModuleType
) -> None:
    left = [True]
    bench.script.refuses_load = lambda inputs, outputs: left[0]
    bench.script.runs.append(scripted.fail)
    bench.order(1)
    assert isinstance(bench.next(), Failed)
    assert isinstance(bench.next(), Down)
    left[0] = False
    assert bench.next() == Up(0)


def test_orders_that_were_not_begun_can_be_forgotten(bench: Bench) -> None:
    hold, begun = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        hold.wait(WAIT_S)

    bench.script.runs.append(wait)
    bench.order(1)
    begun.wait(WAIT_S)
    bench.order(2)
    bench.worker.forget_orders()
    hold.set()
    assert isinstance(bench.next(), Done)
    bench.worker.call(lambda backend: None).result(WAIT_S)
    assert bench.reports.empty()


def test_a_load_inside_a_run_is_counted(bench: Bench) -> None:
    backend = bench.worker.call(lambda b: b).result(WAIT_S)
    bench.script.runs.append(lambda: backend.load(PART.content, PART.inputs, PART.outputs))
    bench.order(1)
    assert isinstance(bench.next(), Done)
    assert bench.worker.loads_during_requests == 1


def test_a_refused_load_is_an_error_for_who_asked(bench: Bench) -> None:
    bench.script.refuses_load = lambda inputs, outputs: True
    part = write_slice(MODEL, [0])
    with pytest.raises(BandError, match="refused: scripted"):
        bench.worker.load(SliceKey("chain", 4), part).result(WAIT_S)
    bench.order(1)
    assert isinstance(bench.next(), Done)


def test_a_defect_in_a_chore_is_one_sentence_for_who_asked(bench: Bench) -> None:
    with pytest.raises(BandError, match="processor 'cpu0': ZeroDivisionError"):
        bench.worker.call(lambda backend: 1 // 0).result(WAIT_S)
    bench.order(1)
    assert isinstance(bench.next(), Done)


def test_a_processor_lost_in_a_chore_is_reported_and_comes_back(
    bench: Bench, scripted: ModuleType
) -> None:
    with pytest.raises(WorkerLostError):
        bench.worker.call(lambda backend: scripted.lose()).result(WAIT_S)
    assert bench.next() == Down(0, "scripted loss")
    assert bench.next() == Up(0)


def test_an_unloaded_slice_is_gone_and_unloading_twice_is_fine(bench: Bench) -> None:
    for _ in range(2):
        bench.worker.unload(KEY).result(WAIT_S)
    bench.order(1)
    assert isinstance(bench.next(), Failed)


def _no_such_worker(module: ModuleType) -> None:
    device = make_device(make_processor("cpu0", backend="scripted"))
    module.SCRIPTS["cpu0"].opens.append(module.fail)
    context = BackendContext(device=device, clock=MonotonicClock())
    worker = Worker(device.processors[0], context, lambda report: None)
    try:
        worker.start()
    finally:
        worker.close()


def test_a_backend_that_cannot_be_made_is_an_error_at_the_start(scripted: ModuleType) -> None:
    with pytest.raises(BandError, match="scripted"):
        _no_such_worker(scripted)


@pytest.mark.parametrize("state", ["idle", "down"])
def test_closing_ends_the_thread_and_whoever_waits(
    bench: Bench, scripted: ModuleType, state: str
) -> None:
    wanted: Callable[[], object] = bench.next
    if state == "down":
        bench.script.opens.extend([scripted.fail] * 1_000)
        bench.script.runs.append(scripted.lose)
        bench.order(1)
        assert isinstance(wanted(), Down)
    chore = None if state == "idle" else bench.worker.call(lambda backend: 1)
    bench.worker.close()
    bench.worker.close()
    if chore is not None:
        with pytest.raises(WorkerLostError):
            chore.result(WAIT_S)
    assert "band-worker-cpu0" not in [thread.name for thread in threading.enumerate()]


def test_whoever_asks_a_closed_worker_gets_an_error_at_once(bench: Bench) -> None:
    bench.worker.close()
    with pytest.raises(WorkerLostError, match="cpu0"):
        bench.worker.load(KEY, PART).result(WAIT_S)
    with pytest.raises(WorkerLostError, match="cpu0"):
        bench.worker.call(lambda backend: 1).result(WAIT_S)
    bench.worker.unload(KEY).result(WAIT_S)


def test_chores_that_come_while_a_worker_closes_all_end(bench: Bench) -> None:
    asked: list[Future[int]] = []
    going = threading.Event()

    def ask() -> None:
        for number in range(20_000):
            asked.append(bench.worker.call(lambda backend: 1))
            if number == 500:
                going.set()

    asking = threading.Thread(target=ask)
    asking.start()
    assert going.wait(WAIT_S)
    bench.worker.close()
    asking.join(WAIT_S)
    ends = [future.exception(WAIT_S) for future in asked]
    assert len(ends) == 20_000
    assert isinstance(ends[-1], WorkerLostError)
    assert all(end is None or isinstance(end, WorkerLostError) for end in ends)
