"""Reads which ops a delegate took or refused out of a log: CSV, JSON, or the text it printed.

CSV has a header with ``op`` (a number) or ``type``, and may have ``taken`` (yes or no; no if there
is none), ``reason``, ``processor``, ``model`` and ``sha256``. JSON is a list of objects with these
keys, or an object with such a list under ``ops`` or ``unsupported`` beside ``model`` and
``sha256``: what ``band analyze --json`` writes is one. Any other file is text: either it has the
block that TFLite delegates print, which names types only (``SOFTMAX: reason`` after "operations
are not supported by"), or LiteRT's lines ``op type 25 is not supported``, or a line for each op
that begins with its number (``12 SOFTMAX: reason``).
"""

import csv
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from band.config.op_names import known_operator
from band.config.yaml_loader import config_error
from band.errors import BandError
from band.model.tflite_schema import enum_names

_YES: Final = frozenset({"yes", "true", "1"})
_NO: Final = frozenset({"no", "false", "0", ""})
_COLUMNS: Final = ("op", "type", "taken", "reason", "processor", "model", "sha256")
_BLOCK_BEGINS: Final = "operations are not supported by"
_BLOCK_ENDS: Final = "operations will run on"
_NUMBERED: Final = re.compile(
    r"\s*(?:op\s+)?(\d+)\s*(?:[,:]?\s*([A-Z][A-Z0-9_]*))?\s*(?::\s*(.*?))?\s*$"
)
_CODE: Final = re.compile(r"op type (\d{1,9}) is not supported")
_TYPED: Final = re.compile(r"(?:^|.*[\s:])([A-Z][A-Z0-9_]*): *(.+)")


class LoggedOp(NamedTuple):
    """What a log says of one op, or of all ops of one type.

    Attributes:
        op: its number; None if the log names only the type.
        type: its type; "" if the log names only the number.
        reason: "" if the log gives none.
        processor: whose verdict it is; "" if the log tells of one processor only.
        model: the name of the model file, "" if not told.
        sha256: of the model file, "" if not told.
        line: of the log, 0 if it has none.
    """

    op: int | None
    type: str
    taken: bool
    reason: str
    processor: str
    model: str
    sha256: str
    line: int


def read_op_log(path: Path) -> tuple[LoggedOp, ...]:
    """Return what a log says, in its order.

    Raises:
        BandError: INVALID_CONFIG ``file:line`` if it cannot be read or names no op.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise config_error(path, 1, "this is no log of ops: it is not UTF-8 text") from error
    except OSError as error:
        raise config_error(path, 1, f"the log cannot be read: {error.strerror}") from error
    readers = {".csv": _csv, ".json": _json}
    found = tuple(readers.get(path.suffix.lower(), _text)(path, text))
    if not found:
        raise config_error(path, 1, "this log names no op; see the formats in the documentation")
    return found


def _csv(path: Path, text: str) -> Iterator[LoggedOp]:
    rows = csv.DictReader(text.splitlines(), skipinitialspace=True)
    header = [name.strip().lower() for name in rows.fieldnames or ()]
    if not {"op", "type"} & set(header):
        raise config_error(path, 1, "the header has neither 'op' nor 'type'")
    rows.fieldnames = header
    for row in rows:
        yield _logged(path, rows.line_num, {k: (v or "").strip() for k, v in row.items() if k})


def _json(path: Path, text: str) -> Iterator[LoggedOp]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 1
        raise config_error(path, line, "this is not JSON") from error
    shared: Mapping[str, object] = {}
    if isinstance(document, dict):
        shared = {key: document[key] for key in ("model", "sha256") if key in document}
        document = document.get("ops", document.get("unsupported"))
        if isinstance(document, int):  # the number of ops in what band analyze writes
            document = json.loads(text).get("unsupported")
    if not isinstance(document, list) or not all(isinstance(row, dict) for row in document):
        raise config_error(path, 1, "a list of objects is wanted, with 'op' or 'type' in each")
    for row in document:
        given = {**shared, **{k: v for k, v in row.items() if v is not None}}
        yield _logged(path, 0, {key: str(value) for key, value in given.items()})


def _text(path: Path, text: str) -> Iterator[LoggedOp]:
    if _BLOCK_BEGINS in text:
        yield from _block(path, text)
        return
    by_code = _CODE.search(text) is not None
    for number, line in enumerate(text.splitlines(), 1):
        if by_code:
            code = _CODE.search(line)
            if code:
                kind = enum_names("BuiltinOperator").get(int(code[1]), code[1])
                yield _logged(path, number, {"type": kind, "reason": code[0]})
            continue
        found = _NUMBERED.match(line)
        if found:
            op, kind, reason = (group or "" for group in found.groups())
            yield _logged(path, number, {"op": op, "type": kind, "reason": reason})


def _block(path: Path, text: str) -> Iterator[LoggedOp]:
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if _BLOCK_BEGINS in line or _BLOCK_ENDS in line:
            inside = _BLOCK_BEGINS in line
            continue
        found = _TYPED.match(line) if inside else None
        if found and known_operator(found[1]):
            yield _logged(path, number, {"type": found[1], "reason": found[2].strip()})


def _logged(path: Path, line: int, row: Mapping[str, str]) -> LoggedOp:
    written, taken = row.get("op", ""), row.get("taken", "").lower()
    kind = row.get("type", "")
    if not (written.isascii() and written.isdigit()) and (written or not kind):
        raise _bad(path, line, f"'{written}' is not the number of an op")
    if kind and not known_operator(kind):
        raise _bad(path, line, f"'{kind}' is no operator")
    if taken not in _YES | _NO:
        raise _bad(path, line, f"'{taken}' says neither yes nor no to being taken")
    return LoggedOp(
        op=int(written) if written else None,
        type=kind,
        taken=taken in _YES,
        reason=row.get("reason", ""),
        processor=row.get("processor", ""),
        model=row.get("model", ""),
        sha256=row.get("sha256", ""),
        line=line,
    )


def _bad(path: Path, line: int, sentence: str) -> BandError:
    return config_error(path, max(line, 1), sentence)
