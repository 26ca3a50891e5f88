"""Fixed mapping: which processor a job must run on, and what it runs there next."""

from collections.abc import Mapping, Sequence

from band.plan.table import Span
from band.scheduler.commands import DropReason
from band.scheduler.policy import Decision, Dispatch, Drop, TaskSpec
from band.scheduler.rules import whole_span
from band.scheduler.view import JobView, View


def fixed_passes(view: View, processors: Mapping[str, str]) -> Sequence[Decision]:
    """Return the pass in which each idle processor takes the first job that is mapped to it.

    A job whose processor cannot run it is dropped, unless some of it is done.

    Args:
        view: of the pass.
        processors: model -> processor name; see :func:`fixed_span` for models that it lacks.
    """
    waits = list(view.waits_us)
    decisions: list[Decision] = []
    for job in view.window:
        span = fixed_span(view, job, processors)
        if span is not None and waits[span.processor] == 0:
            decisions.append(Dispatch((TaskSpec.of(job, view.table(job.model), span),)))
            waits[span.processor] = span.cost_us
        elif span is None and not job.running:
            decisions.append(Drop(job.job, DropReason.NO_PROCESSOR))
    return decisions


def fixed_span(view: View, job: JobView, processors: Mapping[str, str]) -> Span | None:
    """Return what a job runs next, None if the processor it must run on cannot run it.

    The processor is the one the request is pinned to, else the mapped one, else the first that
    runs all remaining units; a job that none runs whole follows its best plan. So does a job that
    was begun elsewhere, under another policy or with slices that have gone since, while its mapped
    processor cannot go on with it: what has been done for it is not thrown away.
    """
    table = view.table(job.model)
    name = processors.get(job.model)
    if job.processor >= 0:
        return _span_on(view, job, job.processor)
    if name is None:
        spans = (whole_span(table, job, p) for p in range(len(table.processors)))
        whole = next((span for span in spans if span is not None), None)
        return whole or _first_span(view, job)
    span = None
    if name in table.processors:
        span = _span_on(view, job, table.processors.index(name))
    if span is None and job.finished | job.running:
        return _first_span(view, job)
    return span


def _span_on(view: View, job: JobView, processor: int) -> Span | None:
    """Return what a processor runs next of a job that it runs to its end, None if it cannot."""
    whole = whole_span(view.table(job.model), job, processor)
    return whole or _first_span(view, job._replace(processor=processor))


def _first_span(view: View, job: JobView) -> Span | None:
    step = view.first_step(job)
    return None if step is None else step.span
