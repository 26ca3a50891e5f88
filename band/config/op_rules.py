"""Reads the rules that a person lays down for a model or a device.

Three keys say them, in a file of their own, in a device file or in a model's entry of a daemon's
file: ``exclude``, ``only`` and ``strict``; ``rules`` names files with the same keys.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from band.config.op_names import known_operator, unknown_operator
from band.config.schema import Schema, parse
from band.config.yaml_loader import Document, Location, load_yaml
from band.device.rules import NO_RULES, Rule, Rules
from band.device.selection import Selection

RULE_KEYS: Final = ("rules", "exclude", "only", "strict")


class RulesSchema(Schema):
    """A file of rules."""

    exclude: Any = None
    only: Any = None
    strict: Any = None


class RuleSchema(Schema):
    """One entry of ``exclude`` or ``only``.

    Attributes:
        processor: a name or kind, or a list of them.
        ops: types, numbers and ranges (``12-20``); one, or a list of them.
        tensors: names of output tensors, or regular expressions; one, or a list of them.
    """

    processor: Any
    ops: Any = None
    tensors: Any = None


def load_rules(path: str | Path) -> Rules:
    """Return the rules in a YAML file.

    Raises:
        BandError: NOT_FOUND if there is no such file, INVALID_CONFIG ``file:line`` if it is bad.
    """
    document = load_yaml(path)
    parse(document, RulesSchema)
    return _own_rules(document, ())


def rules_at(document: Document, at: Location) -> Rules:
    """Return the rules among the keys of a mapping at one location; its files come first.

    Raises:
        BandError: as ``load_rules``.
    """
    rules = NO_RULES
    for location in _items(document, (*at, "rules")):
        named = document.part(location)
        if not isinstance(named, str):
            raise document.error(location, "'rules' must be the name of a file, or a list of them")
        rules = rules.followed_by(load_rules(document.path.parent / named))
    return rules.followed_by(_own_rules(document, at))


def _own_rules(document: Document, at: Location) -> Rules:
    entries = [
        _rule(document, location, only=key == "only")
        for key in ("exclude", "only")
        for location in _items(document, (*at, key))
    ]
    location = (*at, "strict")
    if location not in document.lines:
        return Rules(entries=tuple(entries))
    written = document.part(location)
    strict = written if isinstance(written, bool) else _words(document, location)
    return Rules(entries=tuple(entries), strict=strict, strict_at=document.place(location))


def _items(document: Document, at: Location) -> Iterator[Location]:
    """Yield where the items of a list stand; what is no list counts as its only item."""
    if at not in document.lines or document.part(at) is None:
        return
    written = document.part(at)
    if isinstance(written, list):
        yield from ((*at, i) for i in range(len(written)))
    else:
        yield at


def _rule(document: Document, at: Location, *, only: bool) -> Rule:
    parse(document, RuleSchema, at)
    types: list[str] = []
    ranges: list[tuple[int, int]] = []
    for location in _items(document, (*at, "ops")):
        written = document.part(location)
        span = _range(written)
        if span is not None:
            ranges.append(span)
        elif isinstance(written, str) and known_operator(written):
            types.append(written)
        else:
            raise document.error(location, _no_op(written))
    named = (*at, "tensors")
    return Rule(
        processors=_words(document, (*at, "processor")),
        selection=Selection(
            types=tuple(types),
            ranges=tuple(ranges),
            tensors=_words(document, named) if [*_items(document, named)] else (),
        ),
        only=only,
        at=document.place(at),
    )


def _range(written: object) -> tuple[int, int] | None:
    """Return the first and last op of ``12`` or ``12-20``, None for what is neither."""
    if isinstance(written, int) and not isinstance(written, bool) and written >= 0:
        return written, written
    if isinstance(written, str):
        first, dash, last = written.partition("-")
        if dash and all(n.strip().isascii() and n.strip().isdigit() for n in (first, last)):
            low, high = int(first), int(last)
            return (low, high) if low <= high else None
    return None


def _no_op(written: object) -> str:
    if isinstance(written, str) and not written[:1].isdigit():
        return unknown_operator(written)
    return f"'{written}' names no ops; write a type (SOFTMAX), a number (12) or a range (12-20)"


def _words(document: Document, at: Location) -> tuple[str, ...]:
    """Return one word or a list of at least one as a tuple."""
    words: list[str] = []
    for location in _items(document, at):
        word = document.part(location)
        if not isinstance(word, str) or not word:
            raise document.error(location, f"'{at[-1]}' must be text, or a list of texts")
        words.append(word)
    if not words:
        raise document.error(at, f"'{at[-1]}' is empty; leave it out or name something")
    return tuple(words)
