"""The partition of a model in a few lines of text: a line per processor, readable without colour.

A character stands for one op or, in a long model, for several; its shape says how many of them
the processor takes and whether the plan runs them there.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from rich.text import Text

from band.report.palette import processor_colour
from band.report.picture import Cell, Picture, Row


class _Glyphs(NamedTuple):
    """A character for each share of a group of ops."""

    plan: str
    plan_part: str
    all: str
    some: str
    none: str
    cut: str


_BLOCKS: Final = _Glyphs("█", "▓", "▒", "░", "·", "▲")
_ASCII: Final = _Glyphs("#", "%", "=", "-", ".", "^")
_MAX_CELL: Final = 4
_TICK: Final = 8
_LEAST_CELLS: Final = 10


def strip(picture: Picture, width: int, *, ascii_only: bool = False) -> list[Text]:
    """Return the lines of the picture, none longer than ``width``.

    Args:
        picture: of a model with at least one op.
        width: columns of the terminal.
        ascii_only: for terminals that cannot show block characters.
    """
    glyphs = _ASCII if ascii_only else _BLOCKS
    count = len(picture.ops)
    names = max(len(row.name) for row in picture.rows)
    counts = len(f"{count}/{count}")
    room = max(_LEAST_CELLS, width - names - counts - 2)
    size = -(-count // room)
    cells = -(-count // size)
    wide = max(1, min(_MAX_CELL, room // cells))
    margin = " " * (names + 1)
    lines = [Text(margin) + _ruler(picture.ops, size, cells, wide)]
    for index, row in enumerate(picture.rows):
        line = Text(f"{row.name:>{names}} ")
        if row.available:
            line.append(_line(row, size, wide, glyphs, processor_colour(index)))
            line.append(f" {row.ops}/{count}")
        else:
            line.append("not available", style="dim")
        lines.append(line)
    cuts = {picture.units[cut.boundary].first // size for cut in picture.cuts}
    if cuts:
        marks = "".join((glyphs.cut if c in cuts else " ").ljust(wide) for c in range(cells))
        lines.append(Text(f"{'cuts':>{names}} {marks.rstrip()}"))
    lines.extend(_legend(glyphs, size, wide, width, planned=bool(picture.steps)))
    return lines


def _line(row: Row, size: int, wide: int, glyphs: _Glyphs, colour: str) -> Text:
    line = Text()
    for start in range(0, len(row.cells), size):
        group = row.cells[start : start + size]
        glyph = _glyph(group, glyphs)
        style = "dim" if glyph == glyphs.none else colour
        line.append(glyph * wide, style=style)
    return line


def _glyph(group: Sequence[Cell], glyphs: _Glyphs) -> str:
    chosen, refused = group.count(Cell.CHOSEN), group.count(Cell.REFUSED)
    if chosen:
        return glyphs.plan if chosen == len(group) else glyphs.plan_part
    if refused:
        return glyphs.none if refused == len(group) else glyphs.some
    return glyphs.all


def _ruler(ops: Sequence[int], size: int, cells: int, wide: int) -> Text:
    """Return op indices over the characters that begin with them."""
    line = ""
    for cell in range(cells):
        at, label = cell * wide, str(ops[cell * size])
        due = not line or at >= len(line) + max(1, _TICK - len(label))
        if due and at + len(label) <= cells * wide:
            line = line.ljust(at) + label
    return Text(line, style="dim")


def _legend(glyphs: _Glyphs, size: int, wide: int, width: int, *, planned: bool) -> list[Text]:
    scale = f"{size} ops a character" if size > 1 else "one op a column"
    if size == 1 and wide > 1:
        scale = f"one op = {wide} characters"
    entries = [f"{glyphs.plan} the plan runs it here"] if planned else []
    if planned and size > 1:
        entries.append(f"{glyphs.plan_part} some of it")
    entries.append(f"{glyphs.all} could run here")
    if size > 1:
        entries.append(f"{glyphs.some} some could")
    entries.extend([f"{glyphs.none} refused", scale])
    lines = [""]
    for entry in entries:
        joined = f"{lines[-1]}   {entry}" if lines[-1] else entry
        if len(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(entry)
    return [Text(line, style="dim") for line in lines]
