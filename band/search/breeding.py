"""How genomes are drawn, crossed and changed. Every result can be played: nothing needs repair."""

import random
from collections.abc import Sequence
from typing import Final

from band.search.chains import Chains
from band.search.genome import Chain, Gene, Genome, gene

MAX_VARIANTS: Final = 4
_SPREAD: Final = 0.35
"""How likely each further variant of a random gene is."""


class Breeder:
    """Makes genomes of the models of one device.

    Args:
        chains: per model.
        rng: source of every draw.
        variants: how many chains a model may be split over; 1 for plain static mappings.
    """

    def __init__(
        self, chains: Sequence[Chains], rng: random.Random, variants: int = MAX_VARIANTS
    ) -> None:
        self.chains = tuple(chains)
        self.processors = len(chains[0].table.processors)
        self.priorities = len(chains)
        self._rng = rng
        self._variants = variants

    def draw(self) -> Genome:
        """Return a random genome."""
        rng = self._rng
        genes = []
        for chains in self.chains:
            weights = {chains.draw(rng): rng.randint(1, 3)}
            while len(weights) < self._variants and rng.random() < _SPREAD:
                weights[chains.draw(rng)] = rng.randint(1, 3)
            genes.append(gene(weights, rng.randrange(self.priorities)))
        return Genome(tuple(genes), tuple(rng.random() < 0.5 for _ in range(self.processors)))

    def cross(self, mother: Genome, father: Genome) -> Genome:
        """Return a child: uniform per model, now and then with chains of both crossed."""
        rng = self._rng
        genes = []
        for chains, a, b in zip(self.chains, mother.genes, father.genes, strict=True):
            one, other = (a, b) if rng.random() < 0.5 else (b, a)
            if rng.random() < 0.2 and len(one.variants) == len(other.variants) == 1:
                crossed = chains.cross(rng, one.variants[0][0], other.variants[0][0])
                one = Gene(((crossed, 1),), one.priority)
            if rng.random() < 0.3:
                one = one._replace(priority=other.priority)
            genes.append(one)
        pairs = zip(mother.edf, father.edf, strict=True)
        return Genome(tuple(genes), tuple(a if rng.random() < 0.5 else b for a, b in pairs))

    def mutate(self, genome: Genome) -> Genome:
        """Return a genome with one or, half of the time, more changes."""
        genome = self._change(genome)
        while self._rng.random() < 0.5:
            genome = self._change(genome)
        return genome

    def _change(self, genome: Genome) -> Genome:
        rng = self._rng
        kind = rng.random()
        if kind < 0.1:
            at = rng.randrange(self.processors)
            edf = tuple(e != (p == at) for p, e in enumerate(genome.edf))
            return genome._replace(edf=edf)
        if kind < 0.2 and len(genome.genes) > 1:
            a, b = rng.sample(range(len(genome.genes)), 2)
            genes = list(genome.genes)
            genes[a], genes[b] = (
                genes[a]._replace(priority=genes[b].priority),
                genes[b]._replace(priority=genes[a].priority),
            )
            return genome._replace(genes=tuple(genes))
        place = rng.randrange(len(genome.genes))
        changed = self._change_gene(self.chains[place], genome.genes[place])
        return genome._replace(genes=(*genome.genes[:place], changed, *genome.genes[place + 1 :]))

    def _change_gene(self, chains: Chains, old: Gene) -> Gene:
        rng = self._rng
        weights: dict[Chain, int] = dict(old.variants)
        chosen = rng.choice(old.variants)[0]
        kind = rng.random()
        if kind < 0.2:
            return old._replace(priority=rng.randrange(self.priorities))
        if kind < 0.35 and len(weights) > 1:
            del weights[chosen]
        elif kind < 0.55 and len(weights) > 1:
            weights[chosen] = max(1, weights[chosen] + rng.choice([-1, 1]))
        elif kind < 0.7 and len(weights) < self._variants:
            new = chains.mutate(rng, chosen)
            weights[new] = weights.get(new, 0) + weights[chosen]
        else:
            weight = weights.pop(chosen)
            new = chains.mutate(rng, chosen)
            weights[new] = weights.get(new, 0) + weight
        return gene(weights, old.priority)
