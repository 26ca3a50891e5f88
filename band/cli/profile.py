"""``band profile``: measure what the subgraphs of models cost on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from band.cli.console import check_places, err, out, print_table, unwritable
from band.cli.demands import Demands, RulesOption, StrictOption, demanded

if TYPE_CHECKING:
    from band.device.rules import Rules
    from band.runtime.profiler import Wanted
    from band.runtime.profiling import Profile
    from band.runtime.registration import AnalysisOptions

_Ranges = Annotated[
    int, typer.Option(min=0, help="Ranges of ops measured per model for the cost model.")
]
_Everything = Annotated[
    bool, typer.Option("--all", help="All candidate subgraphs, not only those loaded.")
]


class _Chosen(NamedTuple):
    """What the command line and the configuration say together.

    Attributes:
        models: what ``open_model`` takes, and the rules for it.
    """

    models: "list[tuple[str, Rules]]"
    device: str
    options: "AnalysisOptions"


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
        from band.runtime.profiler import profile_models

        chosen = _chosen(models or [], config, device)
        demands = demanded(chosen.device, rules, strict=strict)
        check_places(path)
        wanted = _opened(chosen, demands)
        with bars() as progress:
            profile, refused = profile_models(
                demands.device,
                wanted,
                options=chosen.options,
                runs=runs,
                ranges=ranges,
                everything=everything,
                progress=progress,
            )
        for sentence in refused:
            err.print(f"not measured: {sentence}", markup=False)
        _write(profile, path)
        _show(profile)


def _chosen(models: list[str], config: Path | None, device: str | None) -> _Chosen:
    """Return models, device and analysis as the command line and the configuration say."""
    from band.config.daemon import DaemonConfig, load_daemon
    from band.device.rules import NO_RULES
    from band.errors import BandError, ErrorCode
    from band.runtime.registration import AnalysisOptions

    daemon = DaemonConfig() if config is None else load_daemon(config)
    listed = [(ref, NO_RULES) for ref in models] or [(m.ref, m.demands) for m in daemon.models]
    if not listed:
        raise BandError(
            ErrorCode.INVALID_REQUEST, "nothing to measure; name a model or a --config with models"
        )
    options = AnalysisOptions(
        mode=daemon.analysis.mode,
        preparation=daemon.analysis.preparation,
        minimum_subgraph_size=daemon.analysis.minimum_subgraph_size,
        plans=daemon.analysis.plans,
    )
    return _Chosen(listed, device or daemon.device, options)


def _opened(chosen: _Chosen, demands: Demands) -> "list[Wanted]":
    """Return the models with their rules; say which rules have nothing to say of them."""
    from band.model.source import open_model
    from band.runtime.profiler import Wanted

    found = [Wanted(open_model(ref), own) for ref, own in chosen.models]
    for model, own in found:
        demands.warn_idle(model.graph)
        demands._replace(rules=own).warn_idle(model.graph)
    return found


def _write(profile: "Profile", path: Path) -> None:
    try:
        profile.write(path)
    except OSError as error:
        raise unwritable(path, str(error.strerror)) from error
    err.print(f"wrote {len(profile.measured)} measurements to {path}", markup=False)


def _show(profile: "Profile") -> None:
    from band.cli.profile_view import fit_sentences, measured_table

    print_table(measured_table(profile))
    for sentence in fit_sentences(profile):
        out.print(sentence, markup=False, soft_wrap=True)
