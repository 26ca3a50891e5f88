"""Best plans: the chain of spans that finishes a job first."""

from typing import NamedTuple

from band.plan.table import Span


class Step(NamedTuple):
    """One task of a best plan; times are relative to now."""

    span: Span
    start_us: int
    finish_us: int


class BestPlan(NamedTuple):
    """The plan with the earliest finish for one job.

    Attributes:
        latency_us: from now to the end of the last step.
        steps: in order; never empty.
    """

    latency_us: int
    steps: tuple[Step, ...]
