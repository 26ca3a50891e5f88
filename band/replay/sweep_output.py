"""A sweep as one JSON document, and as a table: CSV or Parquet, a row for each cell."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from band.errors import BandError, ErrorCode
from band.replay.sweep import Row
from band.scheduler.commands import DropReason

Value = str | int | float | bool | None

_FIRST: Final = ("trace", "device", "policy", "seed")
_LAST: Final = "error"
_LEFT_OUT: Final = frozenset({"models", "processors"})
"""Figures of single models and processors have other columns on every device: see the JSON."""
_REPORTS: Final = "reports"
_BOUND: Final = "capacity_bound"


def document(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the document of a sweep."""
    return {"cells": [row.to_json() for row in rows]}


def table(rows: Sequence[Row]) -> tuple[tuple[str, ...], list[tuple[Value, ...]]]:
    """Return the names of the columns and the rows; a cell that failed has only its error."""
    flat = [dict(_flat(row.to_json())) for row in rows]
    names = dict.fromkeys((*_FIRST, *(name for cell in flat for name in cell)))
    names.pop(_LAST, None)
    # What is None here and has figures of its own there is no column.
    groups = {name.rpartition(".")[0] for name in names}
    columns = (*(name for name in names if name not in groups), _LAST)
    return columns, [tuple(cell.get(name) for name in columns) for cell in flat]


def csv_text(rows: Sequence[Row]) -> str:
    """Return the table as CSV with a header; a figure that does not exist is empty."""
    columns, lines = table(rows)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_written(value) for value in line] for line in lines)
    return text.getvalue()


def write_parquet(rows: Sequence[Row], path: Path) -> None:
    """Write the table as Parquet.

    Raises:
        BandError: UNSUPPORTED_FEATURE without the extra; INVALID_REQUEST if the file cannot be
            written.
    """
    check_parquet()
    import pyarrow as pa  # noqa: PLC0415 - an extra, and slow to import
    from pyarrow import parquet  # noqa: PLC0415

    columns, lines = table(rows)
    arrays = zip(columns, zip(*lines, strict=True), strict=True)
    try:
        parquet.write_table(pa.table({name: list(values) for name, values in arrays}), path)
    except OSError as error:
        message = f"cannot write {path}: {error.strerror or error}; name another file"
        raise BandError(ErrorCode.INVALID_REQUEST, message, path=str(path)) from error


def check_parquet() -> None:
    """Refuse a request for Parquet before the sweep rather than after it.

    Raises:
        BandError: UNSUPPORTED_FEATURE without the extra.
    """
    try:
        import pyarrow.parquet  # noqa: F401, PLC0415 - an extra, and slow to import
    except ImportError as error:
        raise BandError(
            ErrorCode.UNSUPPORTED_FEATURE,
            "Parquet needs the extra: pip install 'band-scheduler[dask]'; or write --csv",
        ) from error


def _flat(figures: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Value]]:
    """Yield (column, value); nested figures get the names of what holds them."""
    for key, value in figures.items():
        name = f"{prefix}{key}"
        if name == _LAST:
            yield name, value["message"]
        elif name == _REPORTS:
            yield name, "; ".join(value)
        elif name == "requests.dropped":
            for reason in DropReason:
                yield f"{name}.{reason}", value.get(reason, 0)
        elif name == _BOUND and value is not None:
            yield f"{name}.scale", value["scale"]
            yield f"{name}.requests_per_s", value["requests_per_s"]
        elif name in _LEFT_OUT:
            continue
        elif isinstance(value, Mapping):
            yield from _flat(value, f"{name}.")
        elif not isinstance(value, list | tuple):
            yield name, value


def _written(value: Value) -> Value:
    return str(value).lower() if isinstance(value, bool) else value
