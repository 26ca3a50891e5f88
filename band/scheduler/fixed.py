"""Fixed mapping: which processor a job must run on, and what it runs there next."""

from collections.abc import Mapping, Sequence

from band.plan.table import Span
from band.scheduler.commands import DropReason
from band.scheduler.policy import Decision, Dispatch, Drop, TaskSpec
from band.scheduler.rules import whole_span
from band.scheduler.view import JobView, View


def fixed_passes(view: View, processors: Mapping[str, str]) -> Sequence[Decision]:
    """Return the pass in which each idle processor takes the first job that is mapped to it.

    A job whose processor cannot run it is dropped.

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
    """Return what the job's processor runs next, None if it cannot run the job.

    The processor is the one the request is pinned to, else the mapped one, else the first that
    runs all remaining units; a job that none runs whole follows its best plan.
    """
    table = view.table(job.model)
    name = processors.get(job.model)
    if job.processor < 0 and name is None:
        spans = (whole_span(table, job, p) for p in range(len(table.processors)))
        whole = next((span for span in spans if span is not None), None)
        chosen = job
    elif job.processor < 0 and name not in table.processors:
        return None
    else:
        fixed = job.processor if job.processor >= 0 else table.processors.index(str(name))
        whole = whole_span(table, job, fixed)
        chosen = job._replace(processor=fixed)
    if whole is not None:
        return whole
    step = view.first_step(chosen)
    return None if step is None else step.span
