"""Colours: one per processor, readable by people who see few of them, never the only sign."""

from typing import Final

# The palette of Okabe and Ito without black and yellow, which vanish on one background or the
# other; then darker tones of it.
_COLOURS: Final = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#00466e", "#8c6100",
    "#005f45", "#7c4965",
)  # fmt: skip
REFUSED: Final = "#a8a8a8"
INK: Final = "#222222"
QUIET: Final = "#666666"


def processor_colour(index: int) -> str:
    """Return the colour of a processor as ``#rrggbb``; they repeat after the tenth."""
    return _COLOURS[index % len(_COLOURS)]


def tint(colour: str, share: float) -> str:
    """Return a colour mixed with white: share 1 is the colour, 0 is white."""
    parts = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(255 - (255 - part) * share):02x}" for part in parts)
