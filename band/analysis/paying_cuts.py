"""Where it pays to cut a topological order, op by op: a first look before units are made.

Unit subgraphs are cut where support changes. A processor may also be worth leaving in the middle
of what it takes, if another runs the rest that much faster. Such cuts are those of the best idle
plan over single ops, for every set of kinds of processors: whichever are down or busy for long.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from band.analysis.prices import SumPrices, Times

MAX_KINDS: Final = 6
"""With more kinds of processors only the set of all of them is looked at."""


class PayingCuts(NamedTuple):
    """What the search found for one order.

    Attributes:
        latency_us: of the best idle plan over all processors; inf if there is none.
        positions: before which items of the order some best plan changes processors.
    """

    latency_us: float
    positions: frozenset[int]


def paying_cuts(prices: SumPrices, order: Sequence[int], moves: Times) -> PayingCuts:
    """Return the best idle latency of an order and the cuts of best idle plans.

    A dynamic programme over (position, processor in use): go on, or pay the move and a dispatch.

    Args:
        prices: of the items.
        order: items in topological order.
        moves: [position, from processor of the device, to processor].
    """
    kinds = _kinds(prices, moves)
    sets = _sets(len(kinds))
    chosen = [prices.processors[k] for k in kinds]
    moves = moves[:, chosen][:, :, chosen]
    op_us = prices.op_us[:, kinds][list(order)]
    dispatch_us = prices.dispatch_us[kinds]
    begun = np.where(sets, dispatch_us, np.inf)
    stayed = begun
    came = np.empty((len(order), *sets.shape), dtype=np.int16)
    itself = np.arange(len(kinds))
    for position in range(len(order)):
        through = stayed[:, :, None] + moves[position] + begun[:, None, :]
        through[:, itself, itself] = stayed
        came[position] = through.argmin(axis=1)
        # Staying wins ties, so that no cut is made that gains nothing.
        least = through.min(axis=1)
        came[position][least == stayed] = np.broadcast_to(itself, sets.shape)[least == stayed]
        stayed = least + op_us[position]
    positions: set[int] = set()
    for number, ends in enumerate(stayed):
        holder = int(ends.argmin())
        if np.isfinite(ends[holder]):
            positions.update(_switches(came[:, number], holder))
    return PayingCuts(float(stayed[-1].min()), frozenset(positions))


def _switches(came: np.ndarray[tuple[int, int], np.dtype[np.int16]], holder: int) -> set[int]:
    """Return the positions at which the best plan that ends on ``holder`` changes processors."""
    found = set()
    for position in range(len(came) - 1, 0, -1):
        before = int(came[position, holder])
        if before != holder:
            found.add(position)
            holder = before
    return found


def _sets(kinds: int) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Return sets of at least two kinds as rows, the set of all of them last."""
    everyone = (1 << kinds) - 1
    masks = range(1, everyone + 1) if kinds <= MAX_KINDS else range(everyone, everyone + 1)
    rows = [m for m in masks if m.bit_count() > 1 or m == everyone]
    return np.array([[bool(mask >> k & 1) for k in range(kinds)] for mask in rows])


def _kinds(prices: SumPrices, moves: Times) -> list[int]:
    """Return one place in ``prices.processors`` for each group that costs the same."""
    seen: set[bytes] = set()
    found = []
    for place, processor in enumerate(prices.processors):
        facts = (
            prices.op_us[:, place].tobytes(),
            prices.dispatch_us[place].tobytes(),
            np.sort(moves[:, processor], axis=1).tobytes(),
        )
        key = b"".join(facts)
        if key not in seen:
            seen.add(key)
            found.append(place)
    return found
