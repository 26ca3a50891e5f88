"""Labels that find their place."""

import random
from itertools import pairwise

import pytest

from band.report.svg_canvas import text_width
from band.report.svg_labels import LANES, Tick, flags, regular, ticks


@pytest.mark.parametrize(("least", "found"), [(0.3, 1), (1, 1), (3, 5), (5.1, 10), (21, 50)])
def test_rulers_count_in_ones_twos_and_fives(least: float, found: int) -> None:
    assert regular(least) == found


def test_ticks_leave_out_what_has_no_room() -> None:
    chosen = ticks([Tick(float(x), "100") for x in range(0, 200, 10)], 10)
    assert chosen[0].x == 0
    for one, other in pairwise(chosen):
        assert other.x - one.x >= text_width("100", 10)
    assert len(chosen) > 4


@pytest.mark.parametrize("seed", range(20))
def test_no_flag_covers_another_or_its_pole(seed: int) -> None:
    rng = random.Random(seed)
    marks = sorted((rng.uniform(0, 600), "x" * rng.randint(5, 20)) for _ in range(25))
    placed = flags(marks, [rng.random() for _ in marks], (0, 700), 10)
    for flag in placed:
        assert flag.x in (flag.left, flag.right)
        assert 0 <= flag.left < flag.right <= 700
        assert 0 <= flag.lane < LANES
        assert flag.right - flag.left >= text_width(flag.text, 10)
        for other in placed:
            if other.number == flag.number:
                continue
            if other.lane == flag.lane:
                assert other.right <= flag.left or flag.right <= other.left
            if other.lane > flag.lane:
                assert not flag.left < other.x < flag.right
    assert len(placed) >= 6


def test_the_most_important_mark_always_has_a_flag() -> None:
    marks = [(float(x), "much too long for this") for x in range(100, 130)]
    importance = [0.0] * 29 + [1.0]
    placed = flags(marks, importance, (0, 400), 10)
    assert 29 in {flag.number for flag in placed}
    assert len(placed) < 30
