"""The few shapes that our drawings need, as elements of one SVG document.

Text is measured by a wide estimate, so that what does not overlap here does not overlap in any
common sans-serif font.
"""

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from typing import Final, Literal

_NAMESPACE: Final = "http://www.w3.org/2000/svg"
_FONT: Final = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif"
_CHARACTER: Final = 0.64
_BOLD_CHARACTER: Final = 0.74
"""Width of an average character in font sizes: DejaVu Sans, the widest of the common fonts."""

Anchor = Literal["start", "middle", "end"]


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Return at least the width of a text in pixels at a font size."""
    return len(text) * size * (_BOLD_CHARACTER if bold else _CHARACTER)


def number(value: float) -> str:
    """Return a coordinate in the shortest form with two decimals at most."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


class Canvas:
    """An SVG document that grows element by element.

    Args:
        width, height: in pixels.
    """

    def __init__(self, width: float, height: float) -> None:
        size = {"width": number(width), "height": number(height)}
        box = f"0 0 {size['width']} {size['height']}"
        self._root = ET.Element(
            "svg", {"xmlns": _NAMESPACE, **size, "viewBox": box, "font-family": _FONT}
        )
        self.rect(0, 0, width, height, "#ffffff")

    def rect(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        fill: str,
        *,
        tip: str = "",
        kind: str = "",
    ) -> None:
        """Add a filled rectangle.

        Args:
            x: of its left side.
            y: of its top.
            width: in pixels.
            height: in pixels.
            fill: a colour.
            tip: shown when the pointer rests on it.
            kind: its class, for whoever reads the document.
        """
        place = {"x": number(x), "y": number(y), "width": number(width), "height": number(height)}
        shape = ET.SubElement(self._root, "rect", {**place, "fill": fill})
        if kind:
            shape.set("class", kind)
        if tip:
            ET.SubElement(shape, "title").text = tip

    def text(
        self,
        x: float,
        y: float,
        content: str,
        *,
        size: float = 11,
        anchor: Anchor = "start",
        fill: str = "#222222",
        bold: bool = False,
    ) -> None:
        """Add one line of text with its baseline at ``y``."""
        shape = ET.SubElement(
            self._root,
            "text",
            {
                "x": number(x),
                "y": number(y),
                "font-size": number(size),
                "text-anchor": anchor,
                "fill": fill,
            },
        )
        if bold:
            shape.set("font-weight", "bold")
        shape.text = content

    def line(
        self,
        points: Sequence[tuple[float, float]],
        stroke: str,
        width: float,
        *,
        dashes: str = "",
        kind: str = "",
    ) -> None:
        """Add a line through points; the pointer sees through it."""
        shape = ET.SubElement(
            self._root,
            "polyline",
            {
                "points": " ".join(f"{number(x)},{number(y)}" for x, y in points),
                "fill": "none",
                "stroke": stroke,
                "stroke-width": number(width),
                "stroke-linejoin": "round",
                "stroke-linecap": "round",
                "pointer-events": "none",
            },
        )
        if dashes:
            shape.set("stroke-dasharray", dashes)
        if kind:
            shape.set("class", kind)

    def document(self) -> str:
        """Return the document as text."""
        return ET.tostring(self._root, encoding="unicode", xml_declaration=False) + "\n"
