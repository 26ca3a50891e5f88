"""Ranges that types declare: found wherever they stand, kept, and told in words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, NamedTuple

import pytest
from annotated_types import Ge, Gt, Interval, Le, Lt

from band.config.params import parse_params
from band.errors import BandError
from band.scheduler.params import check_params
from band.scheduler.ranges import hints_of, out_of_range, range_text


class Part(NamedTuple):
    name: str
    weight: Annotated[int, Ge(1)] = 1


@dataclass(frozen=True)
class Params:
    share: Annotated[float, Ge(0), Lt(1)] = 0.5
    level: Annotated[int, Interval(gt=0, le=9)] = 1
    margin: Annotated[float, Gt(0)] | None = None
    weights: Mapping[str, Annotated[float, Gt(0)]] = field(default_factory=dict)
    sizes: tuple[Annotated[int, Le(4)], ...] = ()
    pair: tuple[str, Annotated[int, Ge(0)]] = ("", 0)
    parts: Mapping[str, tuple[Part, ...]] = field(default_factory=dict)
    mode: Literal["fast", "fair"] = "fair"
    free: int = -7


@pytest.mark.parametrize(
    ("given", "mistake"),
    [
        ({}, None),
        ({"share": 0, "level": 9, "margin": 0.1, "sizes": (4, -4), "pair": ("x", 0)}, None),
        ({"share": -0.5}, "'share' must be at least 0, not -0.5"),
        ({"share": 1.0}, "'share' must be less than 1, not 1.0"),
        ({"share": float("nan")}, "'share' must be at least 0, not nan"),
        ({"level": 0}, "'level' must be greater than 0, not 0"),
        ({"level": 10}, "'level' must be at most 9, not 10"),
        ({"margin": 0}, "'margin' must be greater than 0, not 0"),
        ({"weights": {"a": 1, "b": -1}}, "'weights.b' must be greater than 0, not -1"),
        ({"sizes": (1, 5)}, "'sizes[1]' must be at most 4, not 5"),
        ({"pair": ("x", -1)}, "'pair[1]' must be at least 0, not -1"),
        ({"parts": {"m": (Part("a"),)}}, None),
        (
            {"parts": {"m": (("a", 1), ("b", 0))}},
            "'parts.m[1].weight' must be at least 1, not 0",
        ),
        ({"free": -8}, None),
    ],
)
def test_the_first_value_outside_its_range_is_named(
    given: dict[str, object], mistake: str | None
) -> None:
    params = Params(**given)  # type: ignore[arg-type]
    assert out_of_range(params) == mistake


def test_a_file_hears_the_same_words() -> None:
    for given, words in (({"level": 0}, "greater than 0, not 0"), ({"sizes": [5]}, "at most 4")):
        with pytest.raises(BandError, match=words):
            parse_params(Params, given, "here")


def test_ranges_are_told_in_words() -> None:
    told = {name: range_text(hint, name) for name, hint in hints_of(Params).items()}
    assert told == {
        "share": "at least 0 and less than 1",
        "level": "greater than 0 and at most 9",
        "margin": "greater than 0",
        "weights": "greater than 0",
        "sizes": "at most 4",
        "pair": "at least 0",
        "parts": "weight at least 1",
        "mode": "",
        "free": "",
    }


@dataclass(frozen=True)
class Plain:
    window: object = 1


@dataclass(frozen=True)
class Nowhere:
    size: "Unknown" = 1  # type: ignore[name-defined]  # noqa: F821


def test_a_window_is_checked_whatever_it_declares() -> None:
    check_params(Plain(), "here")
    for window in (0, -3, None, 1.5, "2"):
        with pytest.raises(BandError, match="here: 'window' must be a whole number of at least 1"):
            check_params(Plain(window=window), "here")


def test_types_that_cannot_be_read_are_named() -> None:
    with pytest.raises(BandError, match="here: the types of Nowhere cannot be read: name 'Unk"):
        check_params(Nowhere(), "here")
