"""Reads which ops of exact model files a processor refuses: written in place, or in a log file."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from band.config.op_logs import LoggedOp, read_op_log
from band.config.op_names import known_operator, unknown_operator
from band.config.schema import parse
from band.config.support_schema import OpListSchema
from band.config.values import is_sha256
from band.config.yaml_loader import Document, Location, config_error
from band.device.support_table import ModelOpList

_DEFAULT_REASON: Final = "refused in the log of the file"
_IN_PLACE: Final = ("unsupported", "taken", "types")


def op_lists(document: Document, at: Location) -> tuple[ModelOpList, ...]:
    """Return the lists written at one location: a mapping by sha256, or a list of entries.

    Raises:
        BandError: INVALID_CONFIG ``file:line`` for the first mistake, also of a log file.
    """
    written = document.part(at)
    found: list[ModelOpList] = []
    if isinstance(written, dict):
        for sha256 in written:
            if not is_sha256(sha256):
                text = f"'{sha256}' is not a sha256 (64 lower-case hexadecimal digits)"
                raise document.error((*at, sha256), text)
            found.extend(_entry(document, (*at, sha256), sha256))
    elif isinstance(written, list):
        for i in range(len(written)):
            found.extend(_entry(document, (*at, i), None))
    else:
        raise document.error(at, "'op_lists' must be a list, or a mapping by the sha256 of models")
    return tuple(found)


def _entry(document: Document, at: Location, key: str | None) -> Iterator[ModelOpList]:
    written = parse(document, OpListSchema, at)
    if key is not None and written.sha256 is not None:
        raise document.error((*at, "sha256"), "the key of the entry is its sha256 already")
    sha256 = key or written.sha256
    given = [name for name in _IN_PLACE if getattr(written, name) is not None]
    if written.file is not None:
        if given:
            raise document.error((*at, given[0]), f"'{given[0]}' has no meaning beside 'file'")
        yield from _from_log(document, at, written, sha256)
        return
    if not given:
        raise document.error(at, f"an op list has 'file', or some of {', '.join(_IN_PLACE)}")
    if sha256 is None:
        raise document.error(at, "an op list needs the 'sha256' of the model file")
    for i, kind in enumerate(written.types or ()):
        if not known_operator(kind):
            raise document.error((*at, "types", i), unknown_operator(kind))
    twice = set(written.unsupported or ()) & set(written.taken or ())
    if twice:
        raise document.error((*at, "taken"), f"op {min(twice)} is both taken and unsupported")
    refused = written.unsupported is not None or written.types is not None
    yield ModelOpList(
        sha256=sha256,
        model=written.model or sha256[:12],
        unsupported=written.unsupported or (),
        types=written.types or (),
        taken=written.taken or (),
        others=_others(refused=refused, taken=written.taken is not None),
        reason=written.reason or _DEFAULT_REASON,
        at=document.place(at),
    )


def _others(*, refused: bool, taken: bool) -> bool | None:
    """Return what holds for ops that a log does not name: the opposite of what it lists."""
    return None if refused and taken else refused


def _from_log(
    document: Document, at: Location, written: OpListSchema, sha256: str | None
) -> Iterator[ModelOpList]:
    path = document.path.parent / str(written.file)
    if not path.is_file():
        sentence = f"there is no log '{written.file}' beside this file"
        raise document.error((*at, "file"), sentence)
    rows = _of_processor(document, at, written, read_op_log(path))
    by_model: dict[str, list[LoggedOp]] = {}
    for row in rows:
        digest = sha256 or row.sha256
        if not is_sha256(digest):
            sentence = (
                f"row of line {max(row.line, 1)} of '{written.file}' does not tell the sha256 of "
                "its model; add the key 'sha256' here"
            )
            raise document.error((*at, "file"), sentence)
        by_model.setdefault(digest, []).append(row)
    for digest, logged in by_model.items():
        yield from _of_model(path, written, digest, logged)


def _of_processor(
    document: Document, at: Location, written: OpListSchema, rows: Sequence[LoggedOp]
) -> Sequence[LoggedOp]:
    names = sorted({row.processor for row in rows})
    if written.processor is None:
        if len(names) > 1:
            told = ", ".join(name or "(none)" for name in names)
            sentence = f"'{written.file}' tells of several processors ({told}); name a 'processor'"
            raise document.error((*at, "file"), sentence)
        return rows
    if written.processor not in names:
        told = ", ".join(names)
        sentence = f"'{written.file}' tells of no processor '{written.processor}', only of {told}"
        raise document.error((*at, "processor"), sentence)
    return [row for row in rows if row.processor == written.processor]


def _of_model(
    path: Path, written: OpListSchema, sha256: str, rows: Sequence[LoggedOp]
) -> Iterator[ModelOpList]:
    """Yield a list for each reason of the log, and at last one of the ops that are taken."""
    model = written.model or next((row.model for row in rows if row.model), path.name)
    others = _others(
        refused=any(not row.taken for row in rows), taken=any(row.taken for row in rows)
    )
    reasons: dict[str, list[LoggedOp]] = {}
    verdicts: dict[int, tuple[bool, int]] = {}
    for row in rows:
        if row.op is not None:
            before = verdicts.setdefault(row.op, (row.taken, row.line))
            if before[0] is not row.taken:
                sentence = f"op {row.op} is both taken and refused; see line {before[1]}"
                raise config_error(path, max(row.line, 1), sentence)
        if not row.taken:
            reasons.setdefault(row.reason or written.reason or _DEFAULT_REASON, []).append(row)
    for reason, refused in reasons.items():
        line = refused[0].line
        yield ModelOpList(
            sha256=sha256,
            model=model,
            unsupported=tuple(row.op for row in refused if row.op is not None),
            types=tuple(row.type for row in refused if row.op is None),
            others=None,
            reason=reason,
            at=f"{path.name}:{line}" if line else path.name,
        )
    yield ModelOpList(
        sha256=sha256,
        model=model,
        taken=tuple(row.op for row in rows if row.op is not None and row.taken),
        others=others,
        reason=written.reason or _DEFAULT_REASON,
        at=path.name,
    )
