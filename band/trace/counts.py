"""How many copies of a node a frame has: fixed, drawn, or as many as another node.

A draw maps one number of [0, 1) to a count, so every count costs one random number whatever its
distribution: editing one count leaves all other draws of the trace as they were.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Final, Self

from pydantic import Field, model_validator

from band.config.schema import Schema
from band.trace.schema import MAX_COUNT

MAX_POISSON_MEAN: Final = 100.0
_KINDS: Final = "a count is a whole number or one of uniform, poisson, choice, same_as"

Copies = Annotated[int, Field(ge=0, le=MAX_COUNT)]


class Count(Schema):
    """Copies of a node per frame; a bare number in YAML means ``fixed``.

    Exactly one of ``fixed``, ``uniform``, ``poisson``, ``choice`` and ``same_as`` is given.

    Attributes:
        uniform: smallest and largest count, equally likely with all between.
        poisson: mean of a Poisson distribution.
        choice: counts drawn with equal chance; repeat one to make it likelier.
        same_as: name of a node of the frame whose count this one copies.
        max: cap of ``poisson``.
    """

    fixed: Copies | None = None
    # Not strict: the validator of the bare number hands on Python lists, not JSON ones.
    uniform: (
        Annotated[tuple[Copies, ...], Field(min_length=2, max_length=2, strict=False)] | None
    ) = None
    poisson: Annotated[float, Field(ge=0, le=MAX_POISSON_MEAN)] | None = None
    choice: Annotated[tuple[Copies, ...], Field(min_length=1, strict=False)] | None = None
    same_as: str | None = None
    max: Copies | None = None

    @model_validator(mode="before")
    @classmethod
    def _bare_number(cls, value: Any) -> Any:
        if isinstance(value, int):
            return {"fixed": value}
        if isinstance(value, (Mapping, Count)):
            return value
        raise ValueError(_KINDS)

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = (self.fixed, self.uniform, self.poisson, self.choice, self.same_as)
        if sum(kind is not None for kind in kinds) != 1:
            raise ValueError(_KINDS)
        if self.uniform is not None and self.uniform[0] > self.uniform[1]:
            msg = f"uniform goes from {self.uniform[0]} up to {self.uniform[1]}; swap them"
            raise ValueError(msg)
        if self.max is not None and self.poisson is None:
            msg = "max is the cap of poisson; the other counts have their own bounds"
            raise ValueError(msg)
        return self

    def draw(self, u: float, counts: Mapping[str, int]) -> int:
        """Return the count for one uniform number ``0 <= u < 1``.

        Args:
            u: the random number.
            counts: counts of the nodes of this frame drawn before.
        """
        if self.fixed is not None:
            return self.fixed
        if self.same_as is not None:
            return counts[self.same_as]
        if self.uniform is not None:
            low, high = self.uniform
            return low + int(u * (high - low + 1))
        if self.choice is not None:
            return self.choice[int(u * len(self.choice))]
        return _poisson(u, self.poisson or 0.0, MAX_COUNT if self.max is None else self.max)


def _poisson(u: float, mean: float, cap: int) -> int:
    """Return the smallest k whose cumulative Poisson probability exceeds ``u``, at most ``cap``."""
    chance = cumulative = math.exp(-mean)
    k = 0
    while u >= cumulative and k < cap and chance > 0.0:
        k += 1
        chance *= mean / k
        cumulative += chance
    return k
