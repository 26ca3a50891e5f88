"""The latency estimator: moving mean and 95th percentile of each span, as Band's section 4.

Pure: it lives in the core's state and is fed by ``TaskFinished``, so a replayed inbox learns
exactly what the live run learnt.
"""

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
        cost_us: what the plan table in force says.
        mean_us: exponential moving average, starting at the table's cost.
        p95_us: 95th percentile by stochastic approximation: up by 95 % of a step when a run takes
            longer, down by 5 % when not, a step being 5 % of the mean. It needs no samples kept.
        runs: number of runs seen.
    """

    __slots__ = ("cost_us", "mean_us", "p95_us", "runs")

    def __init__(self, cost_us: int) -> None:
        self.cost_us = cost_us
        self.mean_us = float(cost_us)
        self.p95_us = float(cost_us)
        self.runs = 0

    def observe(self, run_us: int) -> bool:
        """Take the time of one run; return whether the table's cost is off by more than 5 %."""
        mean_us = self.mean_us + SMOOTHING * (run_us - self.mean_us)
        step_us = _QUANTILE_STEP * mean_us
        self.mean_us = mean_us
        self.p95_us += step_us * (_QUANTILE if run_us > self.p95_us else _QUANTILE - 1.0)
        self.runs += 1
        cost_us = self.cost_us
        off_us = mean_us - cost_us
        # The last test stops a cost of 1 us and a mean of 1.4 us from swapping for ever.
        limit_us = SWAP_THRESHOLD * cost_us
        return (off_us > limit_us or -off_us > limit_us) and self.rounded_us != cost_us

    @property
    def rounded_us(self) -> int:
        """Return the mean as a cost: whole microseconds, at least 1."""
        return max(1, round(self.mean_us))

    def __repr__(self) -> str:
        return f"<Estimate mean={self.mean_us:.0f}us p95={self.p95_us:.0f}us runs={self.runs}>"


class Estimator:
    """The estimates of one model's spans."""

    __slots__ = ("_estimates",)

    def __init__(self) -> None:
        self._estimates: dict[SpanId, Estimate] = {}

    def of(self, span: Span) -> Estimate:
        """Return the estimate of a span of the table in force."""
        key = (span.first, span.last, span.processor)
        estimate = self._estimates.get(key)
        if estimate is None:
            estimate = self._estimates[key] = Estimate(span.cost_us)
        estimate.cost_us = span.cost_us
        return estimate

    def updated(self, table: PlanTable) -> PlanTable:
        """Return the successor of a table that carries every mean learnt so far."""
        costs = {key: e.rounded_us for key, e in self._estimates.items() if e.runs}
        return table.with_costs(costs, table.version + 1)
