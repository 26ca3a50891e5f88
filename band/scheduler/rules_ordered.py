"""Policies that are an order and a way to place, whole: what is left to write is the order."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol

from annotated_types import Ge

from band.plan.table import Span
from band.scheduler.policy import Decision, Dispatch, Drop
from band.scheduler.rules_placing import Placement, greedy, heads_first, place, tells_energy
from band.scheduler.view import JobView, View
from band.units import count_text


@dataclass(frozen=True)
class OrderedParams:
    """Parameters: ``placement``, whether to ``shed``, and ``window`` jobs are looked at."""

    placement: Placement = "fastest_idle"
    shed: bool = False
    window: Annotated[int, Ge(1)] = 16


class Ordered:
    """Jobs in an order of the policy's own, each placed by the rule that its parameters name.

    Args:
        params: placement, shedding and window.
    """

    def __init__(self, params: OrderedParams) -> None:
        self.params = params
        self._shed = 0

    def order(self, view: View) -> Sequence[JobView]:
        """Return the jobs of the window, the first to be served first."""
        return view.window

    def plan(self, view: View) -> Sequence[Decision]:
        """Return the decisions of one pass."""
        jobs = self.order(view)
        decisions = place(view, jobs, placement=self.params.placement, shed=self.params.shed)
        self._shed += sum(isinstance(decision, Drop) for decision in decisions)
        return decisions

    def statistics(self) -> Mapping[str, float]:
        """Return how many jobs it has shed."""
        return {"shed": self._shed}


class Windowed(Protocol):
    """Parameters that say how many jobs are looked at."""

    @property
    def window(self) -> int:
        """Jobs looked at, 1 or more."""
        ...


class EnergyRule(ABC):
    """Models take turns by name, each takes the idle processor whose whole run costs least.

    Where a table tells no energy, energies cannot be compared: the job goes by latency.

    Args:
        params: the window.
    """

    def __init__(self, params: Windowed) -> None:
        self.params = params
        self._by_latency = 0

    @abstractmethod
    def cost(self, span: Span) -> float:
        """Return what a whole run on a processor costs; the least is the best."""

    def plan(self, view: View) -> Sequence[Decision]:
        """Return the dispatches of one pass."""
        jobs = heads_first(view.window)
        blind = {job.job for job in jobs if not tells_energy(view, job)}
        decisions = greedy(view, jobs, self.cost, fallback=blind)
        tasks = [s for d in decisions if isinstance(d, Dispatch) for s in d.tasks]
        self._by_latency += sum(spec.jobs[0] in blind for spec in tasks)
        return decisions

    def statistics(self) -> Mapping[str, float]:
        """Return how many tasks were placed by latency, since the table told no energy."""
        return {"placed_by_latency": self._by_latency}

    def notes(self) -> Sequence[str]:
        """Return a sentence if tasks were placed by latency."""
        if not self._by_latency:
            return ()
        return (
            f"{count_text(self._by_latency, 'task')} went by latency: the device does not tell "
            "the energy of every processor that could run them",
        )
