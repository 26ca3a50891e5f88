"""The best static plan of a tiny case, by trying all of them: an oracle for the search."""

import itertools
from collections.abc import Iterator, Sequence

from band.search.chains import Chains
from band.search.genome import Gene, Genome
from band.search.judge import Judge
from band.search.objective import Fitness


def every_plan(chains: Sequence[Chains]) -> Iterator[Genome]:
    """Yield every plan of one chain per model: all chains, precedences and orders.

    Priorities count only by their order, so one set of numbers stands for each weak order.
    """
    per_model = [tuple(c.every()) for c in chains]
    processors = len(chains[0].table.processors)
    for chosen in itertools.product(*per_model):
        for priorities in weak_orders(len(chains)):
            genes = tuple(
                Gene(((chain, 1),), priority)
                for chain, priority in zip(chosen, priorities, strict=True)
            )
            for edf in itertools.product((False, True), repeat=processors):
                yield Genome(genes, edf)


def weak_orders(count: int) -> Iterator[tuple[int, ...]]:
    """Yield one tuple of ranks for every way to order some things with ties allowed."""
    for ranks in itertools.product(range(count), repeat=count):
        if set(ranks) == set(range(max(ranks) + 1)):
            yield ranks


def best_static_plan(judge: Judge, chains: Sequence[Chains]) -> tuple[Fitness, Genome, int]:
    """Return the greatest fitness, the first plan that has it, and how many were tried."""
    best: tuple[Fitness, Genome] | None = None
    count = 0
    for genome in every_plan(chains):
        count += 1
        found = judge.fitness(genome)
        if best is None or found > best[0]:
            best = (found, genome)
    assert best is not None, "no model, no plan"
    return *best, count
