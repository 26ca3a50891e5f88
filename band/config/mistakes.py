"""Words what pydantic finds wrong, in the terms of who wrote the file."""

import types
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from band.config.suggestion import suggestion

_WANTED: Final[Mapping[str, str]] = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "path_type": "the path of a file",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
}
_BOUNDS: Final[Mapping[str, tuple[str, str]]] = {
    "greater_than": ("greater than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}
_LENGTHS: Final[Mapping[str, tuple[str, str]]] = {
    "too_short": ("at least", "min_length"),
    "too_long": ("at most", "max_length"),
}


_UNKNOWN_KEY: Final = frozenset({"extra_forbidden", "unexpected_keyword_argument"})
_MISSING_KEY: Final = frozenset({"missing", "missing_argument", "missing_keyword_only_argument"})
_OWN_WORDS: Final = frozenset({"scalar", "count"})
_NOT_A_CHOICE: Final = frozenset({"enum", "literal_error"})


def sentence(error: ErrorDetails, model: Any, at: Sequence[str | int] = ()) -> str:
    """Return one mistake as a sentence without its place in a file.

    Args:
        error: as pydantic gives it.
        model: the type that was validated, to find the keys that would be right.
        at: where in the file that type stands.
    """
    kind, location = error["type"], (*at, *error["loc"])
    if kind in _UNKNOWN_KEY:
        key = str(location[-1])
        known = keys_at(model, error["loc"][:-1])
        return f"unknown key '{key}'; {suggestion(key, known, noun='keys')}"
    if kind in _MISSING_KEY:
        return _missing(location)
    if kind == "value_error":
        return str(error["ctx"]["error"])
    if kind in _OWN_WORDS:
        return f"'{place(location)}' {error['msg']}"
    wanted = _wanted(error)
    if wanted is None:
        return f"'{place(location)}': {error['msg'][:1].lower()}{error['msg'][1:]}"
    return f"'{place(location)}' must {wanted}"


def _missing(location: Sequence[str | int]) -> str:
    if len(location) == 1:
        return f"the key '{location[0]}' is missing"
    owner = place(location[:-1])
    if isinstance(location[-1], int):
        return f"'{owner}' has too few items"
    return f"'{owner}' lacks the key '{location[-1]}'"


def _wanted(error: ErrorDetails) -> str | None:
    """Return what a value must be, or None if only pydantic's own words tell it."""
    kind, value = error["type"], error["input"]
    if kind in _LENGTHS:
        words, bound = _LENGTHS[kind]
        count = error["ctx"][bound]
        return f"have {words} {count} item{'s' if count != 1 else ''}, not {len(value)}"
    if kind == "string_too_short":
        return "not be empty"
    if kind in _NOT_A_CHOICE:
        choices = str(error["ctx"]["expected"]).replace(" or ", ", ").replace("'", "")
        return f"be one of {choices}, not {show(value)}"
    if kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        return f"be {words} {error['ctx'][bound]}, not {show(value)}"
    return f"be {_WANTED[kind]}, not {show(value)}" if kind in _WANTED else None


def real_mistakes(errors: Sequence[ErrorDetails]) -> list[ErrorDetails]:
    """Return the errors without those that only follow from others.

    A list whose items are wrong is also reported as too short, since wrong items do not count.
    """
    return [
        e for e in errors if e["type"] != "too_short" or len(e["input"]) < e["ctx"]["min_length"]
    ]


def place(location: Sequence[str | int]) -> str:
    """Return a location as ``processors[0].kind``."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".") or "the file"


def show(value: object) -> str:
    """Return a value as the writer of the file would name it."""
    match value:
        case None:
            return "empty"
        case bool():
            return str(value).lower()
        case str():
            return f"the text '{value}'"
        case Mapping():
            return "a mapping"
        case list() | tuple():
            return "a list"
    return str(value)


def keys_at(model: Any, location: Sequence[str | int]) -> tuple[str, ...]:
    """Return the keys that a type takes at a location inside it; empty if any key will do."""
    model = _unwrapped(model)
    if isinstance(model, type) and issubclass(model, BaseModel):
        fields = {name: field.annotation for name, field in model.model_fields.items()}
    else:
        fields = {n: f.type for n, f in getattr(model, "__dataclass_fields__", {}).items()}
    if not location:
        return tuple(fields)
    if fields:
        return keys_at(fields.get(str(location[0])), location[1:])
    arguments = [a for a in get_args(model) if a is not Ellipsis]
    return keys_at(arguments[-1], location[1:]) if arguments else ()


def _unwrapped(annotation: Any) -> Any:
    """Return the type inside ``Annotated`` and ``X | None``."""
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation = get_args(annotation)[0]
        elif origin in {Union, types.UnionType}:
            inner = [a for a in get_args(annotation) if a is not types.NoneType]
            annotation = inner[0]
        else:
            return annotation
