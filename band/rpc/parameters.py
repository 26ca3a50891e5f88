"""Request parameters: the standard's ``priority`` and ``timeout``, and ours, which start ``band_``.

Parameters of others are tolerated, as the protocol asks; a ``band_`` key that nobody knows is
refused, because a misspelt deadline would otherwise be no deadline.
"""

from collections.abc import Mapping
from typing import Any, Final

from band.config.suggestion import suggestion
from band.errors import BandError, ErrorCode
from band.runtime.requests import RequestParameters

# 0 is the default and 1 the highest; the bound only catches numbers that are no class at all.
MAX_PRIORITY: Final = 2**31 - 1
MAX_DURATION_US: Final = 24 * 3600 * 1_000_000
MAX_INT64: Final = 2**63 - 1

_INTEGERS: Final = ("int64_param", "uint64_param")
OURS: Final = (
    "band_slo_us",
    "band_deadline_us",
    "band_processor",
    "band_stream",
    "band_frame",
    "band_parents",
    "band_app",
    "band_supersede",
)
_REFUSED: Final = {
    "sequence_id": "sequences are not offered; leave sequence_id out",
    "shared_memory_region": "shared memory is not offered; send the tensor's bytes",
    "classification": "classification is not offered; ask for the output without it",
}


def read_parameters(parameters: Mapping[str, Any]) -> RequestParameters:
    """Return the parameters of a ModelInferRequest.

    Raises:
        BandError: INVALID_REQUEST for a wrong type or range, an unknown ``band_`` key, or a
            deadline given twice; UNSUPPORTED_FEATURE for a known one that is not offered.
    """
    refuse_unsupported(parameters)
    for key in parameters:
        if key.startswith("band_") and key not in OURS:
            hint = suggestion(key, OURS, noun="parameters of band")
            raise BandError(ErrorCode.INVALID_REQUEST, f"unknown parameter {key!r}; {hint}")
    read: RequestParameters = {
        "priority": _integer(parameters, "priority", MAX_PRIORITY) or 0,
        "slo_us": _integer(parameters, "band_slo_us", MAX_DURATION_US, lowest=1),
        "deadline_us": _integer(parameters, "band_deadline_us", MAX_INT64),
        # 0 means none, as in Triton
        "timeout_us": _integer(parameters, "timeout", MAX_DURATION_US) or None,
        "processor": _string(parameters, "band_processor") or None,
        "stream": _string(parameters, "band_stream"),
        "frame": _integer(parameters, "band_frame", MAX_INT64),
        "parents": _parents(_string(parameters, "band_parents")),
        "app": _string(parameters, "band_app"),
        "supersede": _boolean(parameters, "band_supersede"),
    }
    if read["slo_us"] is not None and read["deadline_us"] is not None:
        raise BandError(
            ErrorCode.INVALID_REQUEST,
            "a request has one deadline; give band_slo_us or band_deadline_us, not both",
        )
    return read


def refuse_unsupported(parameters: Mapping[str, Any]) -> None:
    """Refuse parameters whose silent neglect would give a wrong answer.

    Raises:
        BandError: UNSUPPORTED_FEATURE.
    """
    for key, sentence in _REFUSED.items():
        if key in parameters:
            raise BandError(ErrorCode.UNSUPPORTED_FEATURE, sentence)


def write_parameters(target: Any, values: RequestParameters) -> None:
    """Fill the parameters of a ModelInferRequest; the inverse of ``read_parameters``."""
    integers = {
        "priority": values.get("priority") or None,
        "timeout": values.get("timeout_us"),
        "band_slo_us": values.get("slo_us"),
        "band_deadline_us": values.get("deadline_us"),
        "band_frame": values.get("frame"),
    }
    strings = {
        "band_processor": values.get("processor"),
        "band_stream": values.get("stream"),
        "band_parents": ",".join(map(str, values.get("parents", ()))),
        "band_app": values.get("app"),
    }
    for key, number in integers.items():
        if number is not None:
            target[key].int64_param = number
    for key, text in strings.items():
        if text:
            target[key].string_param = text
    if values.get("supersede"):
        target["band_supersede"].bool_param = True


def plain(parameters: Mapping[str, Any]) -> dict[str, bool | int | float | str]:
    """Return the values of a parameter map, whatever their types."""
    values: dict[str, bool | int | float | str] = {}
    for key, value in parameters.items():
        choice = value.WhichOneof("parameter_choice")
        if choice is not None:
            values[key] = getattr(value, choice)
    return values


def _integer(
    parameters: Mapping[str, Any], key: str, highest: int, *, lowest: int = 0
) -> int | None:
    if key not in parameters:
        return None
    choice = parameters[key].WhichOneof("parameter_choice")
    if choice not in _INTEGERS:
        raise BandError(ErrorCode.INVALID_REQUEST, f"parameter {key!r} must be an integer")
    number = int(getattr(parameters[key], choice))
    if not lowest <= number <= highest:
        raise BandError(
            ErrorCode.INVALID_REQUEST,
            f"parameter {key!r} is {number}; it must lie between {lowest} and {highest}",
        )
    return number


def _string(parameters: Mapping[str, Any], key: str) -> str:
    if key not in parameters:
        return ""
    if parameters[key].WhichOneof("parameter_choice") != "string_param":
        raise BandError(ErrorCode.INVALID_REQUEST, f"parameter {key!r} must be a string")
    return str(parameters[key].string_param)


def _boolean(parameters: Mapping[str, Any], key: str) -> bool:
    if key not in parameters:
        return False
    if parameters[key].WhichOneof("parameter_choice") != "bool_param":
        raise BandError(ErrorCode.INVALID_REQUEST, f"parameter {key!r} must be true or false")
    return bool(parameters[key].bool_param)


def _parents(text: str) -> tuple[int, ...]:
    parts = [part for part in text.split(",") if part]
    if not all(part.isdecimal() for part in parts):
        raise BandError(
            ErrorCode.INVALID_REQUEST,
            f"parameter 'band_parents' is {text!r}; it must be request numbers with commas between",
        )
    return tuple(map(int, parts))
