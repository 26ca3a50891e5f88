"""What slices take of the device's memory: those loaded, those coming and those going."""

from typing import NamedTuple

from mypy_extensions import mypyc_attr

from band.plan.task import SliceKey
from band.scheduler.estimator import SpanId


class Place(NamedTuple):
    """A slice on a processor."""

    model: str
    units: int
    processor: int

    @property
    def slice(self) -> SliceKey:
        """Return the key of its slice."""
        return SliceKey(self.model, self.units)

    @property
    def span_id(self) -> SpanId:
        """Return (first unit, last unit, processor)."""
        return span_id(self.units, self.processor)


@mypyc_attr(allow_interpreted_subclasses=True)
class SliceBooks:
    """Slices between two states, with the bytes they are counted with.

    What is loaded and in use stands in the registered models. Here is what they do not know.

    Attributes:
        limit_bytes: what all slices may take together; None while no driver has said so, and then
            the core neither loads nor evicts anything by itself.
        loading: the driver was asked to load it.
        leaving: the driver was asked to evict it.
        orphans: of a removed model, and a task still runs on it.
        loads, evictions: how often the driver was asked so far.
    """

    __slots__ = ("evictions", "leaving", "limit_bytes", "loading", "loads", "orphans")

    def __init__(self) -> None:
        self.limit_bytes: int | None = None
        self.loading: dict[Place, int] = {}
        self.leaving: dict[Place, int] = {}
        self.orphans: dict[Place, int] = {}
        self.loads = 0
        self.evictions = 0

    def moving_bytes(self, processor: int | None = None) -> int:
        """Return the bytes of what is neither here nor gone; of one processor or of all."""
        return sum(
            size
            for places in (self.loading, self.leaving, self.orphans)
            for place, size in places.items()
            if processor in (None, place.processor)
        )

    def __repr__(self) -> str:
        return f"<SliceBooks limit={self.limit_bytes} {len(self.loading)}+ {len(self.leaving)}->"


def span_id(units: int, processor: int) -> SpanId:
    """Return (first, last, processor) of a mask of adjacent units on a processor."""
    return ((units & -units).bit_length() - 1, units.bit_length() - 1, processor)
