"""XRBench cases made of plain numbers, and the best schedule of a tiny one by trying them all."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from band.xrbench.case import Case, make_case
from band.xrbench.costs import Accelerator, Cost, CostTable, Setting
from band.xrbench.scenarios import Scenario, ScenarioModel
from band.xrbench.scores import Inference, score


def make_costs(costs: Mapping[str, Sequence[float]], *, energy_mj: float = 0.0) -> CostTable:
    """Return a table of one setting ``tiny``: model -> latency in ms on each accelerator."""
    width = max(map(len, costs.values()))
    accelerators = tuple(
        Accelerator(
            id=place,
            costs={
                model: Cost(latencies[place], energy_mj)
                for model, latencies in costs.items()
                if place < len(latencies)
            },
        )
        for place in range(width)
    )
    return CostTable(
        source="plain numbers", settings={"tiny": Setting(name="tiny", accelerators=accelerators)}
    )


def tiny_case(
    models: Sequence[ScenarioModel],
    costs: Mapping[str, Sequence[float]],
    *,
    energy_mj: float = 0.0,
) -> Case:
    """Return a case of the given models, each with its latency on each accelerator."""
    scenario = Scenario(name="tiny", models=tuple(models))
    return make_case(make_costs(costs, energy_mj=energy_mj), "tiny", scenario)


class _Frame(NamedTuple):
    model: int
    number: int
    upstream: tuple[int, ...]


def best_overall(case: Case) -> float:
    """Return the best score of a deterministic case, by trying every schedule: a few frames only.

    Each frame is dropped or given to an accelerator; each accelerator runs its frames in each
    order. For a given order nothing is won by waiting, so every frame starts as soon as it can.
    """
    frames = _frames(case)
    accelerators = range(len(case.setting.accelerators))
    best = 0.0
    for choice in itertools.product((None, *accelerators), repeat=len(frames)):
        given = [[f for f, place in enumerate(choice) if place == a] for a in accelerators]
        for orders in itertools.product(*(itertools.permutations(g) for g in given)):
            done = _play(case, frames, orders)
            if done is not None:
                best = max(best, _overall(case, frames, done))
    return best


def _frames(case: Case) -> list[_Frame]:
    models = case.scenario.models
    place = {model.name: at for at, model in enumerate(models)}
    numbered = [(at, n) for at, model in enumerate(models) for n in range(model.frames)]
    index = {frame: position for position, frame in enumerate(numbered)}
    return [
        _Frame(at, n, tuple(index[place[u], n] for u in models[at].depends_on))
        for at, n in numbered
    ]


def _play(
    case: Case, frames: Sequence[_Frame], orders: Sequence[Sequence[int]]
) -> dict[int, tuple[int, float]] | None:
    """Return frame -> (accelerator, completion), None if the orders cannot be kept."""
    queues = [list(order) for order in orders]
    free_ms = [0.0] * len(queues)
    done: dict[int, tuple[int, float]] = {}
    while any(queues):
        heads = list(_ready(frames, queues, done))
        if not heads:
            return None
        place, at = heads[0]
        frame = frames[at]
        period_ms = case.scenario.models[frame.model].period_ms
        begin_ms = max(
            [free_ms[place], frame.number * period_ms, *(done[u][1] for u in frame.upstream)]
        )
        if begin_ms > (frame.number + 1) * period_ms:
            return None
        free_ms[place] = begin_ms + case.costs[frame.model][place].latency_ms
        done[at] = (place, free_ms[place])
        queues[place].pop(0)
    return done


def _ready(
    frames: Sequence[_Frame], queues: Sequence[Sequence[int]], done: Mapping[int, object]
) -> Iterator[tuple[int, int]]:
    for place, queue in enumerate(queues):
        if queue and all(u in done for u in frames[queue[0]].upstream):
            yield place, queue[0]


def _overall(case: Case, frames: Sequence[_Frame], done: Mapping[int, tuple[int, float]]) -> float:
    models = case.scenario.models
    inferences = [
        Inference(
            accelerator=place,
            model=models[frames[at].model].name,
            frame=frames[at].number,
            injected_ms=0.0,
            dispatched_ms=0.0,
            deadline_ms=float((frames[at].number + 1) * models[frames[at].model].period_ms),
            completed_ms=completed_ms,
            energy_mj=case.costs[frames[at].model][place].energy_mj,
        )
        for at, (place, completed_ms) in done.items()
    ]
    dropped = {
        model.name: model.frames - sum(frames[at].model == m for at in done)
        for m, model in enumerate(models)
    }
    return score([model.name for model in models], inferences, dropped).overall
