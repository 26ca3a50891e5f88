"""The schema of a device file. Every coefficient carries its mark and its source."""

from typing import Any, Final

from pydantic import Field

from band.config.schema import Schema
from band.config.values import ComputeDtype, Count, Name, Scalar, Sha256, Text
from band.device.profile import Mark, ProcessorKind

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


class CostSchema(Schema):
    """Coefficients of one compute type; the formula is in ``CostCoefficients``."""

    dispatch_us: Number
    us_per_gmac: Number
    per_op_us: Number | None = None
    depthwise_weight: PositiveNumber | None = None
    onchip_mb: Number | None = None
    us_per_offchip_mb: Number | None = None


class PublishedSchema(EvidenceSchema):
    """A published latency of one exact file."""

    file: Text
    latency_us: int = Field(ge=1, le=int(LARGEST))


class ProcessorSchema(Schema):
    """One processor, or several equal ones when ``count`` says so.

    Attributes:
        support: a support table, the name of a file that holds one, or a list of both.
    """

    name: Name
    kind: ProcessorKind
    backend: Name
    runtime: Text = "ai-edge-litert"
    threads: int = Field(default=1, ge=1)
    available: bool = True
    count: Count = None
    options: dict[str, Scalar] = {}
    support: Any = None
    costs: dict[ComputeDtype, CostSchema] = Field(min_length=1)
    published: dict[Sha256, PublishedSchema] = {}


class DefaultLinkSchema(Schema):
    """Moving data between any two processors that no other link joins."""

    sync_us: Number
    bytes_per_s: Bandwidth


class LinkSchema(DefaultLinkSchema):
    """Moving data between two named processors."""

    ends: tuple[Name, Name]


class DeviceSchema(Schema):
    """A whole device file.

    Attributes:
        rules, exclude, only, strict: see ``op_rules``.
    """

    name: Name
    version: Text
    description: Text
    time_scale: float = Field(default=1.0, ge=1e-6, le=1e6)
    noise_sigma: Number | None = None
    memory_budget_mib: int = Field(default=1024, ge=1, le=1 << 40)
    processors: tuple[ProcessorSchema, ...] = Field(min_length=1)
    links: tuple[LinkSchema, ...] = ()
    default_link: DefaultLinkSchema | None = None
    rules: Any = None
    exclude: Any = None
    only: Any = None
    strict: Any = None
