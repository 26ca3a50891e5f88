"""Parameters of policies: names checked, values as plain data that a record can hold."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any

from band.errors import BandError, ErrorCode
from band.scheduler.events import Json

ParseParams = Callable[[type, Mapping[str, Any], str], Any]
"""(params type, raw values, where they stand) -> instance; raises BandError on a bad key."""


def parse_names(params_type: type, raw: Mapping[str, Any], where: str) -> Any:
    """Return parameters after a check of their names alone.

    Raises:
        BandError: INVALID_CONFIG, an unknown or missing parameter.
    """
    known = {field.name: field for field in fields(params_type)}
    for name in raw:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
            raise BandError(
                ErrorCode.INVALID_CONFIG, f"{where}: unknown parameter {name!r}; {hint}", key=name
            )
    missing = [name for name, field in known.items() if is_required(field) and name not in raw]
    if missing:
        raise BandError(
            ErrorCode.INVALID_CONFIG,
            f"{where}: parameter {missing[0]!r} has no default; give it",
            key=missing[0],
        )
    return params_type(**raw)


def freeze(value: Any) -> Json:
    """Return plain data with every sequence as a tuple, as it also comes back from a record."""
    if isinstance(value, Mapping):
        return {str(key): freeze(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return tuple(freeze(item) for item in value)
    plain: Json = value
    return plain


def is_required(field: "Field[Any]") -> bool:
    """Return whether a parameter has no default."""
    return field.default is MISSING and field.default_factory is MISSING
