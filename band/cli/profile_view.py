"""What ``band profile`` shows: each measured subgraph beside what the cost model predicts."""

from collections.abc import Iterator
from statistics import median
from typing import Final

from rich.table import Table

from band.runtime.profiling import FittedCosts, Measured, Profile
from band.units import count_text, format_us

_LONG_US: Final = 200
"""Shorter subgraphs are mostly dispatch; how well they are predicted hardly matters."""


def measured_table(profile: Profile) -> Table:
    """Return one row for each measured subgraph."""
    table = Table(box=None, pad_edge=False)
    for title in ("model", "processor", "ops", "runtime"):
        table.add_column(title, no_wrap=True)
    for title in ("runs", "mean", "p95", "cpu", "predicted", "error"):
        table.add_column(title, justify="right", no_wrap=True)
    for entry in profile.measured:
        word = f" ({entry.word})" if entry.word else ""
        table.add_row(
            entry.model,
            f"{entry.processor}{word}",
            f"{entry.ops[0]}-{entry.ops[-1]} ({len(entry.ops)})",
            f"{entry.runtime} {entry.runtime_version}",
            str(entry.runs),
            f"{format_us(entry.mean_us)}{word}",
            f"{format_us(entry.p95_us)}{word}",
            format_us(entry.cpu_us),
            format_us(entry.predicted_us),
            "-" if entry.error is None else f"{entry.error:+.1%}",
        )
    return table


def fit_sentences(profile: Profile) -> Iterator[str]:
    """Yield for each cost model how well it predicts what it was not fitted to."""
    for costs in profile.fits:
        names = ", ".join(costs.processors)
        clock = "processor time" if costs.basis == "cpu" else "device time"
        errors = list(_errors(profile, costs))
        if not errors:
            yield f"cost model of {names}: too few subgraphs to tell how well it predicts"
            continue
        text = (
            f"cost model of {names}: median error {median(errors):.1%} in {clock} over "
            f"{count_text(len(errors), 'subgraph')} held back in turns"
        )
        long = [abs(error) for entry, error in _known(profile, costs) if entry.cost_us >= _LONG_US]
        if long and len(long) < len(errors):
            text += f", {median(long):.1%} over the {len(long)} of at least {format_us(_LONG_US)}"
        yield text


def _errors(profile: Profile, costs: FittedCosts) -> Iterator[float]:
    return (abs(error) for _, error in _known(profile, costs))


def _known(profile: Profile, costs: FittedCosts) -> Iterator[tuple[Measured, float]]:
    for entry in profile.measured:
        if entry.processor in costs.processors and entry.error is not None:
            yield entry, entry.error
