"""Rehearsal: plays the near future with candidate rules and keeps to the best one.

Formula:
    A rule ("strategy") is an order (priority list of models, deadline, slack, longest best plan,
    arrival), per model the processors that it may use (none starves it), guard, placement
    (earliest finish or least energy in time), shedding, per model the processors that may run
    hopeless requests, and how far spans may be from the cheapest way at the prices of a full
    device. Jobs are walked in that order. A hopeless one (now + least latency > deadline) is
    dropped, or kept to be started late. The others take their way; if its processor is busy, the
    time is reserved and the job stays in the queue. A start is put off if it would make the known
    next request of a more important model hopeless (guard); what cannot be dropped, for 1 s at
    most.
    On Advise, the core's future is simulated under 6 plain rules (12 where energies are known, 16
    where models are split), then under one change after another to the best four, then under
    joint and random changes, until the budget is spent. The best one seen is followed. Before the
    first advice: shortest job first, earliest finish.

Parameters:
    simulations: budget of one advice, 0 or more, default 200.
    patience: where models are split, an advice ends after so many simulations without a better
        rule, 1 or more, default 30.
    horizon_us: how far new requests are looked ahead for, 1 or more, default 1 s.
    advise_ms: time limit of one advice in the live daemon, 1 or more, default 2000.
    objective: ``on_time`` (default) or ``xr_score``, see ``band.scheduler.objectives``.
    shed: hopeless requests may be dropped; default only under ``xr_score``.
    salvage: where they may, they may also be started just before they expire, default false.
    margin: rehearse with requests that come by this share faster, so that a rule is not chosen
        that only a perfectly regular load allows; 0 or more, default 0.05, and 0 where requests
        may be shed.
    seed: of the random changes, default 0.
    window: jobs looked at, 1 or more, default 32.

Good for periodic streams with known costs, above all when there is more to do than can be done.
Bad for load without a pattern: then it is the fixed rule, tuned to the wrong future.

Source: this project.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Literal

from annotated_types import Ge

from band.scheduler.advice import Simulate, Snapshot
from band.scheduler.events import Json
from band.scheduler.objectives import OBJECTIVES
from band.scheduler.policy import Decision, PolicyInfo
from band.scheduler.strategy import Advice, Strategy
from band.scheduler.strategy_rule import Rule
from band.scheduler.strategy_search import find_strategy
from band.scheduler.view import View

_MARGIN: Final = 0.05


@dataclass(frozen=True)
class Params:
    """Parameters: budget and horizon of an advice, what it is to achieve, and the window."""

    simulations: Annotated[int, Ge(0)] = 200
    patience: Annotated[int, Ge(1)] = 30
    horizon_us: Annotated[int, Ge(1)] = 1_000_000
    advise_ms: Annotated[int, Ge(1)] = 2_000
    objective: Literal["on_time", "xr_score"] = "on_time"
    shed: bool | None = None
    salvage: bool = False
    margin: Annotated[float, Ge(0)] | None = None
    seed: int = 0
    window: Annotated[int, Ge(1)] = 32

    @property
    def sheds(self) -> bool:
        """Return whether hopeless requests may be dropped."""
        return self.objective == "xr_score" if self.shed is None else self.shed

    @property
    def load_margin(self) -> float:
        """Return how much faster than expected requests come in rehearsals."""
        if self.margin is None:
            return 0.0 if self.sheds else _MARGIN
        return self.margin


class Rehearsal:
    """Plays the near future with candidate rules and keeps to the best one."""

    info: ClassVar = PolicyInfo(
        name="rehearsal",
        summary="plays the near future with candidate rules and keeps to the best one",
        source="this project",
        work_conserving=False,
    )

    def __init__(self, params: Params) -> None:
        self.params = params
        self._rule = Rule(Advice(Strategy(shed=params.sheds)), params.window)

    def advise(self, snapshot: Snapshot, params: Params, simulate: Simulate, budget: int) -> Json:
        """Return the best strategy found by rehearsing."""
        del budget  # simulate answers None once it is spent
        return find_strategy(
            snapshot,
            simulate,
            OBJECTIVES[params.objective],
            shed=params.sheds,
            salvage=params.salvage,
            patience=params.patience,
            seed=params.seed,
        )

    def advised(self, payload: Any) -> None:
        """Follow a strategy from now on."""
        self._rule = Rule(Advice.of(payload), self.params.window)

    def plan(self, view: View) -> Sequence[Decision]:
        """Return the dispatches and drops of one pass."""
        return self._rule.decide(view)
