"""Where labels go so that none covers another: ticks of a ruler, and flags over a row of marks."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final, NamedTuple

from band.report.svg_canvas import text_width

GAP: Final = 6.0
LANES: Final = 6
"""How many rows of flags there are at most; a flag that finds no place is left out."""


class Tick(NamedTuple):
    """A label of a ruler, centred at ``x``."""

    x: float
    text: str


class Flag(NamedTuple):
    """A label beside the thin pole that marks ``x``.

    Attributes:
        number: of the mark.
        left, right: the space its text takes.
        lane: 0 for the row next to the marks.
    """

    number: int
    x: float
    left: float
    right: float
    lane: int
    text: str


def regular(least: float) -> int:
    """Return the smallest of 1, 2, 5, 10, 20, 50, ... that is at least ``least``."""
    power = 1
    while True:
        for part in (1, 2, 5):
            if part * power >= least:
                return part * power
        power *= 10


def ticks(candidates: Iterable[Tick], size: float) -> list[Tick]:
    """Return the first candidate and each further one that has room after the last chosen.

    Args:
        candidates: by ascending x.
        size: font size.
    """
    chosen: list[Tick] = []
    end = float("-inf")
    for tick in candidates:
        half = text_width(tick.text, size) / 2
        if tick.x - half >= end + GAP:
            chosen.append(tick)
            end = tick.x + half
    return chosen


def flags(
    marks: Sequence[tuple[float, str]],
    importance: Sequence[float],
    space: tuple[float, float],
    size: float,
) -> list[Flag]:
    """Return flags for marks, as many as find a place, the most important ones first.

    No text covers another text or the pole of another flag.

    Args:
        marks: (x, text) of each.
        importance: of each; who comes first when there is no room for all.
        space: the leftmost and the rightmost x that a flag may cover.
        size: font size.
    """
    placed: list[Flag] = []
    left, right = space
    for number in sorted(range(len(marks)), key=lambda i: (-importance[i], i)):
        x, text = marks[number]
        width = text_width(text, size) + GAP
        sides = [(x, x + width), (x - width, x)]
        places = [
            Flag(number, x, *side, lane, text)
            for lane in range(LANES)
            for side in sides
            if left <= side[0] and side[1] <= right
        ]
        fitting = (flag for flag in places if all(_apart(flag, other) for other in placed))
        placed.extend(islice(fitting, 1))
    return sorted(placed)


def _apart(one: Flag, other: Flag) -> bool:
    """Return whether neither text nor pole of two flags touches the other's text."""
    if one.lane == other.lane:
        return one.right <= other.left or other.right <= one.left
    low, high = sorted((one, other), key=lambda flag: flag.lane)
    return not low.left - GAP / 2 < high.x < low.right + GAP / 2
