"""The latency estimator: moving mean and 95th percentile of each span, as Band's section 4.

Pure: it lives in the core's state and is fed by ``TaskFinished``, so a replayed inbox learns
exactly what the live run learnt.
"""

from collections.abc import Mapping
from typing import Final

from band.plan.table import PlanTable, Span

SMOOTHING: Final = 0.1
SWAP_THRESHOLD: Final = 0.05
_QUANTILE: Final = 0.95
_QUANTILE_STEP: Final = 0.05

SpanId = tuple[int, int, int]


class Estimate:
    """What is known of one span from its runs.

    Attributes:
        mean_us: exponential moving average, starting at the table's cost.
        p95_us: 95th percentile by stochastic approximation: up by 95 % of a step when a run takes
            longer, down by 5 % when not, a step being 5 % of the mean. It needs no samples kept.
        runs: number of runs seen.
    """

    __slots__ = ("mean_us", "p95_us", "runs")

    def __init__(self, cost_us: int) -> None:
        self.mean_us = float(cost_us)
        self.p95_us = float(cost_us)
        self.runs = 0

    def observe(self, run_us: int) -> None:
        """Take the execution time of one run."""
        self.runs += 1
        self.mean_us += SMOOTHING * (run_us - self.mean_us)
        step = _QUANTILE_STEP * self.mean_us
        self.p95_us += step * (_QUANTILE if run_us > self.p95_us else _QUANTILE - 1.0)

    def __repr__(self) -> str:
        return f"<Estimate mean={self.mean_us:.0f}us p95={self.p95_us:.0f}us runs={self.runs}>"


class Estimator:
    """The estimates of one model's spans."""

    __slots__ = ("_estimates",)

    def __init__(self) -> None:
        self._estimates: dict[SpanId, Estimate] = {}

    def observe(self, span: Span, run_us: int) -> bool:
        """Take one run of a span; return whether the table's cost is off by more than 5 %."""
        key = (span.first, span.last, span.processor)
        estimate = self._estimates.get(key)
        if estimate is None:
            estimate = self._estimates[key] = Estimate(span.cost_us)
        estimate.observe(run_us)
        off_us = abs(estimate.mean_us - span.cost_us)
        # The second test stops a cost of 1 us and a mean of 1.4 us from swapping for ever.
        return off_us > SWAP_THRESHOLD * span.cost_us and _as_cost(estimate) != span.cost_us

    def p95_us(self, span: Span) -> int:
        """Return the 95th percentile of a span's execution time; its cost before the first run."""
        estimate = self._estimates.get((span.first, span.last, span.processor))
        return span.cost_us if estimate is None else round(estimate.p95_us)

    def estimates(self) -> Mapping[SpanId, Estimate]:
        """Return all estimates by (first, last, processor)."""
        return self._estimates

    def updated(self, table: PlanTable) -> PlanTable:
        """Return the successor of a table that carries every mean learnt so far."""
        costs = {key: _as_cost(e) for key, e in self._estimates.items()}
        return table.with_costs(costs, table.version + 1)


def _as_cost(estimate: Estimate) -> int:
    return max(1, round(estimate.mean_us))
