"""The schema of a support table: in a device file, or in a file of its own."""

from typing import Annotated, Any, Literal

from pydantic import Field

from band.config.schema import Schema
from band.config.values import Dtype, Index, Scalar, Sha256, Text
from band.device.limits import Broadcast, Scheme


class ValueLimitSchema(Schema):
    """What a number or a word may be."""

    minimum: int | None = None
    maximum: int | None = None
    allowed: tuple[Scalar, ...] | None = None
    refused: tuple[Scalar, ...] | None = None
    multiple_of: int | None = Field(default=None, ge=1)


class LimitsSchema(Schema):
    """Limits of all ops of a processor, or of one type."""

    dtypes: tuple[Dtype, ...] | None = None
    input_dtypes: tuple[Dtype, ...] | None = None
    output_dtypes: tuple[Dtype, ...] | None = None
    weight_dtypes: tuple[Dtype, ...] | None = None
    min_rank: int | None = Field(default=None, ge=0)
    max_rank: int | None = Field(default=None, ge=0)
    max_wide_dims: int | None = Field(default=None, ge=0)
    quantization: tuple[Scheme, ...] | None = None
    weight_quantization: tuple[Scheme, ...] | None = None
    sizes: dict[Text, ValueLimitSchema] = {}


class OpLimits(LimitsSchema):
    """Limits of one operator type.

    Attributes:
        max_size: short for ``sizes`` with a maximum of height and width.
        kernel_widths: short for ``sizes`` with the allowed filter widths.
    """

    min_version: int | None = Field(default=None, ge=1)
    max_version: int | None = Field(default=None, ge=1)
    max_size: int | None = Field(default=None, ge=1)
    kernel_widths: tuple[int, ...] | None = None
    broadcast: tuple[Broadcast, ...] | None = None
    constant_inputs: tuple[Index, ...] | None = None
    computed_inputs: tuple[Index, ...] | None = None
    options: dict[Text, ValueLimitSchema] = {}


class OpListSchema(Schema):
    """Ops of one exact file that are refused or taken, as logged on a real device.

    Attributes:
        sha256: of the model file; left out where it is the key of the list.
        file: a log to read instead, see ``op_logs``.
        processor: of a log that tells of several, whose ops to read.
    """

    sha256: Sha256 | None = None
    model: Text | None = None
    file: Text | None = None
    processor: Text | None = None
    unsupported: tuple[Index, ...] | None = None
    taken: tuple[Index, ...] | None = None
    types: tuple[Text, ...] | None = None
    reason: Text | None = None


class SupportSchema(LimitsSchema):
    """A support table.

    Attributes:
        others: what holds for builtin op types that ``ops`` does not name.
        op_lists: entries by sha256, or a list of entries.
    """

    source: Annotated[str, Field(min_length=1)] | None = None
    ops: dict[Text, OpLimits | None] | None = None
    others: Literal["taken", "refused"] | None = None
    refused_ops: tuple[Text, ...] = ()
    custom_ops: tuple[Text, ...] = ()
    prefix_only: bool | None = None
    op_lists: Any = None
