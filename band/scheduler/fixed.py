"""Fixed mapping: which processor a job must run on, and what it runs there next."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from band.plan.table import Span
from band.scheduler.commands import DropReason
from band.scheduler.policy import Decision, Dispatch, Drop, TaskSpec
from band.scheduler.rules import whole_span
from band.scheduler.view import JobView, View


class Mapped(Protocol):
    """Parameters that map models to processors."""

    @property
    def processors(self) -> Mapping[str, str]:
        """Model -> processor name."""
        ...


class FixedMapping:
    """Runs each model on its own processor.

    Its notes name what is in the map but not there: a processor of the device, a model.

    Args:
        params: the map.
    """

    def __init__(self, params: Mapped) -> None:
        self.params = params
        self._device: tuple[str, ...] = ()
        self._models: tuple[str, ...] = ()

    def plan(self, view: View) -> Sequence[Decision]:
        """Return the dispatches and drops of one pass."""
        mapped = self.params.processors
        if mapped and view.window:
            self._device = view.table(view.window[0].model).processors
            self._models = tuple(view.models)
        return fixed_passes(view, mapped)

    def notes(self) -> tuple[str, ...]:
        """Return a sentence for each model of the map that is unknown, or mapped to nowhere."""
        if not self._models:  # nothing has been planned yet
            return ()
        device, models = ", ".join(self._device), ", ".join(sorted(self._models))
        found = []
        for model, processor in self.params.processors.items():
            if model not in self._models:
                found.append(
                    f"the map of processors names the model {model}, which is not registered; "
                    f"registered: {models}"
                )
            elif processor not in self._device:
                found.append(
                    f"model {model} is mapped to the processor {processor}, which the device does "
                    f"not have, and its jobs are dropped; the device has {device}"
                )
        return tuple(found)


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
