"""Genomes: what the genetic search breeds, always a plan that can be played.

After Puzzle (arXiv 2508.17764) a genome says of every model how it is cut, where each part runs and
its priority. Ours may also split a model's requests over several such chains by weight, and says
of every processor whether it picks by priority or by deadline. A genome is hashable, so that none
is judged twice.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from band.plan.static import Order, PlannedModel, PlannedStep, StaticPlan, Variant
from band.plan.table import PlanTable

MAX_WEIGHT: Final = 12

Part = tuple[int, int, int]
"""(first unit, last unit, processor)."""

Chain = tuple[Part, ...]
"""Parts over all units of a model, in order."""


class Gene(NamedTuple):
    """How one model runs.

    Attributes:
        variants: (chain, weight), no chain twice, sorted.
        priority: lower first.
    """

    variants: tuple[tuple[Chain, int], ...]
    priority: int


class Genome(NamedTuple):
    """A whole plan.

    Attributes:
        genes: per model, in the order of the tables.
        edf: per processor, whether it picks by deadline first.
    """

    genes: tuple[Gene, ...]
    edf: tuple[bool, ...]


def gene(weights: Mapping[Chain, int] | Chain, priority: int = 0) -> Gene:
    """Return a gene of one chain, or of several with their weights in lowest terms.

    A weight above ``MAX_WEIGHT`` then is cut down to it.
    """
    if not isinstance(weights, Mapping):
        return Gene(((weights, 1),), priority)
    common = math.gcd(*weights.values())
    variants = sorted(
        (chain, min(weight // common, MAX_WEIGHT)) for chain, weight in weights.items()
    )
    return Gene(tuple(variants), priority)


def static_plan(genome: Genome, tables: Sequence[PlanTable]) -> StaticPlan:
    """Return the plan that a genome stands for."""
    models = {}
    for (variants, priority), table in zip(genome.genes, tables, strict=True):
        models[table.model] = planned_model(variants, priority, table)
    names = tables[0].processors
    orders: dict[str, Order] = {
        name: "edf" if edf else "priority" for name, edf in zip(names, genome.edf, strict=True)
    }
    return StaticPlan(models, orders)


def planned_model(
    variants: Sequence[tuple[Chain, int]], priority: int, table: PlanTable
) -> PlannedModel:
    """Return the plan of one model."""
    named = tuple(
        Variant(tuple(PlannedStep(a, b, table.processors[p]) for a, b, p in chain), weight)
        for chain, weight in variants
    )
    return PlannedModel(named, priority)
