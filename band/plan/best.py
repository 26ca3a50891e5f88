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


class FirstStep(NamedTuple):
    """How a best plan starts: all that a policy needs to rank it and to begin it.

    Attributes:
        latency_us: from now to the end of the whole plan.
        span: what runs first.
        finish_us: end of this first step.
        touches: mask of processors. While no other wait changes but to rise, this stays the best
            plan, ties included: the processors that it uses, or -1 (all) where several plans are
            equally good on the way.
    """

    latency_us: int
    span: Span
    finish_us: int
    touches: int
