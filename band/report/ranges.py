"""Numbers as ranges: ``0-2, 5, 7-9``."""

from collections.abc import Iterable, Mapping


def ranges_text(numbers: Iterable[int], order: Mapping[int, int] | None = None) -> str:
    """Return ascending numbers as ranges: ``0-2, 5, 7-9``.

    Args:
        numbers: ascending.
        order: number -> place; numbers in neighbouring places make a range. None: the numbers
            themselves are the places.
    """
    runs: list[tuple[int, int]] = []
    for number in numbers:
        place = number if order is None else order[number]
        before = runs[-1][1] if runs else None
        if before is not None and (before if order is None else order[before]) == place - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)
