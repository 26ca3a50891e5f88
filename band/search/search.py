"""Searches a static plan for a trace on a device, and judges the best ones with the whole core."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from band.config.params import parse_params
from band.errors import BandError, ErrorCode
from band.plan.static import StaticPlan
from band.plan.table import PlanTable
from band.scheduler.events import PolicySwapped
from band.scheduler.loader import policy_swapped
from band.search.breeding import Breeder
from band.search.chains import Chains
from band.search.genetic import Progress, SearchSettings, evolve
from band.search.genome import static_plan
from band.search.judge import Judge
from band.search.objective import Fitness, Objective, fitness
from band.search.plan_file import plan_params
from band.search.seeds import seeds
from band.search.under_core import SearchProblem, play_under_core, sustained_under_core
from band.sim.flat_trace import FlatTrace, flatten
from band.units import US_PER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search found. All figures are simulated.

    Attributes:
        plan: the best one.
        objective: what was searched for.
        flat: fitness on the flat simulator, without noise, at ``load``.
        core: fitness under the whole core on the device as it is, at ``core_load``.
        load: highest load on the flat simulator for objective ``load``, else 1.
        core_load: the same under the core.
        generations, plays: how long it took.
        finalists: how many plans were judged under the core.
    """

    plan: StaticPlan
    objective: Objective
    flat: Fitness
    core: Fitness
    load: float
    core_load: float
    generations: int
    plays: int
    finalists: int

    def to_json(self) -> dict[str, Any]:
        """Return all of it as plain data."""
        return {
            "objective": str(self.objective),
            "flat": list(self.flat),
            "core": list(self.core),
            "load": round(self.load, 6),
            "core_load": round(self.core_load, 6),
            "generations": self.generations,
            "simulations": self.plays,
            "finalists": self.finalists,
            "word": "simulated",
            "plan": plan_params(self.plan),
        }


def search(
    problem: SearchProblem,
    objective: Objective,
    settings: SearchSettings,
    progress: Progress = lambda *_: None,
) -> Found:
    """Return the best static plan that the search finds; the same for the same seed.

    Args:
        problem: load, device and models.
        objective: what counts.
        settings: how long to search.
        progress: told of each generation and finalist.

    Raises:
        BandError: INVALID_REQUEST if the trace or the device has nothing to search for;
            UNKNOWN_MODEL if a model of the trace is not registered.
    """
    trace = flatten(problem.trace)
    tables = _used(problem.tables, trace)
    chains = [Chains(table) for table in tables]
    judge = Judge(trace, tables, objective)
    rng = random.Random(settings.seed)
    breeder = Breeder(chains, rng, settings.variants)
    first = seeds(chains, rates_per_s(trace), settings.variants)
    evolved = evolve(judge, breeder, first, settings, rng, progress)
    finalists = evolved.ranked[: max(1, settings.finalists)]
    judged = []
    for number, (genome, flat) in enumerate(finalists, start=1):
        plan = static_plan(genome, tables)
        policy, load = static_policy(plan), 1.0
        if objective is Objective.LOAD:
            load = sustained_under_core(problem, policy, evolved.load or 1.0)
        played = play_under_core(problem, policy, load or 1.0)
        fit = fitness(objective, *played)
        judged.append((load, fit, -number, flat, plan))
        progress("judging finalists", number, len(finalists))
    core_load, fit, _, flat, plan = max(judged, key=lambda row: row[:3])
    return Found(
        plan=plan,
        objective=objective,
        flat=flat,
        core=fit,
        load=evolved.load,
        core_load=core_load,
        generations=evolved.generations,
        plays=evolved.plays,
        finalists=len(finalists),
    )


def static_policy(plan: StaticPlan) -> PolicySwapped:
    """Return the event that puts a plan in force."""
    return policy_swapped("static_plan", plan_params(plan), parse=parse_params)


def rates_per_s(trace: FlatTrace) -> dict[str, float]:
    """Return the mean rate of each model over the time of the arrivals."""
    last_us = max(1, max((at_us for at_us, _ in trace.roots), default=1))
    counts = Counter(trace.model)
    return {name: counts[n] * US_PER_S / last_us for n, name in enumerate(trace.models)}


def _used(tables: Sequence[PlanTable], trace: FlatTrace) -> list[PlanTable]:
    """Return the tables of the models of a trace."""
    by_name = {table.model: table for table in tables}
    unknown = [name for name in trace.models if name not in by_name]
    if unknown:
        raise BandError(
            ErrorCode.UNKNOWN_MODEL,
            f"the trace uses model {unknown[0]!r}, which is not registered; register it first",
            model=unknown[0],
        )
    return [by_name[name] for name in trace.models]
