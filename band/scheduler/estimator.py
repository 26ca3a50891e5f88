"""The latency estimator: moving mean and 95th percentile of each span, as Band's section 4.

Pure: it lives in the core's state and is fed by ``TaskFinished``, so a replayed inbox learns
exactly what the live run learnt.
"""

from typing import Final

from mypy_extensions import mypyc_attr

from band.plan.table import Span

SMOOTHING: Final = 0.1
SWAP_THRESHOLD: Final = 0.05
_STEP_UP: Final = 0.05 * 0.95
_STEP_DOWN: Final = 0.05 * 0.05

SpanId = tuple[int, int, int]


@mypyc_attr(allow_interpreted_subclasses=True)
class Estimate:
    """What is known of one span from its runs.

    Attributes:
        mean_us: exponential moving average, starting at the table's cost.
        p95_us: 95th percentile by stochastic approximation: up by 95 % of a step when a run takes
            longer, down by 5 % when not, a step being 5 % of the mean. It needs no samples kept.
        runs: number of runs seen.
        used_us: when the slice was last loaded or has last run; 0 for never.
        cold_us: moving average of its cold runs; None before the first one.
        ran: it has run since it was loaded.
    """

    __slots__ = (
        "_cold_known_us", "_high_us", "_low_us", "cold_us", "mean_us", "p95_us", "ran", "runs",
        "used_us",
    )  # fmt: skip

    def __init__(self, cost_us: int) -> None:
        self.mean_us = float(cost_us)
        self.p95_us = float(cost_us)
        self.runs = 0
        self.used_us = 0
        self.cold_us: float | None = None
        self._cold_known_us = 0.0
        self.ran = False
        self.compare_with(cost_us)

    def compare_with(self, cost_us: int) -> None:
        """Take the cost that the plan table in force says."""
        # At least 1 us to either side: a mean of 1.4 us must not swap a cost of 1 us for itself.
        slack_us = max(1.0, SWAP_THRESHOLD * cost_us)
        self._low_us, self._high_us = cost_us - slack_us, cost_us + slack_us

    def observe(self, run_us: int) -> bool:
        """Take the time of one run; return whether the table's cost is off by more than 5 %."""
        mean_us = self.mean_us = self.mean_us + SMOOTHING * (run_us - self.mean_us)
        if run_us > self.p95_us:
            self.p95_us += _STEP_UP * mean_us
        else:
            self.p95_us -= _STEP_DOWN * mean_us
        self.runs += 1
        return mean_us > self._high_us or mean_us < self._low_us

    def observe_cold(self, run_us: int) -> bool:
        """Take the time of a cold run; return whether the cold mean has moved by more than 5 %."""
        before_us = run_us if self.cold_us is None else self.cold_us
        cold_us = self.cold_us = before_us + SMOOTHING * (run_us - before_us)
        if abs(cold_us - self._cold_known_us) <= max(1.0, SWAP_THRESHOLD * self._cold_known_us):
            return False
        self._cold_known_us = cold_us
        return True

    @property
    def rounded_us(self) -> int:
        """Return the mean as a cost: whole microseconds, at least 1."""
        return max(1, round(self.mean_us))

    def __repr__(self) -> str:
        return f"<Estimate mean={self.mean_us:.0f}us p95={self.p95_us:.0f}us runs={self.runs}>"


@mypyc_attr(allow_interpreted_subclasses=True)
class Estimator:
    """The estimates of one model's spans.

    Attributes:
        cold_moves: how often a cold mean has moved.
    """

    __slots__ = ("_estimates", "cold_moves")

    def __init__(self) -> None:
        self.cold_moves = 0
        self._estimates: dict[SpanId, Estimate] = {}

    def of(self, span: Span) -> Estimate:
        """Return the estimate of a span of the table in force."""
        key = (span.first, span.last, span.processor)
        estimate = self._estimates.get(key)
        if estimate is None:
            estimate = self._estimates[key] = Estimate(span.cost_us)
        else:
            estimate.compare_with(span.cost_us)
        return estimate

    def has(self, span: Span, estimate: Estimate) -> bool:
        """Return whether this is the estimate of a span, not one of a table given up since."""
        return self._estimates.get((span.first, span.last, span.processor)) is estimate

    def used_us(self, key: SpanId) -> int:
        """Return when a slice was last loaded or has last run; 0 for never."""
        estimate = self._estimates.get(key)
        return 0 if estimate is None else estimate.used_us

    def touch(self, key: SpanId, now_us: int) -> None:
        """Count a slice as used at this time, if it can run."""
        estimate = self._estimates.get(key)
        if estimate is not None:
            estimate.used_us = now_us
            estimate.ran = False

    def forget(self, key: SpanId) -> None:
        """Forget the runs of a slice: it has been measured anew."""
        self._estimates.pop(key, None)

    def costs_us(self) -> dict[SpanId, int]:
        """Return what the table should say of every span that has run."""
        return {key: e.rounded_us for key, e in self._estimates.items() if e.runs}
