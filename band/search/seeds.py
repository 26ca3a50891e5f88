"""The first genomes of a search: what a careful engineer would try by hand."""

from collections.abc import Iterator, Mapping, Sequence

from band.plan.table import PlanTable
from band.search.breeding import MAX_VARIANTS
from band.search.chains import Chains
from band.search.flows import chain_flows
from band.search.genome import Chain, Genome, gene
from band.units import US_PER_S

_UTILISATIONS = (0.0, 0.5, 0.7, 0.85)
_CANDIDATES = 12


def seeds(
    chains: Sequence[Chains], rates_per_s: Mapping[str, float], variants: int = MAX_VARIANTS
) -> tuple[Genome, ...]:
    """Return the first genomes, each once.

    The chains that are fastest on an idle device; every model whole on its fastest processor; both
    chosen one model after the other so that the busiest processor stays as free as possible; the
    flows of the capacity bound. Each of them by rate (the most frequent model first), with every
    processor by priority and by deadline.

    Args:
        chains: per model.
        rates_per_s: by model.
        variants: how many chains a model may be split over.
    """
    tables = [c.table for c in chains]
    candidates = [c.best(_CANDIDATES) for c in chains]
    whole = [_whole(table) or found[:1] for table, found in zip(tables, candidates, strict=True)]
    choices: list[Sequence[Mapping[Chain, int]]] = [
        [{found[0]: 1} for found in candidates],
        [{found[0]: 1} for found in whole],
        _balanced(tables, candidates, rates_per_s),
        _balanced(tables, whole, rates_per_s),
    ]
    if variants > 1:
        choices += [
            [_widest(weights, variants) for weights in flows]
            for flows in _flows(chains, rates_per_s)
        ]
    order = sorted(tables, key=lambda table: -rates_per_s.get(table.model, 0.0))
    ranks = [order.index(table) for table in tables]
    count = len(tables[0].processors)
    found = {
        Genome(
            tuple(gene(weights, rank) for weights, rank in zip(choice, ranks, strict=True)),
            (edf,) * count,
        ): None
        for choice in choices
        for edf in (False, True)
    }
    return tuple(found)


def _flows(
    chains: Sequence[Chains], rates_per_s: Mapping[str, float]
) -> Iterator[tuple[dict[Chain, int], ...]]:
    tables = [c.table for c in chains]
    for utilisation in _UTILISATIONS:
        yield chain_flows(tables, rates_per_s, utilisation=utilisation)


def _widest(weights: Mapping[Chain, int], count: int) -> dict[Chain, int]:
    ordered = sorted(weights.items(), key=lambda pair: (-pair[1], pair[0]))
    return dict(ordered[:count])


def _whole(table: PlanTable) -> tuple[Chain, ...]:
    """Return the chains of one part, the fastest first."""
    spans = sorted(
        (s.cost_us, s.processor)
        for s in table.spans
        if (s.first, s.last) == (0, table.unit_count - 1)
    )
    return tuple(((0, table.unit_count - 1, processor),) for _, processor in spans)


def _balanced(
    tables: Sequence[PlanTable],
    candidates: Sequence[Sequence[Chain]],
    rates_per_s: Mapping[str, float],
) -> list[Mapping[Chain, int]]:
    """Return a chain per model, the heaviest model first, that keeps the busiest one least busy."""
    busy = [0.0] * len(tables[0].processors)
    chosen: dict[int, Mapping[Chain, int]] = {}

    def added(place: int, chain: Chain) -> list[float]:
        rate = rates_per_s.get(tables[place].model, 0.0)
        after = list(busy)
        for part in chain:
            span = tables[place].find(*part)
            assert span is not None
            after[span.processor] += rate * span.cost_us / US_PER_S
        return after

    def weight(place: int) -> float:
        return sum(added(place, candidates[place][0])) - sum(busy)

    for place in sorted(range(len(tables)), key=weight, reverse=True):
        best = min(candidates[place], key=lambda chain: (max(added(place, chain)), chain))
        busy = added(place, best)
        chosen[place] = {best: 1}
    return [chosen[place] for place in range(len(tables))]
