"""What a processor may demand of one op: the limits a support table can state, and their merge.

Dataclasses only; ``breaches`` holds an op against them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Final, NamedTuple

Scalar = bool | int | float | str

ANY_SIZES: Final = (
    "batch", "height", "width", "elements", "bytes", "input_channels", "output_channels",
    "filter_height", "filter_width", "weight_bytes", "inputs",
)  # fmt: skip
"""The sizes that a limit may name.

``batch``, ``height`` and ``width`` are dimensions 0, 1 and 2 of every data tensor of rank 4;
``elements`` and ``bytes`` are of every data tensor; the channels are the last dimension of the
first data input and of the first output; the filter is input 1 (of a pooling op, its options);
``weight_bytes`` is the sum over the op's constants; ``inputs`` counts the data inputs.
"""


class Scheme(StrEnum):
    """How a tensor is quantised."""

    NONE = "none"
    PER_TENSOR = "per_tensor"
    PER_CHANNEL = "per_channel"


class Broadcast(StrEnum):
    """How the inputs of an element-wise op are stretched to its output.

    ``channel``: an input varies along the last dimension only; ``general``: any other way.
    """

    NONE = "none"
    SCALAR = "scalar"
    CHANNEL = "channel"
    GENERAL = "general"


class Place(NamedTuple):
    """Where a fact was written: the name of the key, and ``file:line``."""

    key: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueLimit:
    """What one number or word may be; None = no limit of that sort.

    Attributes:
        name: of a builtin option, or one of ``ANY_SIZES``.
        multiple_of: the number must be a multiple of it.
    """

    name: str
    minimum: int | None = None
    maximum: int | None = None
    allowed: tuple[Scalar, ...] | None = None
    refused: tuple[Scalar, ...] | None = None
    multiple_of: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of an op type, or of all ops of a processor; None = no limit of that sort.

    Data tensors are inputs that other ops or the app bring, and outputs. Weights are constant
    inputs, but for plain integers, which are shapes and indices.

    Attributes:
        dtypes: of data tensors.
        input_dtypes: of data inputs alone, besides ``dtypes``.
        output_dtypes: of outputs alone, besides ``dtypes``.
        weight_dtypes: of weights.
        min_rank: fewest dimensions of a data tensor.
        max_rank: most dimensions of a data tensor.
        max_wide_dims: most dimensions larger than 1 of a data tensor.
        quantization: ways in which data tensors may be quantised.
        weight_quantization: ways in which weights may be quantised.
        broadcast: ways in which inputs may be stretched.
        constant_inputs: positions of inputs that must be constant.
        computed_inputs: positions of inputs that must not be constant.
        sizes: by a name of ``ANY_SIZES``.
        options: by the name of a builtin option.
        places: where each was written; it takes no part in comparison.
    """

    min_version: int | None = None
    max_version: int | None = None
    dtypes: tuple[str, ...] | None = None
    input_dtypes: tuple[str, ...] | None = None
    output_dtypes: tuple[str, ...] | None = None
    weight_dtypes: tuple[str, ...] | None = None
    min_rank: int | None = None
    max_rank: int | None = None
    max_wide_dims: int | None = None
    quantization: tuple[Scheme, ...] | None = None
    weight_quantization: tuple[Scheme, ...] | None = None
    broadcast: tuple[Broadcast, ...] | None = None
    constant_inputs: tuple[int, ...] | None = None
    computed_inputs: tuple[int, ...] | None = None
    sizes: tuple[ValueLimit, ...] = ()
    options: tuple[ValueLimit, ...] = ()
    places: tuple[Place, ...] = field(default=(), compare=False)

    def place(self, key: str) -> str:
        """Return ``file:line`` of a limit, "" if it comes from no file."""
        return dict(self.places).get(key, "")


NO_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpRule:
    """One operator type that a processor takes, with its limits."""

    type: str
    limits: Limits = NO_LIMITS


_SINGLE: Final = tuple(
    f.name for f in fields(Limits) if f.name not in {"sizes", "options", "places"}
)


def merged_limits(base: Limits, over: Limits) -> Limits:
    """Return the limits of ``base`` with each one that ``over`` states in its place.

    Sizes and options are stated one by one. The merge is associative.
    """
    stated = {name: value for name in _SINGLE if (value := getattr(over, name)) is not None}
    replaced = {*stated, *(key for key, _ in named_limits(over))}
    return replace(
        base,
        **stated,
        sizes=_by_name(base.sizes, over.sizes),
        options=_by_name(base.options, over.options),
        places=(*(p for p in base.places if p.key not in replaced), *over.places),
    )


def named_limits(limits: Limits) -> tuple[tuple[str, ValueLimit], ...]:
    """Return the limits of sizes and options by the keys of their places: ``options.stride_w``."""
    return (
        *((f"sizes.{limit.name}", limit) for limit in limits.sizes),
        *((f"options.{limit.name}", limit) for limit in limits.options),
    )


def _by_name(base: Iterable[ValueLimit], over: Iterable[ValueLimit]) -> tuple[ValueLimit, ...]:
    return tuple({limit.name: limit for limit in (*base, *over)}.values())
