"""Parameters of policies: names and ranges checked, values as plain data for a record."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any

from band.errors import BandError, ErrorCode
from band.scheduler.events import Json
from band.scheduler.ranges import out_of_range

ParseParams = Callable[[type, Mapping[str, Any], str], Any]
"""(params type, raw values, where they stand) -> instance; raises BandError on a bad key."""


def parse_names(params_type: type, raw: Mapping[str, Any], where: str) -> Any:
    """Return parameters after a check of their names alone.

    Raises:
        BandError: INVALID_CONFIG, an unknown or missing parameter, or one that the type refuses.
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
    try:
        return params_type(**raw)
    except (TypeError, ValueError) as error:
        raise BandError(ErrorCode.INVALID_CONFIG, f"{where}: {error}", where=where) from error


def check_params(params: Any, where: str) -> None:
    """Check that each parameter is within the range that its type declares.

    ``window``, if there is one, is checked whatever it declares: the core counts on it.

    Args:
        params: an instance of a policy's ``Params``.
        where: what they belong to; it begins the message of the error.

    Raises:
        BandError: INVALID_CONFIG naming the first wrong parameter, its value and what is allowed.
    """
    try:
        mistake = out_of_range(params)
    except NameError as error:
        mistake = f"the types of {type(params).__name__} cannot be read: {error}"
    window = getattr(params, "window", 1)
    if mistake is None and not (isinstance(window, int) and window >= 1):
        mistake = f"'window' must be a whole number of at least 1, not {window!r}"
    if mistake is not None:
        raise BandError(ErrorCode.INVALID_CONFIG, f"{where}: {mistake}", where=where)


def freeze(value: Any) -> Json:
    """Return plain data with every sequence as a tuple, as it also comes back from a record.

    Raises:
        TypeError: a record cannot hold it.
    """
    if isinstance(value, Mapping):
        return {str(key): freeze(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return tuple(freeze(item) for item in value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{value!r} is no plain data (numbers, text, lists and maps of them)")


def is_required(field: "Field[Any]") -> bool:
    """Return whether a parameter has no default."""
    return field.default is MISSING and field.default_factory is MISSING


def default_of(field: "Field[Any]") -> Any:
    """Return the default of a parameter that has one."""
    return field.default if field.default_factory is MISSING else field.default_factory()
