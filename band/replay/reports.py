"""What must be known to read the figures of a run, as sentences."""

from collections.abc import Sequence
from typing import Final

from band.scheduler.options import PolicyReport
from band.sim.intrusions import Intrusions
from band.units import format_us

_NOTABLE_US: Final = 5_000


def replacements(reports: Sequence[PolicyReport]) -> tuple[str, ...]:
    """Return a sentence for each policy that the core replaced or that got no advice."""
    return tuple(
        f"policy {r.policy} was replaced by the default one at {format_us(r.at_us)}: {r.reason}"
        if r.replaced
        else f"policy {r.policy} got no advice at {format_us(r.at_us)}: {r.reason}"
        for r in reports
    )


def replacement(reports: Sequence[PolicyReport]) -> str | None:
    """Return the sentence on the first policy that the core replaced, None if it replaced none."""
    return next(iter(replacements([r for r in reports if r.replaced])), None)


def intruders(found: Intrusions | None) -> tuple[str, ...]:
    """Return a sentence if tasks ran into reserved slots."""
    if found is None or not found.tasks:
        return ()
    return (
        f"{found.tasks} tasks took longer than predicted and ran into reserved slots, by "
        f"{format_us(found.intruded_us)} together",
    )


def lateness(latest_us: int) -> tuple[str, ...]:
    """Return a sentence if this machine could not send requests when the trace wanted them."""
    if latest_us <= _NOTABLE_US:
        return ()
    return (f"requests left up to {format_us(latest_us)} late: this machine did not keep the pace",)


def overruns(total_us: int, count: int) -> tuple[str, ...]:
    """Return a sentence if slices computed longer than the emulated processors should take."""
    if not count:
        return ()
    return (
        f"{count} tasks overran their emulated time, by {format_us(total_us)} together: this "
        "machine is too slow for the time_scale of the device",
    )
