"""Latency greedy: each model takes the fastest idle processor.

Formula:
    Models take turns by name (class first): the first job of each, then the second of each, ...
    Each takes the idle processor with the least latency for a run of all its remaining units,
    ties to the lower index; it waits only while every processor that runs it whole is busy, never
    for a better one. A job that no processor runs whole follows its best plan on idle processors.

Parameters:
    window: jobs looked at, 1 or more, default 16.

Good as XRBench's reference. Bad when processors differ: a job takes a slow idle processor although
a fast one is free in a moment.

Source: XRBench, MLSys 2023 (LatencyGreedy), on correct dependencies and arrivals.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge

from band.plan.table import Span
from band.scheduler.policy import Decision, PolicyInfo
from band.scheduler.rules_placing import greedy, heads_first
from band.scheduler.view import View


@dataclass(frozen=True)
class Params:
    """Parameters: ``window`` jobs are looked at."""

    window: Annotated[int, Ge(1)] = 16


class LatencyGreedy:
    """Gives each model the fastest idle processor."""

    info: ClassVar = PolicyInfo(
        name="latency_greedy",
        summary="each model takes the fastest idle processor; none waits for a better one",
        source="XRBench, MLSys 2023",
    )

    def __init__(self, params: Params) -> None:
        self.params = params

    def plan(self, view: View) -> Sequence[Decision]:
        """Return the dispatches of one pass."""
        return greedy(view, heads_first(view.window), _latency_us)


def _latency_us(span: Span) -> int:
    return span.cost_us
