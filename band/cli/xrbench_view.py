"""The tables of ``band xrbench``: policies beside cases, or the models of one case."""

from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from band.xrbench.batch import CaseName, Outcome
    from band.xrbench.result import Bound
    from band.xrbench.scores import Scores

REFUSED = "refused"
_TIME_OVER = (
    "* time over: no score can pass this bound, but with more --bound-seconds it may be lower"
)


def case_table(outcome: "Outcome") -> Group:
    """Return the models of one case under one policy."""
    assert outcome.result is not None
    result = outcome.result
    title = f"{result.case.name}, {outcome.policy}, {result.mode} mode (simulated)"
    return scores_table(title, result.scores, outcome.bound)


def scores_table(title: str, scores: "Scores", bound: "Bound | None" = None) -> Group:
    """Return a table of the scores of a run, one model a line."""
    table = Table(box=None, pad_edge=False)
    table.add_column("model", no_wrap=True)
    for name in ("score", "real-time", "energy", "QoE", "completed", "dropped", "on time"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, model in scores.models.items():
        figures = (100 * model.total * model.qoe, model.realtime, model.energy, model.qoe)
        counts = (model.completed, model.dropped, model.on_time)
        table.add_row(
            name,
            f"{figures[0]:.2f}",
            *(f"{figure:.4f}" for figure in figures[1:]),
            *map(str, counts),
        )
    table.add_section()
    table.add_row("overall", f"{scores.overall:.2f}", *[""] * 6)
    if bound is not None:
        name = "bound" if bound.proven else "bound (time over)"
        table.add_row(name, f"{bound.overall:.2f}", *[""] * 6)
    return Group(Text(title), table)


def grid_table(mode: str, outcomes: "Sequence[Outcome]") -> Group:
    """Return the overall scores, a case a line and a policy a column, and their means."""
    policies = list(dict.fromkeys(outcome.policy for outcome in outcomes))
    by_case: dict[CaseName, dict[str, Outcome]] = {}
    for outcome in outcomes:
        by_case.setdefault(outcome.case, {})[outcome.policy] = outcome
    bounded = any(outcome.bound is not None for outcome in outcomes)
    table = Table(box=None, pad_edge=False)
    table.add_column("case", no_wrap=True)
    for name in (*policies, *(["bound"] if bounded else [])):
        table.add_column(Text(name.replace("_", "_\n")), justify="right", vertical="bottom")
    for case, found in by_case.items():
        cells = [_overall(found[policy]) for policy in policies]
        if bounded:
            bound = next(iter(found.values())).bound
            cells.append("-" if bound is None else _bound([bound]))
        table.add_row(f"{case.setting} {case.scenario}", *cells)
    complete = [
        found for found in by_case.values() if all(o.result is not None for o in found.values())
    ]
    if len(complete) > 1:
        table.add_section()
        means = [_mean([found[policy] for found in complete]) for policy in policies]
        if bounded:
            bounds = [next(iter(found.values())).bound for found in complete]
            means.append(_bound([bound for bound in bounds if bound is not None]))
        table.add_row(f"mean of {len(complete)}", *means)
    title = Text(f"overall scores, {mode} mode (simulated)")
    if all(outcome.bound is None or outcome.bound.proven for outcome in outcomes):
        return Group(title, table)
    return Group(title, table, Text(_TIME_OVER))


def _bound(bounds: "Sequence[Bound]") -> str:
    """Return the mean of bounds, marked where the time was over before one was proven."""
    mark = "" if all(bound.proven for bound in bounds) else "*"
    return f"{fmean(bound.overall for bound in bounds):.2f}{mark}"


def _overall(outcome: "Outcome") -> str:
    return REFUSED if outcome.result is None else f"{outcome.result.scores.overall:.2f}"


def _mean(outcomes: "Sequence[Outcome]") -> str:
    return f"{fmean(o.result.scores.overall for o in outcomes if o.result is not None):.2f}"
