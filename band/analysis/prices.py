"""What ranges of units cost on the processors of a device, and moving data between them.

Two forms. ``range_prices`` asks the price of every range, as the plan table will. ``SumPrices``
takes an op's price to be what it adds to all ops before it, and a range's price to be the sum of
its ops and one dispatch; that is exact but for weights that no longer fit on chip and models of
several types, and lets a whole model be searched op by op.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from band.device.cost import PartWork
from band.device.profile import Device, Processor
from band.model.graph import Graph

Times = npt.NDArray[np.float64]


class PartPrice(Protocol):
    """What one processor charges for parts of one model."""

    def part_us(self, part: PartWork) -> int:
        """Return the expected latency of a part as one subgraph, at least 1."""


Pricer = Callable[[Processor, Graph], PartPrice]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Latencies in microseconds; whole numbers, or inf for what cannot run.

    Attributes:
        costs: [processor, first unit, boundary after the last unit].
        moves: [boundary, from processor, to processor]; 0 at the first and last boundary.
    """

    costs: Times
    moves: Times

    @property
    def unit_count(self) -> int:
        """Return the number of units."""
        return int(self.costs.shape[1])


def range_prices(
    graph: Graph,
    device: Device,
    units: Sequence[tuple[Sequence[int], int]],
    boundary_bytes: Sequence[int],
    pricer: Pricer,
) -> Prices:
    """Return the price of every range of units on every processor that takes all of it.

    Args:
        graph: the model.
        device: its processors and links.
        units: compute ops and mask of the processors, per unit, in topological order.
        boundary_bytes: alive at each boundary, one more than units.
        pricer: makes the prices of a processor.
    """
    count = len(units)
    costs = np.full((len(device.processors), count, count + 1), np.inf)
    charged = {
        p.index: pricer(p, graph)
        for p in device.processors
        if any(mask >> p.index & 1 for _, mask in units)
    }
    for first in range(count):
        part = PartWork(graph)
        takers = list(charged)
        for last in range(first, count):
            ops, mask = units[last]
            takers = [p for p in takers if mask >> p & 1]
            if not takers:
                break
            part.add(ops)
            for p in takers:
                costs[p, first, last + 1] = charged[p].part_us(part)
    return Prices(costs=costs, moves=move_times(device, boundary_bytes))


def move_times(device: Device, boundary_bytes: Sequence[int]) -> Times:
    """Return [boundary, from, to]: what moving everything alive at a boundary takes."""
    everyone = range(len(device.processors))
    moves = np.zeros((len(boundary_bytes), len(everyone), len(everyone)))
    for boundary, byte_count in enumerate(boundary_bytes[1:-1], start=1):
        for a in everyone:
            for b in everyone:
                moves[boundary, a, b] = device.transfer_us(a, b, byte_count)
    return moves


def latency_us(prices: Prices, waits_us: Sequence[float]) -> float:
    """Return the latency of the best plan from the first unit on; inf if there is none.

    Args:
        prices: of all ranges.
        waits_us: per processor, until it is free; inf if it is down.
    """
    waits = np.array(waits_us, dtype=float)
    units = prices.unit_count
    finish = np.full((units + 1, len(waits)), np.inf)
    begin = waits
    for first in range(units):
        if first:
            arrival = (finish[first][:, None] + prices.moves[first]).min(axis=0)
            begin = np.maximum(waits, arrival)
        done = begin[:, None] + prices.costs[:, first, first + 1 :]
        np.minimum(finish[first + 1 :], done.T, out=finish[first + 1 :])
    return float(finish[units].min())


class SumPrices:
    """Prices of single ops, of which the prices of ranges are sums.

    Args:
        graph: the model.
        device: its processors and links.
        parts: compute ops per atom, in topological order.
        support: per atom, the mask of the processors that take it.
        pricer: makes the prices of a processor.

    Attributes:
        processors: that take anything.
        dispatch_us: [processor in that list], of a range of no ops.
        op_us: [atom, processor in that list]; inf where it is not taken.
    """

    def __init__(
        self,
        graph: Graph,
        device: Device,
        parts: Sequence[Sequence[int]],
        support: Sequence[int],
        pricer: Pricer,
    ) -> None:
        taken = 0
        for mask in support:
            taken |= mask
        chosen = [p for p in device.processors if taken >> p.index & 1]
        self.processors = [p.index for p in chosen]
        priced = [pricer(p, graph) for p in chosen]
        growing = PartWork(graph)
        sums = [[price.part_us(growing) for price in priced]]
        for part in parts:
            growing.add(part)
            sums.append([price.part_us(growing) for price in priced])
        self.dispatch_us: Times = np.array(sums[0], dtype=float)
        self.op_us: Times = np.diff(np.array(sums, dtype=float), axis=0)
        for atom, mask in enumerate(support):
            for place, p in enumerate(self.processors):
                if not mask >> p & 1:
                    self.op_us[atom, place] = np.inf

    def cheapest(self) -> list[int]:
        """Return per atom the processor that runs it fastest, the first of several."""
        return [self.processors[place] for place in self.op_us.argmin(axis=1).tolist()]
