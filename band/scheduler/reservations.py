"""Reserved slots: when a processor belongs to one app, or to nobody here.

Heimdall (MobiCom 2020) gives rendering the GPU first and lets networks run between frames; here the
slots are fixed ahead, so that what would run into one can be held back before it starts.
"""

from collections.abc import Sequence
from typing import Final

from mypy_extensions import mypyc_attr

from band.plan.table import PlanTable, Span
from band.scheduler.options import Reservation

_SLOTS_SEEN: Final = 4096
"""So many slots are looked at for the longest time between two of them."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Slots:
    """The slots of one processor that are closed to one app.

    Args:
        reservations: those; at least one.

    Attributes:
        room_us: what a task may take at most. A sixteenth of the longest time between two slots is
            left, so that a task still fits when the tick that ends a slot comes a little late.
    """

    def __init__(self, reservations: Sequence[Reservation]) -> None:
        self._reservations = tuple(reservations)
        gap_us = self._longest_gap_us()
        self.room_us = gap_us - gap_us // 16

    def meets(self, start_us: int, predicted_us: int = 1) -> int | None:
        """Return the end of the first slot that a task would run into, None if it meets none.

        Args:
            start_us: when it starts.
            predicted_us: how long it should take; what exceeds the room between slots does not
                count, since it would fit nowhere.
        """
        end_us = start_us + max(1, min(predicted_us, self.room_us))
        first: tuple[int, int] | None = None
        for slot in self._reservations:
            number = max(0, (start_us - slot.offset_us) // slot.period_us)
            begin_us = slot.offset_us + number * slot.period_us
            if begin_us + slot.length_us <= start_us:
                begin_us += slot.period_us
            if begin_us < end_us and (first is None or begin_us < first[0]):
                first = (begin_us, begin_us + slot.length_us)
        return None if first is None else first[1]

    def _longest_gap_us(self) -> int:
        """Return the longest time between slots, from the time on when all have begun."""
        free_us = max(slot.offset_us for slot in self._reservations)
        longest_us = 0
        for _ in range(_SLOTS_SEEN):
            # The first slot that ends after what is known to be free or taken.
            coming = []
            for slot in self._reservations:
                number = max(0, (free_us - slot.offset_us - slot.length_us) // slot.period_us + 1)
                begin_us = slot.offset_us + number * slot.period_us
                coming.append((begin_us, begin_us + slot.length_us))
            begin_us, end_us = min(coming)
            longest_us = max(longest_us, begin_us - free_us)
            free_us = end_us
        return longest_us


@mypyc_attr(allow_interpreted_subclasses=True)
class Reservations:
    """All reserved slots of a device, by the names of its processors."""

    def __init__(self, reservations: Sequence[Reservation]) -> None:
        self._all = tuple(reservations)
        self._known: dict[tuple[str, str], Slots | None] = {}
        self.processors = frozenset(slot.processor for slot in reservations)

    def closed_to(self, app: str, processor: str) -> Slots | None:
        """Return the slots of a processor that an app may not use, None if there are none."""
        key = (processor, app if any(slot.app == app for slot in self._all) else "")
        if key not in self._known:
            found = [
                slot
                for slot in self._all
                if slot.processor == processor and not (slot.app and slot.app == app)
            ]
            self._known[key] = Slots(found) if found else None
        return self._known[key]

    def owner(self, processor: str, now_us: int) -> str | None:
        """Return whose slot is in force: an app, "" for nobody's, None outside of slots."""
        for slot in self._all:
            into_us = now_us - slot.offset_us
            inside = into_us >= 0 and into_us % slot.period_us < slot.length_us
            if slot.processor == processor and inside:
                return slot.app
        return None

    def too_long(self, table: PlanTable) -> tuple[Span, ...]:
        """Return the spans of a table that fit between no two slots of their processor.

        The slots of all apps count: a table is one for all of them.
        """
        rooms = [
            None if slots is None else slots.room_us
            for slots in (self.closed_to("", name) for name in table.processors)
        ]
        found = []
        for span in table.spans:
            room_us = rooms[span.processor]
            if room_us is not None:
                move_us = max(row[span.processor] for row in table.transfer_us[span.first])
                if span.cost_us + move_us > room_us:
                    found.append(span)
        return tuple(found)
