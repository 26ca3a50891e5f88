"""Where the command line writes: JSON and results to stdout, everything else to stderr."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.table import Table

from band.errors import BandError, ErrorCode

READER_GONE_EXIT_CODE = 141
"""What a shell reports of a program that SIGPIPE ended: no verb means anything else by it."""
_MAX_TABLE_WIDTH = 1000

JsonOption = Annotated[
    str | None, typer.Option("--json", metavar="FILE", help="Write JSON; - for stdout.")
]


class _Out(Console):
    """Standard output, which a reader such as ``head`` may close at any time."""

    def on_broken_pipe(self) -> None:
        _end_without_reader()


out = _Out(soft_wrap=False, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)


def print_table(table: RenderableType) -> None:
    """Print a table to stdout, in a pipe or a narrow terminal at its own width."""
    _print_wide(table, _needs(table).maximum)


def print_folding(table: Table) -> None:
    """Print a table to stdout whose cells may go over several lines, but for ``no_wrap`` columns.

    No word is broken: in a narrow terminal the table is as wide as that takes.
    """
    for column in table.columns:
        cells = [str(cell) for cell in (column.header, *column.cells)]
        pieces = cells if column.no_wrap else [word for cell in cells for word in cell.split()]
        column.min_width = max(map(cell_len, pieces), default=0)
    _print_wide(table, _needs(table).minimum)


def _needs(table: RenderableType) -> Measurement:
    return Measurement.get(out, out.options.update(max_width=_MAX_TABLE_WIDTH), table)


def _print_wide(table: RenderableType, least_width: int) -> None:
    width = max(out.width, least_width)
    wide = _Out(file=out.file, force_terminal=out.is_terminal, width=width, highlight=False)
    wide.print(table, crop=False)


def emit_json(document: Any, target: str) -> None:
    """Write one JSON document to a file, or to stdout when ``target`` is ``-``.

    Raises:
        BandError: INVALID_REQUEST if the file cannot be written.
    """
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if target == "-":
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except BrokenPipeError:
            _end_without_reader()
    else:
        write_text(Path(target), text)


def write_text(path: Path, text: str) -> None:
    """Write a file that the user named.

    Raises:
        BandError: INVALID_REQUEST if it cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise unwritable(path, str(error.strerror)) from error


def check_places(*targets: str | Path | None, folder: Path | None = None) -> None:
    """Refuse files that cannot be written, before a verb takes its time to make what goes there.

    Args:
        targets: the files; None and ``-`` are none.
        folder: one that the verb makes if it is not there.

    Raises:
        BandError: INVALID_REQUEST for the first that cannot be written.
    """
    for target in targets:
        if target is None or target == "-":
            continue
        path = Path(target)
        parent = path.parent
        if path.is_dir():
            raise unwritable(path, "it is a folder")
        if not parent.is_dir() and parent != folder:
            raise unwritable(path, f"there is no folder {parent}")
        if parent.is_dir() and not os.access(path if path.exists() else parent, os.W_OK):
            raise unwritable(path, "its place is read-only")


def unwritable(path: Path, why: str) -> BandError:
    """Return the error of a file that cannot be written."""
    message = f"cannot write {path}: {why}; name another file"
    return BandError(ErrorCode.INVALID_REQUEST, message, path=str(path))


def _end_without_reader() -> NoReturn:
    """End quietly, since nobody reads on; what is still buffered goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    sys.exit(READER_GONE_EXIT_CODE)
