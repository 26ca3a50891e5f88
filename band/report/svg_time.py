"""The chosen plan over time: one bar, the steps in the colours of their processors."""

from typing import Final

from band.report.palette import INK, QUIET, processor_colour
from band.report.picture import Picture
from band.report.svg_canvas import Canvas, text_width
from band.report.svg_labels import Tick, regular, ticks
from band.units import format_us

TIME_HEIGHT: Final = 84
_BAR: Final = 24
_LEAST_BAR: Final = 560
_SIZE: Final = 11.0
_TICKS: Final = 8


def draw_time(canvas: Canvas, picture: Picture, left: float, right: float, top: float) -> None:
    """Draw the plan as a bar over time with its axis, ``TIME_HEIGHT`` high.

    Args:
        canvas: to draw on.
        picture: with a plan.
        left: where the bar begins.
        right: where it ends; a short bar is made longer.
        top: of what is drawn.
    """
    total_us = picture.latency_us or 1
    width = max(_LEAST_BAR, right - left)
    word = f"{picture.word} " if picture.word else ""
    canvas.text(left, top + 10, f"the plan over {word}time", size=12, bold=True)
    bar = top + 20
    for step, _ in picture.steps:
        name = picture.rows[step.processor].name
        x, length = left + width * step.start_us / total_us, width * step.run_us / total_us
        if step.transfer_us:
            moving = width * step.transfer_us / total_us
            tip = f"moving data to {name}: {format_us(step.transfer_us)}"
            canvas.rect(x - moving, bar + 4, moving, _BAR - 8, "#d0d0d0", tip=tip, kind="move")
            _inside(canvas, f"move {format_us(step.transfer_us)}", x - moving, moving, bar, INK)
        text = f"{name} {format_us(step.run_us)}"
        tip = f"{text}: ops {len(step.ops)}, units {step.units[0]}-{step.units[-1]}"
        colour = processor_colour(step.processor)
        canvas.rect(x, bar, max(1.0, length - 1), _BAR, colour, tip=tip, kind="step")
        _inside(canvas, text, x, length, bar, _ink(colour))
    every = regular(total_us / _TICKS)
    times = range(0, total_us + 1, every)
    marks = [Tick(left + width * us / total_us, format_us(us) if us else "0") for us in times]
    for mark in ticks(marks, _SIZE):
        canvas.line([(mark.x, bar + _BAR + 3), (mark.x, bar + _BAR + 7)], QUIET, 1)
        canvas.text(mark.x, bar + _BAR + 19, mark.text, size=_SIZE, anchor="middle", fill=QUIET)


def _inside(canvas: Canvas, text: str, x: float, length: float, bar: float, ink: str) -> None:
    """Write a text in the middle of a part of the bar if it fits in."""
    if text_width(text, _SIZE) + 8 <= length:
        canvas.text(x + length / 2, bar + 16, text, size=_SIZE, anchor="middle", fill=ink)


def _ink(colour: str) -> str:
    """Return black or white, whichever is read better on a colour."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "#ffffff"
