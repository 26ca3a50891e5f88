"""What can start when: the frames of a case cut into start slots, for the upper bound.

A start is any moment from the frame's release to its deadline. A slot stands for all starts in an
interval of the grid: it has the best reward among them, and only the work that is certain whichever
of them it is. So whatever holds for slots holds for continuous starts.
"""

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

from band.units import US_PER_MS
from band.xrbench.case import Case
from band.xrbench.costs import Cost
from band.xrbench.scores import energy_score, realtime_score
from band.xrbench.workload import trace

SAME_MS: Final = 1e-3
SAME_MJ: Final = 1e-3
"""Accelerators whose costs differ by no more are one class; it gets the better of each cost."""


class Frame(NamedTuple):
    """A frame that is wanted.

    Attributes:
        model: its position in the scenario.
        release_ms: it cannot start earlier, be the upstream frames as early as they can.
        upstream: positions, in the list of frames, of those that must complete first.
    """

    model: int
    release_ms: float
    deadline_ms: float
    upstream: tuple[int, ...]


class Slot(NamedTuple):
    """All starts of a frame on a class of accelerators within an interval of the grid.

    Attributes:
        frame: position of the frame.
        place: position of the class.
        earliest_ms, latest_ms: starts, both possible (the latest at least in the limit).
        latency_ms: on that class.
        reward: the most that one of the starts can earn.
    """

    frame: int
    place: int
    earliest_ms: float
    latest_ms: float
    latency_ms: float
    reward: float

    def certain_ms(self, begin_ms: float, end_ms: float) -> float:
        """Return the work inside an interval that every start of the slot does at least."""
        return min(
            max(0.0, min(start + self.latency_ms, end_ms) - max(start, begin_ms))
            for start in (self.earliest_ms, self.latest_ms)
        )


class Class(NamedTuple):
    """Accelerators that cost the same.

    Attributes:
        size: how many there are.
        costs: of each model.
    """

    size: int
    costs: tuple[Cost, ...]


def classes(case: Case) -> tuple[Class, ...]:
    """Return the accelerators of a case, equal ones together, in order of their first."""
    found: list[Class] = []
    for place in range(len(case.setting.accelerators)):
        costs = tuple(costs[place] for costs in case.costs)
        for at, known in enumerate(found):
            if all(_same(a, b) for a, b in zip(costs, known.costs, strict=True)):
                merged = tuple(_better(a, b) for a, b in zip(costs, known.costs, strict=True))
                found[at] = Class(known.size + 1, merged)
                break
        else:
            found.append(Class(1, costs))
    return tuple(found)


def frames(case: Case, places: tuple[Class, ...], seed: int) -> tuple[Frame, ...]:
    """Return the wanted frames of a run, upstream ones first."""
    models = {model.name: at for at, model in enumerate(case.scenario.models)}
    fastest = [min(place.costs[at].latency_ms for place in places) for at in models.values()]
    found: list[Frame] = []
    for frame in trace(case.scenario, seed).frames:
        made: dict[str, int] = {}
        for node in frame.nodes:
            if not node.count:
                continue
            upstream = tuple(made[name] for name in node.parents if name in made)
            at_ms = frame.at_us / US_PER_MS
            release_ms = max(
                [at_ms, *(found[u].release_ms + fastest[found[u].model] for u in upstream)]
            )
            assert node.deadline_us is not None
            made[node.id] = len(found)
            deadline_ms = node.deadline_us / US_PER_MS
            found.append(Frame(models[node.model], release_ms, deadline_ms, upstream))
    return tuple(found)


def slots(
    all_frames: tuple[Frame, ...], places: tuple[Class, ...], slot_ms: float
) -> Iterator[Slot]:
    """Yield the slots of all frames, those of a frame and class by time."""
    for at, frame in enumerate(all_frames):
        for place, kind in enumerate(places):
            cost = kind.costs[frame.model]
            first = math.floor(frame.release_ms / slot_ms)
            last = math.floor(frame.deadline_ms / slot_ms)
            for number in range(first, last + 1):
                earliest = max(number * slot_ms, frame.release_ms)
                latest = min((number + 1) * slot_ms, frame.deadline_ms)
                if earliest <= latest:
                    reward = _reward(frame, cost, earliest)
                    yield Slot(at, place, earliest, latest, cost.latency_ms, reward)


def _reward(frame: Frame, cost: Cost, earliest_ms: float) -> float:
    """Return the best reward of a slot, that of its start; a loss, by energy, counts as nothing."""
    worth = max(0.0, energy_score(cost.energy_mj) * cost.accuracy)
    return worth * realtime_score(earliest_ms + cost.latency_ms - frame.deadline_ms)


def _same(a: Cost, b: Cost) -> bool:
    near_ms, near_mj = abs(a.latency_ms - b.latency_ms), abs(a.energy_mj - b.energy_mj)
    return near_ms <= SAME_MS and near_mj <= SAME_MJ and a.accuracy == b.accuracy


def _better(a: Cost, b: Cost) -> Cost:
    return Cost(min(a.latency_ms, b.latency_ms), min(a.energy_mj, b.energy_mj), a.accuracy)
