"""Numbers of a device file: each carries how it is known and from where."""

from typing import Final

from pydantic import Field

from band.config.schema import Schema
from band.config.values import Text
from band.device.profile import Mark

LARGEST: Final = 1e12
"""Of a coefficient or a time in microseconds: plans add them up and must tell them from never."""


class EvidenceSchema(Schema):
    """Where a number comes from."""

    mark: Mark
    source: Text


class Number(EvidenceSchema):
    """A number of 0 or more with its evidence."""

    value: float = Field(ge=0, le=LARGEST)


class PositiveNumber(EvidenceSchema):
    """A positive number with its evidence."""

    value: float = Field(gt=0, le=LARGEST)


class Bandwidth(EvidenceSchema):
    """Bytes per second with their evidence."""

    value: float = Field(ge=1, le=LARGEST * 1000)


class Share(EvidenceSchema):
    """A number from 0 to 1 with its evidence."""

    value: float = Field(ge=0, le=1)


class Power(EvidenceSchema):
    """Whole milliwatts with their evidence."""

    value: int = Field(ge=0, le=1_000_000)
