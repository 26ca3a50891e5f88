"""Where a sweep keeps the cells that it has played, so that a later one need not play them again.

A file of JSON lines. Each is written with one call and synced, so a crash can damage the last one
only; that one is cut off and its cell played again.
"""

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from band.errors import BandError, ErrorCode
from band.replay.sweep_cell import Figures
from band.replay.sweep_grid import Cell

FILE: Final = "cells.jsonl"


class CellStore:
    """The cells of one folder. One sweep at a time writes there.

    Args:
        folder: made if it is missing.

    Attributes:
        done: figures by the key of the cell.
        damaged: whether the last line was cut off.

    Raises:
        BandError: INVALID_REQUEST if the folder cannot be written, another sweep is writing
            there, or a line before the last is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("a+b", buffering=0)
        except OSError as error:
            message = f"cannot write {self.path}: {error.strerror}; name another folder"
            raise BandError(ErrorCode.INVALID_REQUEST, message, path=str(self.path)) from error
        try:
            self._lock()
            self.done: dict[str, Figures] = {}
            self.damaged = self._read()
        except BaseException:
            self._file.close()
            raise

    def add(self, cell: Cell, figures: Figures) -> None:
        """Keep the figures of a cell, unless it failed: a later sweep tries that again."""
        if "error" in figures:
            return
        line = {
            "key": cell.key,
            "trace": cell.trace,
            "device": cell.device,
            "policy": cell.policy,
            "seed": cell.seed,
            "figures": figures,
        }
        self._file.write(
            json.dumps(line, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
        )
        os.fsync(self._file.fileno())
        self.done[cell.key] = figures

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            message = f"another sweep is writing to {self.path}; wait for it or name another folder"
            raise BandError(ErrorCode.INVALID_REQUEST, message, path=str(self.path)) from error

    def _read(self) -> bool:
        """Read all lines; cut a damaged last one off and return whether there was one."""
        self._file.seek(0)
        end = 0
        lines = self._file.read().splitlines(keepends=True)
        for number, line in enumerate(lines, start=1):
            cell = _cell(line)
            if cell is None:
                if number < len(lines):
                    message = f"{self.path}:{number}: this is no cell of a sweep; delete the line"
                    raise BandError(ErrorCode.INVALID_REQUEST, message, line=number)
                self._file.truncate(end)
                return True
            self.done[cell["key"]] = cell["figures"]
            end += len(line)
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()


def _cell(line: bytes) -> Mapping[str, Any] | None:
    """Return what a line holds, None if it is damaged."""
    if not line.endswith(b"\n"):
        return None
    try:
        cell = json.loads(line)
    except ValueError:
        return None
    whole = isinstance(cell, dict) and isinstance(cell.get("figures"), dict) and "key" in cell
    return cell if whole else None
