"""Kinds of values that several schemas take, each with the words for a wrong one."""

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from band.device.cost import COMPUTE_DTYPES
from band.model.graph import DTYPE_BYTES

MOST_COPIES: Final = 256
"""Of one processor: each is a thread of its own, and one more choice for every subgraph."""

_DTYPES = (*DTYPE_BYTES, "string", "resource", "variant")


def _checked(words: str, value: str, *, accepted: bool) -> str:
    if not accepted:
        message = f"'{value}' is not {words}"
        raise ValueError(message)
    return value


def is_sha256(value: str) -> bool:
    """Return whether a text is a digest as files here write it."""
    return len(value) == 64 and set(value) <= set("0123456789abcdef")


def _sha256(value: str) -> str:
    words = "a sha256 (64 lower-case hexadecimal digits)"
    return _checked(words, value, accepted=is_sha256(value))


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
    number = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_COPIES
    if not (number or value is None or value == "per_core"):
        words = f"must be a whole number from 1 to {MOST_COPIES}, or per_core"
        raise PydanticCustomError("count", words)
    return value


Sha256 = Annotated[str, AfterValidator(_sha256)]
Name = Annotated[str, AfterValidator(_name)]
Dtype = Annotated[str, AfterValidator(_dtype)]
ComputeDtype = Annotated[str, AfterValidator(_compute_dtype)]
Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int | Literal["per_core"] | None, BeforeValidator(_count)]
Scalar = Annotated[bool | int | float | str, BeforeValidator(_scalar)]
Index = Annotated[int, Field(ge=0)]
