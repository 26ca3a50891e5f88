"""The parts of a device file that say how speeds change: noise, contention, heat."""

from typing import Annotated, Literal

from pydantic import Field

from band.config.numbers import Bandwidth, EvidenceSchema, Number, PositiveNumber, Share
from band.config.schema import Schema
from band.config.values import Name

_Factor = Annotated[float, Field(gt=0, le=1e6)]
_Slowdown = Annotated[float, Field(ge=1, le=1e3)]
_Heat = Annotated[float, Field(ge=0, le=1e3)]


class NoiseSchema(EvidenceSchema):
    """Noise of the times of one processor; which of the other keys it takes depends on ``model``.

    The evidence is that of all its numbers.
    """

    model: Literal["lognormal", "gamma", "empirical", "spikes"]
    sigma: float | None = Field(default=None, ge=0, le=10)
    cv: float | None = Field(default=None, gt=0, le=10)
    factors: tuple[_Factor, ...] | None = Field(default=None, min_length=1, max_length=100_000)
    probability: float | None = Field(default=None, ge=0, le=1)
    factor: float | None = Field(default=None, ge=1, le=1e6)


class BandwidthSchema(Schema):
    """A memory that processors share, and what each asks of it."""

    bytes_per_s: Bandwidth
    demand: dict[Name, Bandwidth] = Field(min_length=2)
    memory_bound: dict[Name, Share] = {}


class ContentionSchema(Schema):
    """A group of processors that slow each other, described in one of two ways."""

    per_co_runner: dict[Name, Number] | None = Field(default=None, min_length=2)
    bandwidth: BandwidthSchema | None = None


class CurveSchema(EvidenceSchema):
    """Points of a curve from heat to the factor by which times grow."""

    points: tuple[tuple[_Heat, _Slowdown], ...] = Field(min_length=1)


class ThermalSchema(Schema):
    """Processors that share their heat."""

    heating: dict[Name, PositiveNumber] = Field(min_length=1)
    time_constant_s: PositiveNumber
    slowdown: CurveSchema
