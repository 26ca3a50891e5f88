"""What a plan is searched for, and how good a run is: fitness, the greater the better.

All figures are simulated. A fitness is a tuple whose first item is the figure asked for; the others
break ties towards runs that come nearer to it, so that the search has somewhere to climb.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final

from band.errors import BandError, ErrorCode
from band.sim.flat import UNFINISHED, FlatRun
from band.sim.flat_trace import FlatTrace
from band.units import US_PER_S

REAL_TIME: Final = 0.99
"""Share of the deadlines that must be met for a load to count as sustained in real time."""

DRAINED: Final = 0.05
"""After the last arrival a sustained load is done within this share of the trace's length."""

_DIGITS: Final = 9
_STEP: Final = 1.005
_MAX_LOAD: Final = 1e4

Fitness = tuple[float, ...]


class Objective(StrEnum):
    """What a plan is searched for.

    ``SLO``: requests on time, of those with a deadline. ``FPS``: complete frames a second (requests
    if there are no frames). ``LOAD``: how much faster the trace can be played in real time.
    ``LATENCY``: the mean latency. ``ENERGY``: the least energy among plans that keep real time.
    """

    SLO = "slo"
    FPS = "fps"
    LOAD = "load"
    LATENCY = "latency"
    ENERGY = "energy"


def objective(name: str) -> Objective:
    """Return the objective of a name.

    Raises:
        BandError: INVALID_REQUEST if there is none.
    """
    try:
        return Objective(name)
    except ValueError:
        known = ", ".join(Objective)
        raise BandError(
            ErrorCode.INVALID_REQUEST, f"unknown objective {name!r}; known: {known}"
        ) from None


def fitness(
    objective: Objective, trace: FlatTrace, run: FlatRun, energy_uj: float = 0.0
) -> Fitness:
    """Return how good a run is; for ``LOAD`` that is how well it keeps real time at this load.

    Args:
        objective: what counts.
        trace: that was played.
        run: what became of it.
        energy_uj: of all its tasks.
    """
    latency_us = mean_latency_us(trace, run)
    if objective is Objective.LATENCY:
        found: Fitness = (-latency_us,)
    elif objective is Objective.FPS:
        found = (frames_per_s(trace, run), -latency_us)
    else:
        met = on_time(trace, run)
        found = (met, -lateness_us(trace, run), -latency_us)
        if objective is Objective.LOAD:
            found = (min(met, REAL_TIME) - max(0.0, undrained(trace, run) - DRAINED), *found)
        elif objective is Objective.ENERGY:
            found = (min(met, REAL_TIME), -energy_uj, *found)
    return tuple(round(value, _DIGITS) for value in found)


def keeps_real_time(trace: FlatTrace, run: FlatRun) -> bool:
    """Return whether enough deadlines are met and no queue has grown."""
    return on_time(trace, run) >= REAL_TIME and undrained(trace, run) <= DRAINED


def highest_load(sustains: Callable[[float], bool], guess: float = 1.0) -> float:
    """Return the highest load that is sustained, to half a percent; 0 if there is none.

    Found by doubling and bisection from a guess, so a load below it may fail by accident.
    """
    low, high = 0.0, guess
    while high < _MAX_LOAD and sustains(high):
        low, high = high, high * 2
    while not low:
        below = high / 2
        if below < 1 / _MAX_LOAD:
            return 0.0
        if sustains(below):
            low = below
        else:
            high = below
    while high > low * _STEP:
        middle = (low * high) ** 0.5
        if sustains(middle):
            low = middle
        else:
            high = middle
    return low


def on_time(trace: FlatTrace, run: FlatRun) -> float:
    """Return the share of the requests with a deadline that completed by then; 1 without any."""
    pairs = _due(trace, run)
    return sum(UNFINISHED < end <= due for end, due in pairs) / len(pairs) if pairs else 1.0


def lateness_us(trace: FlatTrace, run: FlatRun) -> float:
    """Return by how much deadlines were missed, on average over the requests that have one."""
    pairs = _due(trace, run)
    worst_us = run.duration_us
    late = (max(0, (end if end != UNFINISHED else worst_us) - due) for end, due in pairs)
    return sum(late) / max(1, len(pairs))


def mean_latency_us(trace: FlatTrace, run: FlatRun) -> float:
    """Return the mean latency; a request that did not complete counts as the whole run."""
    total = 0
    for begin, end in zip(run.arrived_us, run.finished_us, strict=True):
        total += run.duration_us if end == UNFINISHED else end - begin
    return total / max(1, len(trace))


def frames_per_s(trace: FlatTrace, run: FlatRun) -> float:
    """Return complete frames per second of the run; requests if the trace has no frames."""
    broken: set[int] = set()
    whole: set[int] = set()
    requests = 0
    for frame, end in zip(trace.frame, run.finished_us, strict=True):
        whole.add(frame)
        requests += end != UNFINISHED
        if end == UNFINISHED:
            broken.add(frame)
    frames = whole - {-1}
    done = len(frames - broken) if frames else requests
    return done * US_PER_S / max(1, run.duration_us)


def undrained(trace: FlatTrace, run: FlatRun) -> float:
    """Return the time from the last arrival to the end, as a share of the trace's length."""
    last_us = trace.roots[-1][0] if trace.roots else 0
    return (run.duration_us - last_us) / max(1, last_us)


def _due(trace: FlatTrace, run: FlatRun) -> Sequence[tuple[int, int]]:
    """Return (finish, deadline) of each request that has a deadline."""
    pairs = zip(run.finished_us, trace.deadline_us, strict=True)
    return [(end, due) for end, due in pairs if due is not None]
