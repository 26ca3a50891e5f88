"""``band models``: the models known by name, and pulling those that a package carries."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table

from band.cli.console import JsonOption, emit_json, err, out

if TYPE_CHECKING:
    from collections.abc import Mapping


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb = typer.Typer(help="List the models known by name, or pull a set of them.")

    @verb.callback(invoke_without_command=True)
    def default(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            list_models(None)

    @verb.command("list")
    def list_command(
        *,
        json: JsonOption = None,
    ) -> None:
        """List models: name, where they come from, size, whether they are there."""
        list_models(json)

    @verb.command("pull")
    def pull_command(
        name: Annotated[str, typer.Argument(metavar="SET", help="Set of models, such as xr.")],
    ) -> None:
        """Download a set of models into the cache (once; checked by digest)."""
        pull_models(name)

    app.add_typer(verb, name="models")


def list_models(json_target: str | None) -> None:
    """Print the table of models, or write it as JSON."""
    rows = _rows()
    if json_target is not None:
        emit_json({"models": rows}, json_target)
        return
    table = Table(box=None, pad_edge=False)
    for title in ("model", "source", "size", "here"):
        table.add_column(title, justify="right" if title == "size" else "left", no_wrap=True)
    table.add_column("what it is", overflow="fold")
    for row in rows:
        here = "yes" if row["here"] else "no"
        table.add_row(*(str(row[k]) for k in ("name", "source", "size")), here, str(row["summary"]))
    out.print(table)


def pull_models(name: str) -> None:
    """Pull a set with a progress bar on stderr and print where its files are."""
    from band.model.cache import set_dir
    from band.model.pull import pull
    from band.model.zoo import pulled_set

    wanted = pulled_set(name)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn())
    with Progress(*columns, DownloadColumn(), console=err, transient=True) as bars:
        fetching = bars.add_task(f"downloading {wanted.requirement}", total=None)

        def follow(stage: str, done: int, total: int) -> None:
            if stage == "download":
                bars.update(fetching, completed=done, total=total or None)

        paths = pull(name, follow)
    err.print(f"{len(paths)} models of set {name} are in {set_dir(wanted)}", markup=False)


def _rows() -> "list[Mapping[str, object]]":
    from band.model.cache import is_cached
    from band.model.zoo import GENERATED, SETS
    from band.units import format_bytes

    rows: list[Mapping[str, object]] = [
        {
            "name": net.name,
            "source": "generated",
            "package": None,
            "size": "-",
            "size_bytes": None,
            "here": True,
            "summary": net.summary,
        }
        for net in GENERATED
    ]
    for of in SETS:
        rows += [
            {
                "name": file.name,
                "source": f"set {of.name}",
                "package": of.requirement,
                "size": format_bytes(file.byte_count),
                "size_bytes": file.byte_count,
                "here": is_cached(of, file),
                "summary": file.summary,
            }
            for file in of.files
        ]
    return rows
