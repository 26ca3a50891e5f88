"""Prices of parts that grow op by op, by a fitted cost model: what the analysis of a model asks.

A price is the sum over the ops, and the dispatch and boundary of the part as it is. Both are kept
from one question to the next, so that asking for all ranges of a model costs their number and not
their length.
"""

from collections.abc import Mapping

from band.device.cost import PartWork
from band.device.fit_prices import ModelPrices
from band.model.graph import Graph


class FittedPricing:
    """What one processor charges for parts of one model; see :class:`band.device.cost.Pricing`.

    Args:
        prices: of the model on the processor.
        graph: the whole model, with its shapes.
        measured: ops of a part, ascending -> what was measured of it, in microseconds.
    """

    __slots__ = ("_graph", "_growing", "_lengths", "_measured", "_prices")

    def __init__(
        self, prices: ModelPrices, graph: Graph, measured: Mapping[tuple[int, ...], float]
    ) -> None:
        self._prices = prices
        self._graph = graph
        self._measured = measured
        self._lengths = {len(ops) for ops in measured}
        self._growing: _Growing | None = None

    def part_us(self, part: PartWork) -> int:
        """Return the measured or expected latency of a part as one subgraph, at least 1."""
        us: float | None = None
        if len(part.ops) in self._lengths:
            us = self._measured.get(tuple(sorted(part.ops)))
        if us is None:
            if self._growing is None or self._growing.part is not part:
                self._growing = _Growing(part, self._graph, self._prices)
            us = self._growing.us()
        return max(1, round(us))


class _Growing:
    """The price of a part so far: its dispatch, its ops and its boundary."""

    def __init__(self, part: PartWork, graph: Graph, prices: ModelPrices) -> None:
        self.part = part
        self._graph = graph
        self._leaving = frozenset(graph.outputs)
        self._known = 0
        self._sum_us = prices.dispatch_us
        self._prices = prices
        self._read: set[int] = set()
        self._handed: set[int] = set()
        self._made: set[int] = set()
        self._waiting: dict[int, int] = {}

    def us(self) -> float:
        """Return the price after whatever was added since the last question."""
        for op in self.part.ops[self._known :]:
            self._sum_us += self._prices.op_us.get(op, 0.0)
            self._add(op)
        self._known = len(self.part.ops)
        return self._sum_us

    def _add(self, op: int) -> None:
        graph, prices = self._graph, self._prices
        for t in graph.ops[op].outputs:
            self._made.add(t)
            if t in self._read:
                self._read.remove(t)
                self._sum_us -= prices.read_us[t]
            left = self._waiting.setdefault(t, len(graph.consumers[t]))
            if left or t in self._leaving:
                self._handed.add(t)
                self._sum_us += prices.hand_us[t]
        for t in graph.dynamic_inputs(op):
            left = self._waiting.get(t, len(graph.consumers[t])) - 1
            self._waiting[t] = left
            if t not in self._made:
                if t not in self._read:
                    self._read.add(t)
                    self._sum_us += prices.read_us[t]
            elif left == 0 and t not in self._leaving:
                self._handed.remove(t)
                self._sum_us -= prices.hand_us[t]
