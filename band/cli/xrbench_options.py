"""The options of ``band xrbench``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

Costs = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Cost table, JSON: see docs/xrbench.md.")
]
Setting = Annotated[str | None, typer.Option(metavar="S", help="Hardware of the cost table.")]
Scenario = Annotated[
    str | None, typer.Option(metavar="N", help="One of the seven, or a scenario file.")
]
Cases = Annotated[
    Path | None, typer.Option(metavar="FILE", help='JSON list of {"setting", "scenario"}.')
]
Policies = Annotated[
    list[str] | None, typer.Option(metavar="P", help="A name, path.py or .yaml; may be repeated.")
]
Params = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=VALUE", help="Of the policies that have it; may be repeated."),
]
Salvage = Annotated[
    bool | None,
    typer.Option("--salvage/--no-salvage", help="Short for --param salvage=true or =false."),
]
ModeName = Annotated[
    str, typer.Option(metavar="MODE", help="correct, or compat: as the release's program.")
]
Seed = Annotated[int, typer.Option(min=0, help="Of the coins that scenarios toss.")]
WithBound = Annotated[bool, typer.Option("--bound", help="Add the upper bound of each case.")]
BoundSeconds = Annotated[
    float, typer.Option(min=0.1, metavar="N", help="Time for the bound of a case.")
]
Schedule = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the schedule, CSV.")]
Summary = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the summary, CSV.")]
Score = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Score this schedule; play nothing.")
]
PolicyDirs = Annotated[
    list[Path] | None,
    typer.Option(metavar="DIR", help="Folder with more policies; may be repeated."),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The command line as given."""

    costs: Path | None
    setting: str | None
    scenario: str | None
    cases: Path | None
    policies: tuple[str, ...]
    params: tuple[str, ...]
    policy_dirs: tuple[Path, ...]
    mode: str
    seed: int
    bound: bool
    bound_seconds: float
    schedule: Path | None
    summary: Path | None
    json: str | None


def salvage_param(salvage: bool | None) -> tuple[str, ...]:
    """Return the parameter that ``--salvage`` or ``--no-salvage`` stands for."""
    return () if salvage is None else (f"salvage={str(salvage).lower()}",)
