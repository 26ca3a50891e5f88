from collections import Counter

import pytest
from pydantic import ValidationError

from band.trace.counts import Count

GRID = [(i + 0.5) / 10_000 for i in range(10_000)]


def test_a_fixed_count_ignores_the_random_number() -> None:
    assert {Count(fixed=3).draw(u, {}) for u in GRID} == {3}


def test_a_uniform_count_takes_every_value_equally_often() -> None:
    drawn = Counter(Count(uniform=(2, 5)).draw(u, {}) for u in GRID)
    assert drawn == {2: 2500, 3: 2500, 4: 2500, 5: 2500}


def test_a_choice_gives_repeated_values_more_weight() -> None:
    drawn = Counter(Count(choice=(0, 1, 1, 4)).draw(u, {}) for u in GRID)
    assert drawn == {0: 2500, 1: 5000, 4: 2500}


def test_a_poisson_count_has_its_mean_and_its_share_of_zeros() -> None:
    drawn = [Count(poisson=1.5).draw(u, {}) for u in GRID]
    assert sum(drawn) / len(drawn) == pytest.approx(1.5, abs=0.005)
    assert drawn.count(0) / len(drawn) == pytest.approx(0.2231, abs=0.001)


def test_a_poisson_count_never_exceeds_its_cap() -> None:
    assert max(Count(poisson=6.0, max=4).draw(u, {}) for u in GRID) == 4


def test_a_poisson_count_ends_at_the_largest_random_number() -> None:
    assert Count(poisson=100.0).draw(1.0 - 2**-53, {}) < 250


def test_same_as_copies_the_count_of_another_node() -> None:
    assert Count(same_as="faces").draw(0.9, {"faces": 7}) == 7


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "a count is a whole number or one of"),
        ({"fixed": 1, "poisson": 2.0}, "a count is a whole number or one of"),
        ({"uniform": (3, 1)}, "swap them"),
        ({"fixed": 2, "max": 3}, "max is the cap of poisson"),
        ({"fixed": -1}, "greater than or equal to 0"),
        ({"choice": ()}, "at least 1 item"),
    ],
)
def test_an_impossible_count_is_refused(fields: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Count.model_validate(fields)
