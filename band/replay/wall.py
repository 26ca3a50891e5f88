"""Wall-clock figures of a simulated run: how fast it went, how long decisions took."""

from collections.abc import Callable, Sequence
from time import perf_counter_ns

from band.metrics.figures import nearest_rank
from band.metrics.recorder import Recorder
from band.scheduler.commands import Command
from band.scheduler.events import Event, PolicySwapped
from band.scheduler.policy import Decision, Policy
from band.scheduler.view import View

MakePolicy = Callable[[PolicySwapped], Policy]


class EventCount:
    """A Recorder that counts events and hands them on.

    Args:
        inner: is given every event too.
    """

    def __init__(self, inner: Recorder | None = None) -> None:
        self.events = 0
        self._inner = inner

    def record(self, now_us: int, event: Event, commands: Sequence[Command]) -> None:
        """Count one call of ``Core.handle``."""
        self.events += 1
        if self._inner is not None:
            self._inner.record(now_us, event, commands)

    def figures(self, elapsed_s: float) -> dict[str, float]:
        """Return the wall time of the run and its events per second."""
        return {
            "elapsed_s": elapsed_s,
            "events": self.events,
            "events_per_s": self.events / elapsed_s,
        }


class DecisionTimes:
    """Measures every pass of a policy."""

    def __init__(self) -> None:
        self._ns: list[int] = []

    def timed(self, make: MakePolicy) -> MakePolicy:
        """Return a maker of policies whose passes are measured."""

        def make_timed(event: PolicySwapped) -> Policy:
            policy = make(event)
            inner = policy.plan

            def plan(view: View) -> Sequence[Decision]:
                start_ns = perf_counter_ns()
                try:
                    return inner(view)
                finally:
                    self._ns.append(perf_counter_ns() - start_ns)

            # On the instance, so that the policy keeps its class and whatever else it offers.
            vars(policy)["plan"] = plan
            return policy

        return make_timed

    def figures(self) -> dict[str, float]:
        """Return how many passes there were and how long they took."""
        ascending = sorted(self._ns)
        if not ascending:
            return {"decisions": 0}
        return {
            "decisions": len(ascending),
            "decision_mean_us": sum(ascending) / len(ascending) / 1000,
            "decision_p50_us": (nearest_rank(ascending, 50) or 0) / 1000,
            "decision_p99_us": (nearest_rank(ascending, 99) or 0) / 1000,
        }
