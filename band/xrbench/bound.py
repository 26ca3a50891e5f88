"""The upper bound of a case: no policy, however clever, scores more in correct mode.

A start-time-indexed relaxation (every frame starts in at most one slot; accelerators are never
asked for more than certainly fits; a dependent starts when its upstream can have finished), solved
as a mixed-integer programme. What is returned is the dual bound of the solver, so it holds when
the time is over before the optimum is proven. Salvage is allowed: a frame that starts in time and
finishes late counts as completed, whatever it earns.
"""

from dataclasses import dataclass
from typing import Final

from band.xrbench.case import Case
from band.xrbench.programme import Programme
from band.xrbench.slots import classes, frames, slots

SLOT_MS: Final = 1.0
TIME_LIMIT_S: Final = 60.0
_TOLERANCE: Final = 1e-4
"""Added for what the solver's feasibility and integrality tolerances may hide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """The most that a policy can score.

    Attributes:
        overall: 0 to 100.
        proven: the relaxation was solved to the end; else the time was over, and a longer one may
            give a lower bound.
        variables: of the programme.
    """

    overall: float
    proven: bool
    variables: int


def bound(
    case: Case,
    *,
    seed: int = 0,
    slot_ms: float = SLOT_MS,
    time_limit_s: float = TIME_LIMIT_S,
) -> Bound:
    """Return the upper bound of a case.

    Args:
        case: to bound.
        seed: of a stochastic scenario's coins, as in the run.
        slot_ms: width of a start slot; a narrower one is tighter and slower.
        time_limit_s: for the solver.
    """
    places = classes(case)
    wanted = frames(case, places, seed)
    programme = Programme(case, places, wanted, tuple(slots(wanted, places, slot_ms)), slot_ms)
    solved = programme.solve(time_limit_s)
    overall = min(100.0, 100.0 * solved.value / len(case.scenario.models) + _TOLERANCE)
    return Bound(overall=overall, proven=solved.proven, variables=programme.columns)
