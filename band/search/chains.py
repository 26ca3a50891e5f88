"""The chains of one model: drawn at random, crossed, changed, and all of them for tiny cases."""

import random
from collections.abc import Iterator

from band.plan.kernel import Kernel
from band.plan.table import PlanTable, Span
from band.search.genome import Chain, Part


class Chains:
    """What can be done with the chains of one table.

    Args:
        table: with only those spans that are loaded; it has at least one whole chain.
    """

    def __init__(self, table: PlanTable) -> None:
        self.table = table
        self._parts = {span[:3] for span in table.spans}
        self._leaving: list[list[Span]] = [[] for _ in range(table.unit_count)]
        ends = {table.unit_count}
        for span in reversed(table.spans):
            if span.last + 1 in ends:
                ends.add(span.first)
                self._leaving[span.first].append(span)
        for spans in self._leaving:
            spans.reverse()

    def best(self, count: int) -> tuple[Chain, ...]:
        """Return the chains that are fastest on an idle device, best first."""
        plans = Kernel(self.table).k_best(count)
        return tuple(tuple(_part(step.span) for step in plan.steps) for plan in plans)

    def every(self, start: int = 0) -> Iterator[Chain]:
        """Yield every chain from a boundary on; their number grows fast with the units."""
        if start == self.table.unit_count:
            yield ()
            return
        for span in self._leaving[start]:
            for rest in self.every(span.last + 1):
                yield (_part(span), *rest)

    def draw(self, rng: random.Random, start: int = 0) -> Chain:
        """Return a random chain from a boundary on."""
        parts: list[Part] = []
        while start < self.table.unit_count:
            span = rng.choice(self._leaving[start])
            parts.append(_part(span))
            start = span.last + 1
        return tuple(parts)

    def cross(self, rng: random.Random, mother: Chain, father: Chain) -> Chain:
        """Return the start of one chain and the end of another, changed over where both cut."""
        common = {last + 1 for _, last, _ in mother} & {first for first, _, _ in father}
        if not common:
            return mother if rng.random() < 0.5 else father
        at = rng.choice(sorted(common))
        return (*(p for p in mother if p[0] < at), *(p for p in father if p[0] >= at))

    def mutate(self, rng: random.Random, chain: Chain) -> Chain:
        """Return a chain with one part moved, split, joined to the next, or all after it redrawn.

        What is not in the table is repaired by drawing the rest anew.
        """
        place = rng.randrange(len(chain))
        first, last, processor = chain[place]
        kind = rng.randrange(4)
        before, after = chain[:place], chain[place + 1 :]
        if kind == 0:
            others = [
                _part(s)
                for s in self._leaving[first]
                if s.last == last and s.processor != processor
            ]
            if others:
                return (*before, rng.choice(others), *after)
        elif kind == 1 and last > first:
            at = rng.randint(first, last - 1)
            halves = (self._any(rng, first, at), self._any(rng, at + 1, last))
            if halves[0] is not None and halves[1] is not None:
                return (*before, halves[0], halves[1], *after)
        elif kind == 2 and after:
            joined = self._any(rng, first, after[0][1])
            if joined is not None:
                return (*before, joined, *after[1:])
        return (*before, *self.draw(rng, first))

    def _any(self, rng: random.Random, first: int, last: int) -> Part | None:
        count = len(self.table.processors)
        found = [(first, last, p) for p in range(count) if (first, last, p) in self._parts]
        return rng.choice(found) if found else None


def _part(span: Span) -> Part:
    return span.first, span.last, span.processor
