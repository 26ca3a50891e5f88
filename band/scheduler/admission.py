"""Admission: what is refused at arrival or dropped from the queue before any policy sees it.

A stage of its own in front of ordering, the same under every policy. Quotas count what an app has
in the system, queue limits what waits for its first task, and shedding asks whether a job could
still make its deadline: an old idea (Clockwork admits only what will meet its SLO; DeepRT admits by
a bound), here with the whole remaining plan, transfers and the work in front included.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from mypy_extensions import mypyc_attr

from band.scheduler.commands import DropReason
from band.scheduler.events import RequestArrived
from band.scheduler.forecast import Forecast, Order, in_front, job_state
from band.scheduler.options import AdmissionOptions, Margin
from band.scheduler.outlook import Outlooks
from band.scheduler.registered import RegisteredModel
from band.scheduler.state import CoreState, Job


@mypyc_attr(allow_interpreted_subclasses=True)
class Admission:
    """Decides who may enter and who may stay. The lifecycle tells it what becomes of jobs.

    Args:
        state: of the core; not changed here.
        options: what is asked for.
    """

    def __init__(self, state: CoreState, options: AdmissionOptions) -> None:
        self._state = state
        self._options = options
        self._outlooks = Outlooks()
        self._inside: Counter[str] = Counter()
        self._waiting: Counter[tuple[str, str]] = Counter()

    def refusal(
        self,
        request: RequestArrived,
        model: RegisteredModel,
        pin: int,
        order: Order,
        gone: Sequence[Job],
        now_us: int,
    ) -> DropReason | None:
        """Return why a request may not enter, None if it may.

        Args:
            request: asks for a model that can run.
            model: that one.
            pin: index of the processor it must run on, or -1.
            order: the place in the queue that it would have.
            gone: jobs that it would supersede; they do not stand in its way.
            now_us: the time.
        """
        options, app = self._options, request.app
        quota = options.quotas.get(app, options.default_quota)
        if quota is not None and self._inside[app] - len(gone) >= quota:
            return DropReason.QUOTA
        for key, limits in (
            (("model", request.model), options.model_queue_limits),
            (("stream", request.stream), options.stream_queue_limits),
        ):
            limit = limits.get(key[1])
            if limit is not None and self._waiting[key] - len(gone) >= limit:
                return DropReason.QUEUE_FULL
        if options.at_arrival and request.deadline_us is not None:
            left_us = request.deadline_us - now_us
            if not self._forecast(order, gone, now_us).reachable(model, (0, 0, -1, pin), left_us):
                return DropReason.DEADLINE_UNREACHABLE
        return None

    def accepted(self, job: Job) -> None:
        """Count a job that has entered."""
        self._inside[job.request.app] += 1
        self._count_waiting(job, 1)

    def started(self, job: Job) -> None:
        """Count a job that waits for its first task no more."""
        self._count_waiting(job, -1)

    def ended(self, job: Job) -> None:
        """Count a job that has left, however."""
        self._inside[job.request.app] -= 1
        if not self._inside[job.request.app]:
            del self._inside[job.request.app]
        if not job.started:
            self._count_waiting(job, -1)

    def hopeless(self, now_us: int) -> list[Job]:
        """Return the jobs, of the first that wait, that cannot make their deadline any more.

        A job with a running task is left alone, and so is one that shares a merged run. Those
        found do not delay the ones behind them.
        """
        options = self._options
        forecast = self._made(now_us)
        found = []
        for job in in_front(self._state, options.window):
            deadline_us = job.request.deadline_us
            if (
                deadline_us is not None
                and not job.running
                and not job.group
                and not forecast.reachable(job.model, job_state(job), deadline_us - now_us)
            ):
                found.append(job)
            elif options.count_queue:
                forecast.add(job)
        return found

    def _forecast(self, order: Order, gone: Sequence[Job], now_us: int) -> Forecast:
        """Return the waits of whoever takes a place in the queue."""
        forecast = self._made(now_us)
        if self._options.count_queue:
            jobs = in_front(self._state, self._options.window + len(gone), order)
            stay = [job for job in jobs if job not in gone]
            waiting = sum(job.queued for job in stay)
            ahead = bisect_left(self._state.queue.entries, (order,)) - len(gone)
            forecast.add_all(stay, len(stay) - waiting + max(ahead, waiting))
        return forecast

    def _made(self, now_us: int) -> Forecast:
        p95 = self._options.margin is Margin.P95
        return Forecast(self._state, now_us, p95=p95, outlooks=self._outlooks)

    def _count_waiting(self, job: Job, change: int) -> None:
        for key in (("model", job.request.model), ("stream", job.request.stream)):
            self._waiting[key] += change
            if not self._waiting[key]:
                del self._waiting[key]


def older_frames(state: CoreState, request: RequestArrived) -> list[Job]:
    """Return the jobs that a request makes obsolete.

    They are of the same app, stream and model, have not started, and belong to an older frame; if
    either has no frame number, what came earlier is older.
    """
    key = (request.app, request.stream, request.model)
    return [
        job
        for _, job in state.queue.entries
        if not job.started
        and (job.request.app, job.request.stream, job.request.model) == key
        and _is_older(job.request.frame, request.frame)
    ]


def _is_older(frame: int | None, than: int | None) -> bool:
    return frame is None or than is None or frame < than
