"""Boundary tensors of a job: kept until their last reader, given back exactly once."""

import numpy as np

from band.model.graph import Graph, Op, Tensor
from band.runtime.futures import InferFuture
from band.runtime.live import LiveJob, LiveModel, Outputs
from band.runtime.memory import BufferPool, MemoryAccount
from band.runtime.tensors import model_info
from band.scheduler.commands import Finish, JobOutcome
from band.scheduler.events import RequestArrived

FLOAT = np.dtype(np.float32)


def _graph() -> Graph:
    """Return 0 -> [op 0] -> 1 -> [op 1] -> 2 -> [op 2, reads 1 too] -> 3; 1 skips unit 1."""
    tensors = [Tensor(index=i, name=f"t{i}", shape=(4,), dtype="float32") for i in range(4)]
    ops = [
        Op(index=0, type="A", version=1, inputs=(0,), outputs=(1,)),
        Op(index=1, type="B", version=1, inputs=(1,), outputs=(2,)),
        Op(index=2, type="C", version=1, inputs=(2, 1), outputs=(3,)),
    ]
    return Graph.build(
        name="m", sha256="0" * 64, tensors=tensors, ops=ops, inputs=(0,), outputs=(3,)
    )


class Work:
    """One job of the model, and a pool."""

    def __init__(self) -> None:
        graph = _graph()
        self.pool = BufferPool(MemoryAccount(1_000))
        info = model_info(graph, "m", "")
        self.model = LiveModel(info, graph, [(0,), (1,), (2,)], {})
        event = RequestArrived(5, "m", "s", 3, (1, 2), 0, 900, None, None)
        future = InferFuture(5, lambda number: None)
        self.job = LiveJob(self.model, event, future, {0: np.zeros(4, np.float32)}, 100)

    def run(self, unit: int, *tensors: int) -> None:
        self.start(unit)
        outputs = Outputs(self.model.outputs, self.pool)
        made = {t: outputs.allocate(t, (4,), FLOAT) for t in tensors}
        self.job.finished(1 << unit, made, self.pool)

    def start(self, unit: int) -> None:
        self.job.dispatched(unit, f"cpu{unit}", 150)

    def end(self, outcome: JobOutcome = JobOutcome.COMPLETED) -> None:
        self.record = self.job.end(Finish(5, outcome, ""), 800, 8, self.pool)


def test_a_tensor_is_given_back_after_its_last_reader() -> None:
    work = Work()
    work.run(0, 1)
    assert work.pool.in_use_bytes == 16
    work.run(1, 2)
    assert work.pool.in_use_bytes == 32  # tensor 1 is read again by unit 2
    work.run(2, 3)
    assert work.pool.in_use_bytes == 0
    work.end()
    assert list(work.job.outputs()) == ["t3"]
    assert work.pool.allocations == 2


def test_an_output_of_the_model_is_never_pooled() -> None:
    work = Work()
    work.run(0, 3)
    assert work.pool.allocations == 0


def test_a_job_that_ends_early_gives_everything_back() -> None:
    work = Work()
    work.run(0, 1)
    work.end(JobOutcome.CANCELLED)
    assert work.pool.in_use_bytes == 0


def test_buffers_that_a_running_task_reads_stay_until_it_ends() -> None:
    work = Work()
    work.run(0, 1)
    work.start(1)
    work.end(JobOutcome.CANCELLED)
    assert work.pool.in_use_bytes == 16
    work.job.lost(work.pool)
    assert work.pool.in_use_bytes == 0


def test_outputs_of_a_task_that_nobody_wants_any_more_are_given_back() -> None:
    work = Work()
    work.start(0)
    work.end(JobOutcome.CANCELLED)
    outputs = Outputs(work.model.outputs, work.pool)
    made = {1: outputs.allocate(1, (4,), FLOAT)}
    work.job.finished(1, made, work.pool)
    assert work.pool.in_use_bytes == 0


def test_outputs_of_a_task_without_result_are_given_back() -> None:
    work = Work()
    outputs = Outputs(work.model.outputs, work.pool)
    outputs.allocate(1, (4,), FLOAT)
    outputs.allocate(3, (4,), FLOAT)
    outputs.give_back()
    assert work.pool.in_use_bytes == 0


def test_the_record_says_what_was_asked_and_what_ran() -> None:
    work = Work()
    work.run(0, 1)
    work.run(1, 2)
    work.end(JobOutcome.FAILED)
    record = work.record
    assert (record.request, record.stream, record.frame, record.parents) == (5, "s", 3, (1, 2))
    assert (record.priority, record.deadline_us) == (8, 900)
    assert (record.arrived_us, record.queue_us, record.finished_us) == (100, 50, 800)
    assert (record.outcome, record.tasks, record.processors) == ("failed", (0, 1), ("cpu0", "cpu1"))
