"""Reads a YAML file into plain data and remembers the line of every key and value.

The file is composed, never constructed: no tag can make a Python object. Scalars follow the
core schema of YAML 1.2 (``1e9`` is a number; ``on``, ``no`` and ``12:30`` are text), and keys are
always text, so that a sha256 is never taken for a number.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from band.errors import BandError, ErrorCode

Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]
Location = tuple[str | int, ...]

_MAX_DIGITS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The content of one YAML file.

    Attributes:
        path: the file; paths written in it are relative to its folder.
        data: plain data, as ``json`` would give it.
        lines: for the location of each key or list item (``("processors", 0, "kind")``), the line
            it stands on, counted from 1.
    """

    path: Path
    data: Plain
    lines: Mapping[Location, int]

    def line(self, location: Location) -> int:
        """Return the line of a location, or of the nearest enclosing one that is in the file."""
        while location not in self.lines:
            location = location[:-1]
        return self.lines[location]

    def part(self, location: Location) -> Plain:
        """Return the data at a location that is in the file."""
        found: Any = self.data
        for step in location:
            found = found[step]
        return cast("Plain", found)

    def place(self, location: Location) -> str:
        """Return ``file:line`` of a location with the file's bare name, for people."""
        return f"{self.path.name}:{self.line(location)}"

    def error(self, location: Location, sentence: str) -> BandError:
        """Return the error that says ``file:line: sentence``."""
        return config_error(self.path, self.line(location), sentence)


def config_error(path: Path, line: int, sentence: str) -> BandError:
    """Return an INVALID_CONFIG error for one line of a file."""
    message = f"{path}:{line}: {sentence}"
    return BandError(ErrorCode.INVALID_CONFIG, message, path=str(path), line=line)


def load_yaml(path: str | Path) -> Document:
    """Return the content of a YAML file with the line of every key.

    Raises:
        BandError: NOT_FOUND if there is no such file; INVALID_CONFIG if it is a folder, cannot be
            read, is not YAML, or repeats a key.
    """
    path = Path(path)
    text = _read(path)
    try:
        root = yaml.compose(text, Loader=_CoreSchemaLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise config_error(path, line, f"this is not YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        raise config_error(path, 1, f"this is not YAML: {problem}") from error
    except RecursionError as error:
        raise config_error(path, 1, "the file is nested too deeply") from error
    if root is None:
        raise config_error(path, 1, "the file is empty")
    reader = _Reader(path)
    data = reader.read(root, ())
    return Document(path=path, data=data, lines=reader.lines)


def _read(path: Path) -> str:
    if path.is_dir():
        message = f"'{path}' is a folder; name a YAML file"
        raise BandError(ErrorCode.INVALID_CONFIG, message, path=str(path))
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        message = f"there is no file '{path}'"
        raise BandError(ErrorCode.NOT_FOUND, message, path=str(path)) from error
    except UnicodeDecodeError as error:
        raise config_error(path, 1, "this is not a YAML file: it is not UTF-8 text") from error
    except OSError as error:
        message = f"'{path}' cannot be read: {error.strerror}"
        raise BandError(ErrorCode.INVALID_CONFIG, message, path=str(path)) from error


class _CoreSchemaLoader(yaml.SafeLoader):
    """Resolves plain scalars as YAML 1.2 does."""


_CoreSchemaLoader.yaml_implicit_resolvers = {}
_TAG: Final = "tag:yaml.org,2002:"
for _name, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
):
    _CoreSchemaLoader.add_implicit_resolver(_TAG + _name, re.compile(rf"^(?:{_pattern})$"), _first)


class _Reader:
    """Turns nodes into plain data, filling ``lines``."""

    def __init__(self, path: Path) -> None:
        self.lines: dict[Location, int] = {}
        self._path = path
        self._open: list[Node] = []

    def read(self, node: Node, location: Location) -> Plain:
        line = node.start_mark.line + 1
        self.lines.setdefault(location, line)
        if any(node is outer for outer in self._open):
            raise config_error(self._path, line, "an alias refers to what contains it")
        self._open.append(node)
        try:
            if isinstance(node, MappingNode):
                return self._mapping(node, location)
            if isinstance(node, SequenceNode):
                return [self.read(item, (*location, i)) for i, item in enumerate(node.value)]
            return self._scalar(node)
        finally:
            self._open.pop()

    def _mapping(self, node: MappingNode, location: Location) -> Plain:
        found: dict[str, Plain] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode):
                raise config_error(self._path, line, "a key must be text")
            key = key_node.value
            if key in found:
                first = self.lines[(*location, key)]
                sentence = f"key '{key}' is given twice; the first is on line {first}"
                raise config_error(self._path, line, sentence)
            self.lines[(*location, key)] = line
            found[key] = self.read(value_node, (*location, key))
        return found

    def _scalar(self, node: Node) -> Plain:
        text: str = node.value
        line = node.start_mark.line + 1
        match node.tag.removeprefix(_TAG):
            case "str":
                return text
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int" if text.startswith(("0x", "0o")):
                return int(text, 0)
            case "int" if len(text) < _MAX_DIGITS:
                return int(text)
            case "int":
                raise config_error(self._path, line, "the number is too long")
            case "float":
                return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        raise config_error(self._path, line, f"the tag '{node.tag}' is not supported")
