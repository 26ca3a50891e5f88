"""``band profile``: measure what the subgraphs of models cost on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from band.cli.console import err, print_table
from band.cli.demands import RulesOption, StrictOption, demanded

if TYPE_CHECKING:
    from band.runtime.profiling import Profile
    from band.runtime.registration import AnalysisOptions


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command("profile")
    def profile_command(
        models: Annotated[
            list[str] | None,
            typer.Argument(metavar="MODEL...", help="Paths or zoo names; else those of --config."),
        ] = None,
        *,
        path: Annotated[Path, typer.Option("--out", metavar="P.json", help="File to write.")],
        config: Annotated[
            Path | None, typer.Option(metavar="C", help="Device and models of a daemon's file.")
        ] = None,
        device: Annotated[
            str | None, typer.Option(metavar="D", help="A shipped device or a file (host).")
        ] = None,
        runs: Annotated[int, typer.Option(min=1, help="Runs of each subgraph.")] = 20,
        everything: Annotated[
            bool, typer.Option("--all", help="All candidate subgraphs, not only those loaded.")
        ] = False,
        rules: RulesOption = None,
        strict: StrictOption = False,
    ) -> None:
        """Measure mean and 95th percentile of each subgraph, for --profile of other verbs."""
        from band.cli.bars import bars
        from band.model.source import open_model
        from band.runtime.profiler import profile_models

        refs, where, options = _chosen(models or [], config, device)
        demands = demanded(where, rules, strict=strict)
        opened = [open_model(ref) for ref in refs]
        for model in opened:
            demands.warn_idle(model.graph)
        with bars() as progress:
            profile, refused = profile_models(
                demands.device,
                opened,
                options=options,
                runs=runs,
                everything=everything,
                progress=progress,
            )
        for sentence in refused:
            err.print(f"not measured: {sentence}", markup=False)
        _write(profile, path)
        print_table(_table(profile))
        err.print(f"wrote {len(profile.measured)} measurements to {path}", markup=False)


def _chosen(
    models: list[str], config: Path | None, device: str | None
) -> tuple[list[str], str, "AnalysisOptions"]:
    """Return models, device and analysis as the command line and the configuration say."""
    from band.config.daemon import DaemonConfig, load_daemon
    from band.errors import BandError, ErrorCode
    from band.runtime.registration import AnalysisOptions

    daemon = DaemonConfig() if config is None else load_daemon(config)
    refs = models or [model.ref for model in daemon.models]
    if not refs:
        raise BandError(
            ErrorCode.INVALID_REQUEST, "nothing to measure; name a model or a --config with models"
        )
    options = AnalysisOptions(
        mode=daemon.analysis.mode,
        preparation=daemon.analysis.preparation,
        minimum_subgraph_size=daemon.analysis.minimum_subgraph_size,
        plans=daemon.analysis.plans,
    )
    return refs, device or daemon.device, options


def _write(profile: "Profile", path: Path) -> None:
    from band.errors import BandError, ErrorCode

    try:
        profile.write(path)
    except OSError as error:
        raise BandError(
            ErrorCode.INVALID_REQUEST,
            f"cannot write {path}: {error.strerror}; name another file with --out",
            path=str(path),
        ) from error


def _table(profile: "Profile") -> Table:
    from band.units import format_us

    table = Table(box=None, pad_edge=False)
    for title in ("model", "processor", "ops", "runtime"):
        table.add_column(title, no_wrap=True)
    for title in ("runs", "mean", "p95"):
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
        )
    return table
