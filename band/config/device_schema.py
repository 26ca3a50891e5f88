"""The schema of a device file. Every coefficient carries its mark and its source."""

from typing import Any

from pydantic import Field

from band.config.dynamics_schema import ContentionSchema, NoiseSchema, ThermalSchema
from band.config.numbers import LARGEST, Bandwidth, EvidenceSchema, Number, PositiveNumber, Power
from band.config.schema import Schema
from band.config.values import ComputeDtype, Count, Name, Scalar, Sha256, Text
from band.device.profile import ProcessorKind


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
    active_mw: Power | None = None
    idle_mw: Power | None = None
    cold_after_us: int | None = Field(default=None, ge=1)
    noise: NoiseSchema | None = None


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
    contention: tuple[ContentionSchema, ...] = ()
    thermal: tuple[ThermalSchema, ...] = ()
    rules: Any = None
    exclude: Any = None
    only: Any = None
    strict: Any = None
