"""Ranges of parameters: declared beside their types, checked wherever the values come from.

A parameter says what it allows where it says its type: ``window: Annotated[int, Ge(1)] = 16``.
Files and requests are checked against that as they are read (``band.config.params``); here it is
checked for values that came another way, such as those of a record, in the same words.
"""

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, partial
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, GroupedMetadata, Gt, Le, Lt

Bound = tuple[str, Callable[[float], bool]]
"""(how it is said, whether a number keeps it)."""


def out_of_range(params: Any) -> str | None:
    """Return what is wrong with the first value outside its range, None if there is none.

    Args:
        params: an instance of a dataclass.

    Raises:
        NameError: a declared type cannot be read.
    """
    for name, hint in hints_of(type(params)).items():
        for mistake in _mistakes(hint, getattr(params, name), name):
            return mistake
    return None


def range_text(hint: Any, name: str) -> str:
    """Return the range that a parameter's type declares in words, such as ``at least 1``.

    Args:
        hint: its type; what stands in a mapping, a list or a named tuple counts too.
        name: of the parameter; a range of something else is told with that one's name.
    """
    told: dict[str, list[str]] = {}
    for field, words in _told(hint, name):
        told.setdefault(field, []).append(words)
    return ", ".join(
        " and ".join(words) if field == name else f"{field} {' and '.join(words)}"
        for field, words in told.items()
    )


def hints_of(owner: Any) -> Mapping[str, Any]:
    """Return the declared types of a dataclass or a named tuple by name, ranges included.

    Raises:
        NameError: one cannot be read.
    """
    return _hints(owner)


@cache
def _hints(owner: Any) -> Mapping[str, Any]:
    return get_type_hints(owner, include_extras=True)


def _mistakes(hint: Any, value: Any, place: str) -> Iterator[str]:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        if isinstance(value, int | float):
            for words, keeps in _bounds(arguments[1:]):
                if not keeps(value):
                    yield f"'{place}' must be {words}, not {value}"
        yield from _mistakes(arguments[0], value, place)
    elif origin in (Union, UnionType):
        for argument in arguments:
            yield from _mistakes(argument, value, place)
    elif isinstance(value, Mapping) and arguments:
        for key, item in value.items():
            yield from _mistakes(arguments[-1], item, f"{place}.{key}")
    elif isinstance(value, tuple | list) and hasattr(hint, "_fields"):
        for (name, inner), item in zip(hints_of(hint).items(), value, strict=False):
            yield from _mistakes(inner, item, f"{place}.{name}")
    elif isinstance(value, tuple | list) and arguments:
        alike = len(arguments) == 1 or arguments[-1] is Ellipsis
        for index, item in enumerate(value[: None if alike else len(arguments)]):
            inner = arguments[0 if alike else index]
            yield from _mistakes(inner, item, f"{place}[{index}]")


def _told(hint: Any, name: str) -> Iterator[tuple[str, str]]:
    if get_origin(hint) is Annotated:
        yield from ((name, words) for words, _ in _bounds(get_args(hint)[1:]))
        yield from _told(get_args(hint)[0], name)
    elif hasattr(hint, "_fields"):
        for field, inner in hints_of(hint).items():
            yield from _told(inner, field)
    else:
        for argument in get_args(hint):
            yield from _told(argument, name)


def _bounds(marks: Iterable[Any]) -> Iterator[Bound]:
    """Return the bounds among what a type is annotated with."""
    for mark in marks:
        match mark:
            case Ge():
                yield f"at least {mark.ge}", partial(operator.le, mark.ge)
            case Gt():
                yield f"greater than {mark.gt}", partial(operator.lt, mark.gt)
            case Le():
                yield f"at most {mark.le}", partial(operator.ge, mark.le)
            case Lt():
                yield f"less than {mark.lt}", partial(operator.gt, mark.lt)
            case GroupedMetadata():
                yield from _bounds(mark)
