"""What the names of XRBench's settings say: HARDWARE__DATAFLOW, such as ``Dual_4K__WS_OS``."""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

DATAFLOWS: Final[Mapping[str, str]] = {
    "WS": "weight-stationary",
    "OS": "output-stationary",
    "RS": "row-stationary",
}
_SHARES: Final[Mapping[str, tuple[int, ...]]] = {
    "Single": (4,),
    "Dual": (2, 2),
    "Dual_BigLittle": (3, 1),
    "Dual_LittleBig": (1, 3),
    "Quad": (1, 1, 1, 1),
}
"""Quarters of all processing elements, by accelerator."""

_NAME: Final = re.compile(r"(Single|Dual|Quad)_(\d{1,4})K(_BigLittle|_LittleBig)?__(\w+)")


class AcceleratorKind(NamedTuple):
    """One accelerator of a setting.

    Attributes:
        elements: processing elements.
        dataflow: WS, OS or RS.
    """

    elements: int
    dataflow: str

    def __str__(self) -> str:
        return f"{self.elements} elements, {DATAFLOWS[self.dataflow]}"


def hardware(setting: str) -> tuple[AcceleratorKind, ...] | None:
    """Return the accelerators that the name of a setting tells; None for a name of another kind."""
    found = _NAME.fullmatch(setting)
    if found is None:
        return None
    size, thousands, shape, flows = found.groups()
    shares = _SHARES.get(size + (shape or ""))
    dataflows = flows.split("_")
    if shares is None or len(dataflows) != len(shares) or not set(dataflows) <= set(DATAFLOWS):
        return None
    elements = int(thousands) * 1024
    return tuple(
        AcceleratorKind(elements * share // 4, dataflow)
        for share, dataflow in zip(shares, dataflows, strict=True)
    )
