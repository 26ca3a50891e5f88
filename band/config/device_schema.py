"""The schema of a device file. Every coefficient carries its mark and its source."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from band.config.schema import Schema
from band.device.cost import COMPUTE_DTYPES
from band.device.profile import Mark, ProcessorKind
from band.model.graph import DTYPE_BYTES

_DTYPES = (*DTYPE_BYTES, "string", "resource", "variant")


def _checked(words: str, value: str, *, accepted: bool) -> str:
    if not accepted:
        message = f"'{value}' is not {words}"
        raise ValueError(message)
    return value


def _sha256(value: str) -> str:
    accepted = len(value) == 64 and set(value) <= set("0123456789abcdef")
    return _checked("a sha256 (64 lower-case hexadecimal digits)", value, accepted=accepted)


def _name(value: str) -> str:
    accepted = value.isascii() and value.replace("_", "").replace("-", "").isalnum()
    return _checked("a name (letters, digits, '_' and '-')", value, accepted=accepted)


def _dtype(value: str) -> str:
    return _checked(f"a tensor type ({', '.join(_DTYPES)})", value, accepted=value in _DTYPES)


def _compute_dtype(value: str) -> str:
    words = f"a compute type ({', '.join(COMPUTE_DTYPES)})"
    return _checked(words, value, accepted=value in COMPUTE_DTYPES)


def _scalar(value: object) -> object:
    if not isinstance(value, bool | int | float | str):
        raise PydanticCustomError("scalar", "must be text, a number, true or false")
    return value


def _count(value: object) -> object:
    number = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if not (number or value is None or value == "per_core"):
        raise PydanticCustomError("count", "must be a whole number of at least 1, or per_core")
    return value


Sha256 = Annotated[str, AfterValidator(_sha256)]
Name = Annotated[str, AfterValidator(_name)]
Dtype = Annotated[str, AfterValidator(_dtype)]
ComputeDtype = Annotated[str, AfterValidator(_compute_dtype)]
Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int | Literal["per_core"] | None, BeforeValidator(_count)]
Scalar = Annotated[bool | int | float | str, BeforeValidator(_scalar)]


class EvidenceSchema(Schema):
    """Where a number comes from."""

    mark: Mark
    source: Text


class Number(EvidenceSchema):
    """A number of 0 or more with its evidence."""

    value: float = Field(ge=0)


class PositiveNumber(EvidenceSchema):
    """A positive number with its evidence."""

    value: float = Field(gt=0)


class OptionLimitSchema(Schema):
    """What a builtin option may be."""

    maximum: int | None = None
    allowed: tuple[Scalar, ...] | None = None


class OpLimits(Schema):
    """Limits of one operator type."""

    dtypes: tuple[Dtype, ...] | None = None
    max_rank: int | None = Field(default=None, ge=0)
    max_version: int | None = Field(default=None, ge=1)
    max_size: int | None = Field(default=None, ge=1)
    kernel_widths: tuple[int, ...] | None = None
    options: dict[str, OptionLimitSchema] = {}


class OpListSchema(Schema):
    """Refusals of one exact file, as logged on a real device."""

    model: Text
    unsupported: tuple[Annotated[int, Field(ge=0)], ...]
    reason: Text


class SupportSchema(Schema):
    """What a processor takes; without ``ops`` every builtin operator."""

    source: Text
    ops: dict[Text, OpLimits | None] | None = None
    refused_ops: tuple[Text, ...] = ()
    dtypes: tuple[Dtype, ...] | None = None
    max_rank: int | None = Field(default=None, ge=0)
    max_wide_dims: int | None = Field(default=None, ge=0)
    custom_ops: tuple[Text, ...] = ()
    prefix_only: bool = False
    op_lists: dict[Sha256, OpListSchema] = {}


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
    latency_us: int = Field(ge=1)


class ProcessorSchema(Schema):
    """One processor, or several equal ones when ``count`` says so."""

    name: Name
    kind: ProcessorKind
    backend: Name
    runtime: Text = "ai-edge-litert"
    threads: int = Field(default=1, ge=1)
    available: bool = True
    count: Count = None
    options: dict[str, Scalar] = {}
    support: SupportSchema | None = None
    costs: dict[ComputeDtype, CostSchema] = Field(min_length=1)
    published: dict[Sha256, PublishedSchema] = {}


class DefaultLinkSchema(Schema):
    """Moving data between any two processors that no other link joins."""

    sync_us: Number
    bytes_per_s: PositiveNumber


class LinkSchema(DefaultLinkSchema):
    """Moving data between two named processors."""

    ends: tuple[Name, Name]


class DeviceSchema(Schema):
    """A whole device file."""

    name: Name
    version: Text
    description: Text
    time_scale: float = Field(default=1.0, gt=0)
    noise_sigma: Number | None = None
    memory_budget_mib: int = Field(default=1024, ge=1)
    processors: tuple[ProcessorSchema, ...] = Field(min_length=1)
    links: tuple[LinkSchema, ...] = ()
    default_link: DefaultLinkSchema | None = None
