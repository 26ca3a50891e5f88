"""How a model is laid out for cutting: a topological order, its units, and the ranges to offer.

Band's order of unit subgraphs is the first choice. Another order takes its place if its best plan
is faster when nothing waits and no wait makes its best plan slower than that of Band's order.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from band.analysis.boundary import boundary_bytes
from band.analysis.covering import best_vectors, covers
from band.analysis.opgraph import OpGraph
from band.analysis.orders import Flow, band_order, flow_of, other_orders, runs_of
from band.analysis.paying_cuts import paying_cuts
from band.analysis.prices import (
    Pricer,
    Prices,
    SumPrices,
    latency_us,
    move_times,
    range_prices,
)
from band.analysis.stages import Needed, needed_ranges
from band.device.profile import Device
from band.model.graph import Graph

Units = tuple[tuple[tuple[int, ...], int], ...]
"""Atoms and mask of the processors, per unit, in topological order."""

OTHER_ORDERS: Final = 4
"""Of the orders that look faster than Band's, so many are tried."""
FINE_ITEMS: Final = 32
"""Up to so many atoms, another order is also tried with a cut at every place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is to be laid out.

    Attributes:
        parts: compute ops per atom.
        flow: data flow between atoms.
        support: per atom, the mask of the processors that take it.
        pricer: makes the prices of a processor.
    """

    graph: Graph
    device: Device
    parts: tuple[tuple[int, ...], ...]
    flow: OpGraph
    support: tuple[int, ...]
    pricer: Pricer

    @property
    def items(self) -> Flow:
        """Return which atoms each atom needs, and which need it."""
        return flow_of(self.flow)

    def bytes_between(self, units: Sequence[Sequence[int]]) -> list[int]:
        """Return the bytes alive at each boundary of units of atoms."""
        return boundary_bytes(self.graph, [self.ops_of(unit) for unit in units])

    def ops_of(self, atoms: Collection[int]) -> list[int]:
        """Return the ops of atoms, ascending."""
        return sorted(op for atom in atoms for op in self.parts[atom])


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Units of a model in canonical order.

    Attributes:
        units: atoms and mask of the processors, per unit.
        ranges: ranges of units that some best plan needs; None for all there are.
    """

    units: Units
    ranges: frozenset[Needed] | None


class _Priced(NamedTuple):
    units: Units
    prices: Prices
    ranges: frozenset[Needed] | None


class _Order(NamedTuple):
    """An order of atoms, its idle latency op by op, and the places where a cut may pay."""

    atoms: tuple[int, ...]
    latency_us: float
    cuts: frozenset[int]


def unit_runs(problem: Problem) -> Units:
    """Return Band's unit subgraphs: atoms and mask of the processors, in Band's order."""
    runs = band_order(problem.items, problem.support)
    return tuple((tuple(sorted(run)), problem.support[run[0]]) for run in runs)


def lay_out(problem: Problem) -> Layout:
    """Return the units of a model, and the ranges of units that plans are made of."""
    band_atoms = tuple(atom for run in band_order(problem.items, problem.support) for atom in run)
    sums = SumPrices(problem.graph, problem.device, problem.parts, problem.support, problem.pricer)
    band = _look(problem, sums, band_atoms)
    units, prices = _price(problem, band.atoms, band.cuts)
    chosen = _Priced(units, prices, needed_ranges(prices))
    if chosen.ranges is not None:
        chosen = _better(problem, sums, band, chosen) or chosen
    return _without_idle_cuts(Layout(units=chosen.units, ranges=chosen.ranges))


def _better(problem: Problem, sums: SumPrices, band: _Order, priced: _Priced) -> _Priced | None:
    """Return a layout that is faster than Band's when nothing waits, and never slower."""
    orders = dict.fromkeys(other_orders(problem.items, problem.support, sums.cheapest()))
    looks = [_look(problem, sums, atoms) for atoms in orders if atoms != band.atoms]
    faster = sorted(
        (look for look in looks if look.latency_us < band.latency_us),
        key=lambda look: (look.latency_us, look.atoms),
    )[:OTHER_ORDERS]
    if not faster:
        return None
    theirs = best_vectors(priced.prices, priced.ranges or ())
    nothing = [0.0] * len(priced.prices.costs)
    idle_us = latency_us(priced.prices, nothing)
    shared = _prefixes(priced.units)
    for look in faster:
        for cuts in _cuttings(look, shared):
            units, prices = _price(problem, look.atoms, cuts)
            if latency_us(prices, nothing) < idle_us and covers(prices, theirs):
                return _Priced(units, prices, needed_ranges(prices))
    return None


def _look(problem: Problem, sums: SumPrices, atoms: tuple[int, ...]) -> _Order:
    between = problem.bytes_between([(atom,) for atom in atoms])
    found = paying_cuts(sums, atoms, move_times(problem.device, between))
    return _Order(atoms, found.latency_us, found.positions)


def _prefixes(units: Units) -> frozenset[frozenset[int]]:
    """Return the sets of atoms before each boundary of units."""
    done: frozenset[int] = frozenset()
    found = set()
    for atoms, _ in units:
        done = done.union(atoms)
        found.add(done)
    return frozenset(found)


def _cuttings(order: _Order, shared: Collection[frozenset[int]]) -> Iterator[frozenset[int]]:
    """Yield ways to cut an order: where it pays and where Band's order is cut, then everywhere."""
    done: set[int] = set()
    common = set()
    for place, atom in enumerate(order.atoms, start=1):
        done.add(atom)
        if frozenset(done) in shared:
            common.add(place)
    yield order.cuts | common
    if len(order.atoms) <= FINE_ITEMS:
        yield frozenset(range(len(order.atoms)))


def _price(problem: Problem, atoms: tuple[int, ...], cuts: Collection[int]) -> tuple[Units, Prices]:
    """Return the units of an order, cut where support changes and at ``cuts``, and their prices."""
    units = []
    place = 0
    for run in runs_of(atoms, problem.support):
        inner = [c for c in sorted(cuts) if place < c < place + len(run)]
        for first, last in zip([place, *inner], [*inner, place + len(run)], strict=True):
            units.append((tuple(sorted(atoms[first:last])), problem.support[run[0]]))
        place += len(run)
    prices = range_prices(
        problem.graph,
        problem.device,
        [(problem.ops_of(unit), mask) for unit, mask in units],
        problem.bytes_between([unit for unit, _ in units]),
        problem.pricer,
    )
    return tuple(units), prices


def _without_idle_cuts(layout: Layout) -> Layout:
    """Join neighbours with the same support between which no needed range begins or ends."""
    if layout.ranges is None:
        return layout
    used = {r.first for r in layout.ranges}
    units: list[tuple[tuple[int, ...], int]] = []
    place = []
    for number, (atoms, mask) in enumerate(layout.units):
        if number and number not in used and units[-1][1] == mask:
            units[-1] = (tuple(sorted((*units[-1][0], *atoms))), mask)
        else:
            units.append((atoms, mask))
        place.append(len(units) - 1)
    ranges = frozenset(Needed(r.processor, place[r.first], place[r.last]) for r in layout.ranges)
    return Layout(units=tuple(units), ranges=ranges)
