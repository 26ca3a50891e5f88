"""The upper bound of a case: no policy, however clever, scores more in correct mode.

A start-time-indexed programme: every frame starts in at most one slot, accelerators are never asked
for more than certainly fits, a dependent starts when its upstream can have finished. What is
returned is the dual bound of the solver, so it holds when the time is over before the optimum is
proven. Salvage is allowed: a frame that starts in time and finishes late counts as completed,
whatever it earns.
"""

from typing import Final

from band.xrbench.case import Case
from band.xrbench.programme import Programme
from band.xrbench.result import Bound
from band.xrbench.slots import classes, frames, slots

SLOT_MS: Final = 1.0
TIME_LIMIT_S: Final = 60.0
_TOLERANCE: Final = 1e-4
"""Added for what the solver's feasibility and integrality tolerances may hide."""


def bound(
    case: Case,
    *,
    seed: int = 0,
    slot_ms: float = SLOT_MS,
    time_limit_s: float = TIME_LIMIT_S,
    relaxed: bool = False,
) -> Bound:
    """Return the upper bound of a case.

    Args:
        case: to bound.
        seed: of a stochastic scenario's coins, as in the run.
        slot_ms: width of a start slot; a narrower one is tighter and slower.
        time_limit_s: for the solver.
        relaxed: frames may start in parts, in several slots: a higher bound, mostly sooner. It is
            the one that was published beside this benchmark's rules.
    """
    places = classes(case)
    wanted = frames(case, places, seed)
    starts = tuple(slots(wanted, places, slot_ms))
    programme = Programme(case, places, wanted, starts, slot_ms, relaxed=relaxed)
    solved = programme.solve(time_limit_s)
    overall = min(100.0, 100.0 * solved.value / len(case.scenario.models) + _TOLERANCE)
    return Bound(overall=overall, proven=solved.proven, variables=programme.columns)
