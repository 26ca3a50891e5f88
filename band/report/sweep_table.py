"""The table of a sweep for the terminal: a line for each trace, device and policy."""

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any

from rich import box
from rich.table import Table

from band.units import count_text, format_us

Cell = Mapping[str, Any]


def sweep_table(cells: Sequence[Cell]) -> Table:
    """Return the means over the seeds; ``-`` where no cell has the figure.

    Args:
        cells: of the document of a sweep.
    """
    seeds = len({cell["seed"] for cell in cells})
    of_seeds = f", means of {count_text(seeds, 'seed')}" if seeds > 1 else ""
    table = Table(
        title=f"simulated{of_seeds}",
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    for title in ("trace", "device", "policy"):
        table.add_column(title, no_wrap=True)
    for title in ("per s", "deadlines met", "p50", "p99", "dropped", "failed"):
        table.add_column(title, justify="right", no_wrap=True)
    groups: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell["trace"], cell["device"], cell["policy"]), []).append(cell)
    for names, group in groups.items():
        played = [cell for cell in group if "error" not in cell]
        table.add_row(
            *names,
            _mean(played, lambda c: c["fps"], lambda x: f"{x:.1f}"),
            _mean(played, lambda c: c["slo_satisfaction"], lambda x: f"{x:.1%}"),
            _mean(played, lambda c: c["p50_us"], lambda x: format_us(round(x))),
            _mean(played, lambda c: c["p99_us"], lambda x: format_us(round(x))),
            _mean(played, _dropped, lambda x: f"{x:.0f}"),
            str(len(group) - len(played)),
        )
    return table


def _dropped(cell: Cell) -> int:
    return sum(cell["requests"]["dropped"].values())


def _mean(
    cells: Sequence[Cell],
    figure: Callable[[Cell], float | None],
    shown: Callable[[float], str],
) -> str:
    values = [value for cell in cells if (value := figure(cell)) is not None]
    return shown(fmean(values)) if values else "-"
