"""Conversions and readable forms of the integer units used everywhere: time, memory, energy."""

from typing import Final

US_PER_MS: Final = 1_000
US_PER_S: Final = 1_000_000
UJ_PER_J: Final = 1_000_000
BYTES_PER_MIB: Final = 1 << 20


def us_from_ms(milliseconds: float) -> int:
    """Return milliseconds as whole microseconds, rounded to the nearest."""
    return round(milliseconds * US_PER_MS)


def us_from_s(seconds: float) -> int:
    """Return seconds as whole microseconds, rounded to the nearest."""
    return round(seconds * US_PER_S)


def format_us(microseconds: int | None) -> str:
    """Return a duration for people: ``850 us``, ``12.3 ms``, ``2.50 s``; ``-`` for None."""
    if microseconds is None:
        return "-"
    if abs(microseconds) < US_PER_MS:
        return f"{microseconds} us"
    if abs(microseconds) < US_PER_S:
        return f"{microseconds / US_PER_MS:.1f} ms"
    return f"{microseconds / US_PER_S:.2f} s"


def format_bytes(count: int | None) -> str:
    """Return a size for people: ``512 B``, ``3.4 KiB``, ``12.0 MiB``; ``-`` for None."""
    if count is None:
        return "-"
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < 1024 or unit == "GiB":
            return f"{count} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    raise AssertionError(count)


def count_text(count: int, noun: str) -> str:
    """Return a count for people: ``1 op``, ``3 ops``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def format_count(count: int) -> str:
    """Return a large count for people: ``950``, ``331 million``, ``1.85 billion``."""
    for size, name in ((10**12, "trillion"), (10**9, "billion"), (10**6, "million")):
        if count >= size:
            return f"{count / size:.3g} {name}"
    return str(count)
