"""``band profile``: measure what the subgraphs of models cost on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from band.cli.console import err, out, print_table
from band.cli.demands import RulesOption, StrictOption, demanded

if TYPE_CHECKING:
    from band.runtime.profiling import Profile
    from band.runtime.registration import AnalysisOptions

_Ranges = Annotated[
    int, typer.Option(min=0, help="Ranges of ops measured per model for the cost model.")
]
_Everything = Annotated[
    bool, typer.Option("--all", help="All candidate subgraphs, not only those loaded.")
]


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
        ranges: _Ranges = 15,
        everything: _Everything = False,
        rules: RulesOption = None,
        strict: StrictOption = False,
    ) -> None:
        """Measure subgraphs and fit a cost model to them, for --profile of other verbs.

        Shows each measurement beside what the cost model predicts when it has not seen it.
        """
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
                ranges=ranges,
                everything=everything,
                progress=progress,
            )
        for sentence in refused:
            err.print(f"not measured: {sentence}", markup=False)
        _write(profile, path)
        _show(profile)


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
    err.print(f"wrote {len(profile.measured)} measurements to {path}", markup=False)


def _show(profile: "Profile") -> None:
    from band.cli.profile_view import fit_sentences, measured_table

    print_table(measured_table(profile))
    for sentence in fit_sentences(profile):
        out.print(sentence, markup=False, soft_wrap=True)
