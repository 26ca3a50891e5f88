"""Earliest deadline first: the most urgent job that can start now, where it finishes first."""

from dataclasses import dataclass

from band.scheduler.policy import Dispatch, PolicyInfo, TaskSpec


@dataclass(frozen=True)
class Params:
    relaxed_us: int = 1_000_000  # what a job without a deadline counts as having left


class EarliestDeadlineFirst:
    info = PolicyInfo(name="earliest_deadline_first", summary="Most urgent first.", source="EDF")

    def __init__(self, params):
        self.params = params

    def plan(self, view):
        for job in sorted(view.window, key=lambda j: (j.priority, self.due_us(j))):
            plan = view.best_plan(job)
            if plan and view.waits_us[plan.steps[0].span.processor] == 0:
                task = TaskSpec.of(job, view.table(job.model), plan.steps[0].span)
                return [Dispatch((task,))]
        return []

    def due_us(self, job):
        return job.deadline_us or job.arrived_us + self.params.relaxed_us
