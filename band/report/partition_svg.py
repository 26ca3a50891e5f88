"""The partition of a model as a drawing: rows are processors, columns are ops.

A cell's height and colour tell whether the plan runs the op there, the processor could take it,
or refuses it; the plan is a line through the rows, each cut a flag with what it moves. A cell is
at least two pixels wide, so a long model makes a wide drawing rather than an unreadable one.
"""

import textwrap
from collections.abc import Sequence
from typing import Final, NamedTuple

from band.plan.explain_plans import Cut
from band.report.palette import INK, QUIET, REFUSED, processor_colour, tint
from band.report.picture import Cell, Picture
from band.report.svg_canvas import Canvas, text_width
from band.report.svg_labels import GAP, Flag, Tick, flags, regular, ticks
from band.report.svg_time import TIME_HEIGHT, draw_time
from band.units import count_text, format_bytes, format_us

_PLOT: Final = 1080
_LEAST_CELL: Final = 2
_WIDEST_CELL: Final = 36
_GAP_FROM: Final = 6
"""Cells of at least this width are told apart by a gap."""
_LEAST_WIDTH: Final = 760
_MARGIN: Final = 16
_ROW: Final = 30
_LANE: Final = 15
_SMALL: Final = 11.0
_TEXT: Final = 12.0
_TITLE: Final = 16.0
_RULERS: Final = 66
_LEGEND: Final = 40
_HEIGHT: Final = {Cell.CHOSEN: 24, Cell.TAKEN: 14, Cell.REFUSED: 3}
_WHAT: Final = {Cell.CHOSEN: "the plan runs it here", Cell.TAKEN: "could run here"}


class _Frame(NamedTuple):
    """Where things are, in pixels: the grid, and the size of the drawing."""

    left: float
    right: float
    top: float
    bottom: float
    cell: int
    width: float

    def x(self, column: int) -> float:
        """Return the left end of a column."""
        return self.left + column * self.cell

    def middle(self, row: int) -> float:
        """Return the y of the middle of a row."""
        return self.top + _ROW * row + _ROW / 2


def partition_svg(picture: Picture, *, note: str = "") -> str:
    """Return a self-contained SVG document.

    Args:
        picture: of a model with at least one op.
        note: a sentence under the title, such as why there is no plan.
    """
    frame = _frame(picture)
    placed = _placed_flags(picture, frame)
    heading = _heading(picture, note, frame.width, len(placed))
    lanes = 1 + max((flag.lane for flag in placed), default=-1)
    top = 44 + 16 * len(heading) + _LANE * lanes
    frame = frame._replace(top=top, bottom=top + _ROW * len(picture.rows))
    end = frame.bottom + _RULERS + (TIME_HEIGHT if picture.steps else 0)
    canvas = Canvas(frame.width, end + _LEGEND)
    canvas.text(_MARGIN, 28, picture.title, size=_TITLE, bold=True)
    for number, line in enumerate(heading):
        canvas.text(_MARGIN, 48 + 16 * number, line, size=_TEXT)
    _rulers(canvas, picture, frame)
    _rows(canvas, picture, frame)
    _route(canvas, picture, frame)
    _draw_flags(canvas, frame, placed)
    if picture.steps:
        draw_time(canvas, picture, frame.left, frame.right, frame.bottom + _RULERS)
    _legend(canvas, picture, end)
    return canvas.document()


def _frame(picture: Picture) -> _Frame:
    names = max(text_width(row.name, _TEXT, bold=True) for row in picture.rows)
    left = _MARGIN + names + 10
    cell = max(_LEAST_CELL, min(_WIDEST_CELL, _PLOT // len(picture.ops)))
    right = left + cell * len(picture.ops)
    told = max(text_width(_told(picture, number), _SMALL) for number in range(len(picture.rows)))
    title = _MARGIN + text_width(picture.title, _TITLE, bold=True)
    width = max(_LEAST_WIDTH, right + 10 + told, title) + _MARGIN
    return _Frame(left, right, 0, 0, cell, width)


def _heading(picture: Picture, note: str, width: float, flag_count: int) -> list[str]:
    word = f"{picture.word} " if picture.word else ""
    said = count_text(len(picture.ops), "op")
    said += f" in {count_text(len(picture.units), 'unit')}." if picture.units else "."
    if picture.latency_us is not None:
        moved = sum(cut.transfer_us for cut in picture.cuts)
        said += (
            f" The plan takes {format_us(picture.latency_us)} on the idle {word}device in "
            f"{count_text(len(picture.steps), 'slice')}"
            f"{f', {format_us(moved)} of it to move data' if moved else ''}."
        )
    if flag_count < len(picture.cuts):
        said += f" There is room for flags at {flag_count} of {len(picture.cuts)} cuts."
    columns = int((width - 2 * _MARGIN) / text_width("n", _TEXT))
    return [line for text in (said, note) for line in textwrap.wrap(text, columns)]


def _told(picture: Picture, row: int) -> str:
    of = picture.rows[row]
    if not of.available:
        return "not available"
    return f"{of.ops}/{len(picture.ops)} ops, {100 * of.mac_share:.0f} % of MACs"


def _rulers(canvas: Canvas, picture: Picture, frame: _Frame) -> None:
    """Draw op indices and units below the grid."""
    half, label = frame.cell / 2, frame.left - 10
    every = regular((max(text_width(str(op), _SMALL) for op in picture.ops) + GAP) / frame.cell)
    marks = [
        Tick(frame.x(c) + half, str(picture.ops[c])) for c in range(0, len(picture.ops), every)
    ]
    base = frame.bottom + 2
    canvas.text(label, base + 16, "op", size=_SMALL, anchor="end", fill=QUIET)
    for tick in ticks(marks, _SMALL):
        canvas.line([(tick.x, base), (tick.x, base + 4)], QUIET, 1)
        canvas.text(tick.x, base + 16, tick.text, size=_SMALL, anchor="middle", fill=QUIET)
    if not picture.units:
        return
    base += 24
    canvas.text(label, base + 20, "unit", size=_SMALL, anchor="end", fill=QUIET)
    middles = []
    for index, (first, last) in enumerate(picture.units):
        x, width = frame.x(first), frame.cell * (last - first + 1)
        tip = f"unit {index}: {count_text(last - first + 1, 'op')}"
        canvas.rect(x, base, width, 8, "#9a9a9a" if index % 2 else "#d4d4d4", tip=tip, kind="unit")
        middles.append(Tick(x + width / 2, str(index)))
    for tick in ticks(middles, _SMALL):
        canvas.text(tick.x, base + 20, tick.text, size=_SMALL, anchor="middle", fill=QUIET)


def _rows(canvas: Canvas, picture: Picture, frame: _Frame) -> None:
    for number, row in enumerate(picture.rows):
        middle, colour = frame.middle(number), processor_colour(number)
        canvas.text(frame.left - 10, middle + 4, row.name, size=_TEXT, anchor="end", bold=True)
        side = _told(picture, number)
        canvas.text(frame.right + 10, middle + 4, side, size=_SMALL, fill=QUIET)
        fills = {Cell.CHOSEN: colour, Cell.TAKEN: tint(colour, 0.4), Cell.REFUSED: REFUSED}
        width = frame.cell - (1 if frame.cell >= _GAP_FROM else 0)
        for column, cell in enumerate(row.cells):
            op, height = picture.ops[column], _HEIGHT[cell]
            what = _WHAT.get(cell) or row.reasons.get(op, "not available")
            canvas.rect(
                frame.x(column),
                middle - height / 2,
                width,
                height,
                fills[cell],
                tip=f"op {op} {picture.types[column]} on {row.name}: {what}",
                kind=f"cell {cell.name.lower()}",
            )


def _route(canvas: Canvas, picture: Picture, frame: _Frame) -> None:
    """Draw the plan as a line through the rows of the processors that it uses."""
    points: list[tuple[float, float]] = []
    for step, extent in picture.steps:
        y = frame.middle(step.processor)
        points.extend([(frame.x(extent.first), y), (frame.x(extent.last + 1), y)])
    if points:
        canvas.line(points, "#ffffff", 5)
        canvas.line(points, INK, 2, kind="plan")
    for cut in picture.cuts:
        tip = (
            f"cut before unit {cut.boundary}, {picture.rows[cut.source].name} to "
            f"{picture.rows[cut.target].name}: {count_text(len(cut.tensors), 'tensor')}, "
            f"{_flag_text(cut)} ({100 * cut.share:.1f} % of the plan)"
        )
        x = frame.x(picture.units[cut.boundary].first)
        height = frame.bottom - frame.top
        canvas.rect(x - 2, frame.top, 4, height, "transparent", tip=tip, kind="cut")


def _flag_text(cut: Cut) -> str:
    return f"{format_bytes(cut.byte_count)}, {format_us(cut.transfer_us)}"


def _placed_flags(picture: Picture, frame: _Frame) -> list[Flag]:
    marks = [
        (float(frame.x(picture.units[cut.boundary].first)), _flag_text(cut)) for cut in picture.cuts
    ]
    importance = [cut.transfer_us for cut in picture.cuts]
    return flags(marks, importance, (_MARGIN, frame.width - _MARGIN), _SMALL)


def _draw_flags(canvas: Canvas, frame: _Frame, placed: Sequence[Flag]) -> None:
    base = frame.top
    for flag in placed:
        y = base - _LANE * flag.lane
        canvas.line([(flag.x, frame.bottom), (flag.x, y - 11)], INK, 1, dashes="2 3")
        if flag.x == flag.left:
            canvas.text(flag.x + 3, y - 2, flag.text, size=_SMALL)
        else:
            canvas.text(flag.x - 3, y - 2, flag.text, size=_SMALL, anchor="end")


def _legend(canvas: Canvas, picture: Picture, top: float) -> None:
    x, middle = float(_MARGIN), top + 10
    colour = processor_colour(0)
    entries = [
        (Cell.CHOSEN, colour, "the plan runs it here"),
        (Cell.TAKEN, tint(colour, 0.4), "could run here"),
        (Cell.REFUSED, REFUSED, "refused (rest the pointer on it: why)"),
    ]
    for cell, fill, text in entries[0 if picture.steps else 1 :]:
        height = _HEIGHT[cell]
        canvas.rect(x, middle - height / 2, 14, height, fill)
        canvas.text(x + 20, middle + 4, text, size=_SMALL)
        x += 20 + text_width(text, _SMALL) + 18
    if picture.cuts:
        canvas.line(
            [(x, middle + 4), (x + 8, middle + 4), (x + 8, middle - 4), (x + 16, middle - 4)],
            INK,
            2,
        )
        canvas.text(x + 22, middle + 4, "way of the plan, with what each cut moves", size=_SMALL)
