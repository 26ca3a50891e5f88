"""The linear programme of span flows: the most work that processors of 1 s a second can carry.

Jobs flow from state to state along spans; each flow takes its processor's time. The scale of the
given rates is maximised. The duals of the processors are the prices of their time: what a little
more of each would add.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from band.errors import BandError, ErrorCode
from band.units import US_PER_S

Entry = tuple[int, int, float]
"""(row, column, value)."""


class Solution(NamedTuple):
    """The flow that carries the most.

    Attributes:
        scale: the greatest factor by which the given rates can be multiplied.
        flows: jobs a second at that scale, per column in the order in which they were added.
        prices: per processor its share in what limits the scale; they add up to 1.
        utilisation: per processor, the share of its time that the flow uses.
    """

    scale: float
    flows: tuple[float, ...]
    prices: tuple[float, ...]
    utilisation: tuple[float, ...]


class SpanProgramme:
    """A programme that grows by states and spans; column 0 is the scale.

    Args:
        processor_count: of the device.
    """

    def __init__(self, processor_count: int) -> None:
        self._count = processor_count
        self._columns = 1
        self._rows = 0
        self._load: list[Entry] = []
        self._balance: list[Entry] = []

    def add_states(self, count: int, rate_per_s: float) -> int:
        """Add states of one model and return the first: there ``scale * rate`` jobs start."""
        first = self._rows
        self._rows += count
        self._balance.append((first, 0, -rate_per_s))
        return first

    def add_span(self, processor: int, cost_us: int, source: int, target: int | None) -> None:
        """Add a flow from a state to another; without target its jobs are done."""
        column = self._columns
        self._columns += 1
        self._load.append((processor, column, cost_us / US_PER_S))
        self._balance.append((source, column, 1.0))
        if target is not None:
            self._balance.append((target, column, -1.0))

    def solve(self) -> Solution:
        """Return the flow of the greatest scale.

        Raises:
            BandError: INTERNAL if the solver finds none.
        """
        from scipy.optimize import linprog

        load = sparse(self._load, self._count, self._columns)
        answer = linprog(
            [-1.0] + [0.0] * (self._columns - 1),
            A_ub=load,
            b_ub=[1.0] * self._count,
            A_eq=sparse(self._balance, self._rows, self._columns),
            b_eq=[0.0] * self._rows,
            method="highs",
        )
        if not answer.success:
            raise BandError(
                ErrorCode.INTERNAL, f"the flow of spans has no solution: {answer.message}"
            )
        worth = [max(0.0, -float(dual)) for dual in answer.ineqlin.marginals]
        total = sum(worth) or 1.0
        scale, *flows = (float(value) for value in answer.x)
        return Solution(
            scale=scale,
            flows=tuple(flows),
            prices=tuple(price / total for price in worth),
            utilisation=tuple(float(share) for share in load @ answer.x),
        )


def sparse(entries: Sequence[Entry], rows: int, columns: int) -> Any:
    """Return a sparse matrix of that shape; entries of the same place add up."""
    from scipy.sparse import coo_array

    row, column, value = zip(*entries, strict=True)
    return coo_array((value, (row, column)), shape=(rows, columns)).tocsr()
