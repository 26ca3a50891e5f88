"""Prices of the ops of one model on one processor: a fitted cost model, corrected by measurements.

What the cost model misses of a model (a shape that a kernel likes, a cache that is just too small)
it misses in every subgraph that holds the op. So the measured subgraphs of a model correct the
prices of its ops: each may be wrong by a factor of its own and by one that it shares with the other
ops of its class in that model. The most likely factors given the measurements are the conditional
mean of a Gaussian (Rasmussen and Williams 2006, 2.1), linear algebra in the number of measurements.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from band.device.fit import CostFit
from band.device.fit_terms import GraphTerms, boundary

_NOISE: Final = 0.1
_OP_SPREAD: Final = 0.1
_CLASS_SPREAD: Final = 0.1
_LIMITS: Final = (0.2, 5.0)

_Array = npt.NDArray[Any]


class ModelPrices:
    """What subgraphs of one model cost on one processor; positive, and additive over their ops.

    Args:
        fit: of the processor.
        terms: of the model.
        measured: ops of a subgraph -> its measured time in microseconds; may be empty.

    Attributes:
        op_us: compute op -> its share in the time of any subgraph that holds it.
        dispatch_us: of any subgraph.
        read_us, hand_us: per tensor, what a subgraph takes that reads it or hands it on.
    """

    __slots__ = ("_terms", "dispatch_us", "hand_us", "op_us", "read_us")

    def __init__(
        self, fit: CostFit, terms: GraphTerms, measured: Mapping[tuple[int, ...], float]
    ) -> None:
        self._terms = terms
        prices = dict(fit.prices)
        edge = {term: fit.price_us(term) for term in terms.edge((), ())}

        def us(inputs: tuple[int, ...], outputs: tuple[int, ...]) -> float:
            return sum(n * edge[term] for term, n in terms.edge(inputs, outputs).items())

        self.dispatch_us = us((), ())
        tensors = range(len(terms.graph.tensors))
        self.read_us = tuple(us((t,), ()) - self.dispatch_us for t in tensors)
        self.hand_us = tuple(us((), (t,)) - self.dispatch_us for t in tensors)
        shares = {
            op: {t: n * (prices.get(t) or fit.price_us(t)) for t, n in counts.items()}
            for op, counts in terms.ops.items()
        }
        self.op_us: dict[int, float] = {op: sum(share.values()) for op, share in shares.items()}
        if measured:
            kinds = [max(share, key=lambda t: share[t], default="") for share in shares.values()]
            self._correct(kinds, measured)

    def edge_us(self, inputs: Iterable[int], outputs: Iterable[int]) -> float:
        """Return the time of a subgraph beside its ops: dispatch and boundary, positive.

        Args:
            inputs: tensors that it reads.
            outputs: tensors that it hands on.
        """
        moved_us = sum(self.read_us[t] for t in inputs) + sum(self.hand_us[t] for t in outputs)
        return self.dispatch_us + moved_us

    def part_us(self, ops: Collection[int]) -> float:
        """Return the time of a subgraph in microseconds, positive."""
        edge_us = self.edge_us(*boundary(self._terms.graph, ops))
        return edge_us + sum(self.op_us.get(op, 0.0) for op in ops)

    def _correct(self, kinds: Sequence[str], measured: Mapping[tuple[int, ...], float]) -> None:
        ops = tuple(self.op_us)
        place = {op: number for number, op in enumerate(ops)}
        shares = np.zeros((len(measured), len(ops)))
        missed = np.zeros(len(measured))
        for row, (part, us) in enumerate(measured.items()):
            for op in part:
                if op in place:
                    shares[row, place[op]] = self.op_us[op] / us
            missed[row] = 1 - self.part_us(part) / us
        same = np.array([[a == b for b in kinds] for a in kinds])
        spread = _CLASS_SPREAD**2 * same + _OP_SPREAD**2 * np.eye(len(ops))
        factors = 1 + _conditional_mean(shares, spread, missed)
        for op, factor in zip(ops, np.clip(factors, *_LIMITS), strict=True):
            self.op_us[op] *= float(factor)


def _conditional_mean(shares: _Array, spread: _Array, missed: _Array) -> _Array:
    """Return the most likely corrections x of ``shares @ x = missed + noise``, x ~ N(0, spread)."""
    seen = shares @ spread
    noise = _NOISE**2 * np.eye(len(missed))
    found: _Array = seen.T @ np.linalg.solve(seen @ shares.T + noise, missed)
    return found
