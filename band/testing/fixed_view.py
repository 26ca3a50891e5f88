"""A view made by hand, to try a policy on one situation without a core."""

from collections.abc import Mapping, Sequence

from band.plan.best import BestPlan, FirstStep
from band.plan.kernel import Kernel
from band.plan.table import PlanTable
from band.scheduler.view import JobView, ProcessorView


def make_job(
    job: int,
    model: str = "m",
    *,
    priority: int = 8,
    deadline_us: int | None = None,
    finished: int = 0,
    running: int = 0,
    holder: int = -1,
    processor: int = -1,
) -> JobView:
    """Return a waiting job that arrived at time 0."""
    return JobView(
        job, model, "", None, priority, 0, deadline_us, finished, running, holder,
        processor,
    )  # fmt: skip


class FixedView:
    """A view of given jobs and waits.

    Args:
        tables: of all models.
        jobs: the window, in order.
        waits_us: per processor; all idle if None.
        now_us: the time.

    Attributes:
        searches: how often a best plan was asked for.
    """

    def __init__(
        self,
        tables: Sequence[PlanTable],
        jobs: Sequence[JobView],
        *,
        waits_us: Sequence[int] | None = None,
        now_us: int = 0,
    ) -> None:
        self._kernels: Mapping[str, Kernel] = {table.model: Kernel(table) for table in tables}
        self._names = tables[0].processors
        self.now_us = now_us
        self.window = tuple(jobs)
        self.waits_us = tuple(waits_us or [0] * len(self._names))
        self.searches = 0

    def showing(
        self, jobs: Sequence[JobView], waits_us: Sequence[int], *, now_us: int = 0
    ) -> "FixedView":
        """Return a view of the same models in another situation; it keeps what searches found."""
        view: FixedView = FixedView.__new__(FixedView)
        view._kernels, view._names = self._kernels, self._names
        view.now_us, view.window, view.waits_us = now_us, tuple(jobs), tuple(waits_us)
        view.searches = 0
        return view

    @property
    def processors(self) -> tuple[ProcessorView, ...]:
        """Return one processor per wait, all of them up."""
        return tuple(
            ProcessorView(
                index, self._names[index], "cpu", True, not wait_us, self.now_us + wait_us, 0,
                1 << 30, None,
            )
            for index, wait_us in enumerate(self.waits_us)
        )  # fmt: skip

    @property
    def models(self) -> tuple[str, ...]:
        """Return the names of all models."""
        return tuple(self._kernels)

    def table(self, model: str) -> PlanTable:
        """Return the table of a model."""
        return self._kernels[model].table

    def best_plan(self, job: JobView, waits_us: Sequence[int] | None = None) -> BestPlan | None:
        """Return the best plan of a job whose finished units are a prefix."""
        self.searches += 1
        waits = self.waits_us if waits_us is None else waits_us
        kernel = self._kernels[job.model]
        return kernel.plan(job.finished.bit_length(), waits, job.holder, job.processor)

    def first_step(self, job: JobView, waits_us: Sequence[int] | None = None) -> FirstStep | None:
        """Return how that plan starts."""
        self.searches += 1
        waits = self.waits_us if waits_us is None else waits_us
        kernel = self._kernels[job.model]
        return kernel.best(job.finished.bit_length(), waits, job.holder, job.processor)
