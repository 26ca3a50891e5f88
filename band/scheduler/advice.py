"""What ``advise`` works with: a picture of the core, and a way to try a payload beforehand.

A policy that needs more than a decision's time declares a pure function ``advise(snapshot,
params, simulate, budget) -> payload``. On the command Advise the driver takes a snapshot, runs it
off the hot path and answers with AdviceReady; the payload then goes to the policy's ``advised``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from band.plan.table import PlanTable
from band.scheduler.events import Json, StreamLoad
from band.scheduler.view import JobView, ProcessorView


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The core at the moment of an Advise.

    Attributes:
        now_us: that moment.
        tables: effective plan tables by model: loaded spans, processors that are up, learnt costs.
        streams: the load as declared or, where nothing was declared, as seen so far.
        window: all waiting jobs with runnable units, by (priority, arrival).
        processors: all that have ever been up, by index.
    """

    now_us: int
    tables: Mapping[str, PlanTable]
    streams: tuple[StreamLoad, ...]
    window: tuple[JobView, ...]
    processors: tuple[ProcessorView, ...]


class EndedRequest(NamedTuple):
    """One request of a rehearsed future.

    Attributes:
        arrived_us, deadline_us, finished_us: absolute; ``finished_us`` is when it ended, however.
        outcome, reason: as in Finish.
        energy_uj: what its tasks took, 0 where tables tell no energy.
    """

    model: str
    stream: str
    frame: int | None
    arrived_us: int
    deadline_us: int | None
    finished_us: int
    outcome: str
    reason: str
    energy_uj: int


class Rehearsed(NamedTuple):
    """What a rehearsed future was like.

    Attributes:
        requests: in order of their end.
        open: requests that had not ended when it stopped, by model.
    """

    requests: tuple[EndedRequest, ...]
    open: tuple[tuple[str, int], ...]


Simulate = Callable[[Json], Rehearsed | None]
"""Plays the near future with the very same core as if the policy had been advised so.

None once the budget is spent.
"""
