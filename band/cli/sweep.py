"""``band sweep``: traces x devices x policies x seeds, simulated on all cores or on a cluster."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from band.cli.bars import bars
from band.cli.console import JsonOption, check_places, emit_json, err, print_table, write_text

if TYPE_CHECKING:
    from band.replay.sweep import Row
    from band.replay.sweep_grid import Grid
    from band.replay.sweep_pools import OpenPool

FAILED_EXIT_CODE = 1
_SHOWN = 5
"""So many failed cells, and as many notes, are told one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outputs:
    """Where the results go."""

    json: str | None
    csv: Path | None
    parquet: Path | None


_Traces = Annotated[
    list[str], typer.Option("--trace", metavar="T", help="A trace, .jsonl; may be repeated.")
]
_Devices = Annotated[
    list[str], typer.Option("--device", metavar="D", help="A name or a file; may be repeated.")
]
_Policies = Annotated[
    list[str],
    typer.Option(
        "--policy", metavar="P", help="A name, path.py, package:object or .yaml; may be repeated."
    ),
]
_Seeds = Annotated[int, typer.Option(min=1, metavar="N", help="Seeds 0 to N-1 of latency noise.")]
_Where = Annotated[
    str, typer.Option(metavar="WHERE", help="local, or dask:ADDRESS of a scheduler.")
]
_Workers = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Processes of local; default: one per core."),
]
_Folder = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="DIR", help="Keep cells there; those it has are not played again."
    ),
]
_Csv = Annotated[Path | None, typer.Option(metavar="FILE", help="Write CSV.")]
_Parquet = Annotated[Path | None, typer.Option(metavar="FILE", help="Write Parquet (extra: dask).")]
_PolicyDirs = Annotated[
    list[Path] | None,
    typer.Option("--policy-dir", metavar="DIR", help="Folder with more policies; may be repeated."),
]


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command()
    def sweep(
        *,
        traces: _Traces,
        devices: _Devices,
        policies: _Policies,
        seeds: _Seeds = 1,
        executor: _Where = "local",
        workers: _Workers = None,
        out_dir: _Folder = None,
        json: JsonOption = None,
        csv: _Csv = None,
        parquet: _Parquet = None,
        policy_dirs: _PolicyDirs = None,
    ) -> None:
        """Simulate every trace on every device under every policy with every seed."""
        from band.replay.sweep_grid import make_grid
        from band.replay.sweep_output import check_parquet
        from band.replay.sweep_pools import pool_opener

        check_places(json, csv, parquet, folder=out_dir)
        if parquet is not None:
            check_parquet()
        open_pool = pool_opener(executor, workers)
        folders = tuple(policy_dirs or ())
        grid = make_grid(traces, devices, policies, seeds=seeds, policy_dirs=folders)
        outputs = _Outputs(json=json, csv=csv, parquet=parquet)
        failed = _write(_play(grid, open_pool, out_dir), outputs)
        if failed:
            raise typer.Exit(FAILED_EXIT_CODE)


def _play(grid: "Grid", open_pool: "OpenPool", folder: Path | None) -> "tuple[Row, ...]":
    """Play what is not done yet."""
    from contextlib import nullcontext

    from band.replay.sweep import sweep
    from band.replay.sweep_store import CellStore

    with nullcontext() if folder is None else CellStore(folder) as store, bars() as told:
        if store is not None and store.damaged:
            err.print(f"the last line of {store.path} was damaged; its cell is played again")
        kept = 0 if store is None else len(store.done)
        try:
            return sweep(grid, open_pool, store=store, progress=told)
        except KeyboardInterrupt:
            if store is not None:
                more = len(store.done) - kept
                err.print(f"{more} cells were added to {store.path}; run it again to go on")
            raise


def _write(rows: "Sequence[Row]", outputs: _Outputs) -> int:
    """Write what was asked for; return how many cells failed."""
    from band.replay.sweep_output import csv_text, document, write_parquet
    from band.report.sweep_table import sweep_table

    if outputs.json is not None:
        emit_json(document(rows), outputs.json)
    if outputs.csv is not None:
        write_text(outputs.csv, csv_text(rows))
    if outputs.parquet is not None:
        write_parquet(rows, outputs.parquet)
    if outputs.json != "-":
        print_table(sweep_table([row.to_json() for row in rows]))
    failed = [f"{row.cell.label()}: {row.error}" for row in rows if row.error is not None]
    _tell("failed", failed)
    _tell("note", [f"{row.cell.label()}: {report}" for row in rows for report in row.reports])
    return len(failed)


def _tell(word: str, sentences: Sequence[str]) -> None:
    for sentence in sentences[:_SHOWN]:
        err.print(f"{word}: {sentence}", markup=False)
    if len(sentences) > _SHOWN:
        err.print(f"{word}: {len(sentences) - _SHOWN} more; --json and --csv have all")
