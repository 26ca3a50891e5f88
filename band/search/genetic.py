"""The genetic search: tournaments, crossover per model, mutation, elites, and a last polish.

One seed gives one result. For the objective ``load`` the trace is played ever faster: as soon as
the best genome keeps real time, the load rises to just above what it can sustain, and everybody is
judged again at that load. So a generation costs one play per child, whatever the objective.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

from band.search.breeding import Breeder
from band.search.genome import Gene, Genome
from band.search.judge import Judge
from band.search.objective import REAL_TIME, Fitness, Objective, highest_load

Progress = Callable[[str, int, int], None]
"""(stage, done, total)."""

_TOURNAMENT: Final = 3
_ELITES: Final = 4
_CROSSED: Final = 0.7
_STRANGERS: Final = 12
"""One child in so many is drawn at random."""

_ABOVE: Final = 1.01
_POLISHED: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSettings:
    """How long and how wide to search.

    Attributes:
        generations: at most so many.
        population: genomes per generation, at least 8.
        seed: of every draw.
        patience: generations without progress after which the search stops.
        variants: how many chains a model may be split over; 1 for plain static mappings.
        finalists: genomes that are judged on the simulator with the whole core at the end.
    """

    generations: int = 60
    population: int = 48
    seed: int = 0
    patience: int = 15
    variants: int = 4
    finalists: int = 4


class Evolved(NamedTuple):
    """What a search found.

    Attributes:
        ranked: the best genomes, best first, with their fitness at ``load``.
        load: for the objective ``load`` the highest that the best one sustains, else 1.
        generations: how many were bred.
        plays: simulations made.
    """

    ranked: tuple[tuple[Genome, Fitness], ...]
    load: float
    generations: int
    plays: int


def evolve(
    judge: Judge,
    breeder: Breeder,
    seeds: Iterable[Genome],
    settings: SearchSettings,
    rng: random.Random,
    progress: Progress,
) -> Evolved:
    """Return the best genomes.

    Args:
        judge: says how good a genome is.
        breeder: makes genomes, with the same ``rng``.
        seeds: first genomes, best guesses.
        settings: how long to search.
        rng: source of every draw.
        progress: told of each generation.
    """
    return _Evolution(judge, breeder, settings, rng).run(tuple(seeds), progress)


class _Evolution:
    """One search: the population and the load it is judged at."""

    def __init__(
        self, judge: Judge, breeder: Breeder, settings: SearchSettings, rng: random.Random
    ) -> None:
        self._judge = judge
        self._breeder = breeder
        self._settings = settings
        self._rng = rng
        self._climbs = judge.objective is Objective.LOAD
        self._champion: tuple[float, Genome] | None = None

    def run(self, seeds: Sequence[Genome], progress: Progress) -> Evolved:
        """Breed until nothing gets better, then polish the best."""
        settings = self._settings
        population = list(dict.fromkeys(seeds))
        while len(population) < settings.population:
            population.append(self._breeder.draw())
        ranked = self._climbed(self._ranked(population))
        generation = stale = 0
        while generation < settings.generations and stale < settings.patience:
            generation += 1
            before = self._standing(ranked)
            ranked = self._climbed(self._ranked(self._bred(ranked)))
            stale = 0 if self._standing(ranked) > before else stale + 1
            progress("searching", generation, settings.generations)
        ranked = self._climbed(self._ranked(self._polished(ranked)))
        load, best = self._champion or (1.0, ranked[0])
        if self._climbs:
            ranked = [best, *(genome for genome in ranked if genome != best)]
            self._judge.set_load(load or 1.0)
        return Evolved(
            tuple((genome, self._judge.fitness(genome)) for genome in ranked[:_POLISHED]),
            load,
            generation,
            self._judge.plays,
        )

    def _ranked(self, population: Iterable[Genome]) -> list[Genome]:
        """Return distinct genomes, the best first; equals keep their order."""
        return sorted(dict.fromkeys(population), key=self._judge.fitness, reverse=True)

    def _standing(self, ranked: Sequence[Genome]) -> tuple[float, Fitness]:
        return self._judge.load, self._judge.fitness(ranked[0])

    def _climbed(self, ranked: list[Genome]) -> list[Genome]:
        """Raise the load until the best genome does not keep real time; only for that objective."""
        while self._climbs:
            best = ranked[0]
            held = self._judge.fitness(best)[0] >= REAL_TIME
            if self._champion is not None and not held:
                break
            load = highest_load(partial(self._judge.sustains, best), self._judge.load)
            if self._champion is not None and load <= self._champion[0]:
                break
            self._champion = (load, best)
            if not load:
                break
            self._judge.set_load(load * _ABOVE)
            ranked = self._ranked(ranked)
        return ranked

    def _bred(self, ranked: Sequence[Genome]) -> list[Genome]:
        """Return the next generation: the elites and their children."""
        rng, breeder, size = self._rng, self._breeder, self._settings.population
        parents = ranked[:size]
        known = set(parents)
        next_ones = list(ranked[:_ELITES])
        while len(next_ones) < size:
            if rng.randrange(_STRANGERS) == 0:
                next_ones.append(breeder.draw())
                continue
            child = self._pick(parents)
            if rng.random() < _CROSSED:
                child = breeder.cross(child, self._pick(parents))
            child = breeder.mutate(child)
            if child in known:
                child = breeder.mutate(child)
            known.add(child)
            next_ones.append(child)
        return next_ones

    def _pick(self, ranked: Sequence[Genome]) -> Genome:
        """Return the winner of a tournament: the lowest rank of a few drawn."""
        return ranked[min(self._rng.randrange(len(ranked)) for _ in range(_TOURNAMENT))]

    def _polished(self, ranked: Sequence[Genome]) -> list[Genome]:
        """Return the population with its best genome brought to the top of its hill."""
        best = ranked[0]
        better = True
        while better:
            better = False
            for neighbour in self._neighbours(best):
                if self._judge.fitness(neighbour) > self._judge.fitness(best):
                    best, better = neighbour, True
                    break
        return [best, *ranked]

    def _neighbours(self, genome: Genome) -> Iterator[Genome]:
        """Yield what differs in one order, one priority or the chain of one model."""
        edf = genome.edf
        for place in range(len(edf)):
            yield genome._replace(edf=(*edf[:place], not edf[place], *edf[place + 1 :]))
        genes = genome.genes
        for place, (gene, chains) in enumerate(zip(genes, self._breeder.chains, strict=True)):
            others = [gene._replace(priority=p) for p in range(self._breeder.priorities)]
            others += [Gene(((c, 1),), gene.priority) for c in chains.best(_POLISHED)]
            for other in others:
                if other != gene:
                    yield genome._replace(genes=(*genes[:place], other, *genes[place + 1 :]))
