"""``band replay``: one trace under several policies, simulated, on real processors, on a daemon."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from band.cli.bars import bars
from band.cli.console import JsonOption, check_places, emit_json, err, out, print_table

if TYPE_CHECKING:
    from band.metrics.runs import RunRecords
    from band.metrics.summary import RunSummary
    from band.replay import progress
    from band.replay.in_force import NotPutBackError
    from band.replay.output import OutputFolder
    from band.trace.contents import TraceContents
    from band.trace.schema import Header, Trace


PolicyOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="P",
        help="A name, a .py file, or a .yaml file with parameters such as band search writes; "
        "may be repeated; default: all installed that need no parameter.",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    """The command line as given."""

    on: str
    device: str | None
    policies: tuple[str, ...]
    policy_dirs: tuple[Path, ...]
    seed: int
    profile: Path | None
    scheduler: Path | None
    wall: bool


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command()
    def replay(
        trace: Annotated[Path, typer.Argument(metavar="TRACE", help="A trace, .jsonl.")],
        *,
        on: Annotated[
            str, typer.Option(metavar="WHERE", help="sim, engine, or the address of a daemon.")
        ] = "sim",
        device: Annotated[
            str | None, typer.Option(metavar="DEVICE", help="A name or a file; default: host.")
        ] = None,
        policy: PolicyOption = None,
        seed: Annotated[int, typer.Option(min=0, help="Of latency noise and inputs.")] = 0,
        profile: Annotated[
            Path | None, typer.Option(metavar="FILE", help="Costs that band profile measured.")
        ] = None,
        scheduler: Annotated[
            Path | None,
            typer.Option(
                metavar="FILE", help="Admission, reserved slots, queue limits, classes; YAML."
            ),
        ] = None,
        json: JsonOption = None,
        wall: Annotated[bool, typer.Option("--wall", help="Add wall-clock figures.")] = False,
        out_dir: Annotated[
            Path | None,
            typer.Option("--out", metavar="DIR", help="Write summary, timeline and inboxes there."),
        ] = None,
        policy_dir: Annotated[
            list[Path] | None,
            typer.Option(metavar="DIR", help="Folder with more policies; may be repeated."),
        ] = None,
    ) -> None:
        """Replay a trace, open loop, and compare policies."""
        options = _Options(
            on=on,
            device=device,
            policies=tuple(policy or ()),
            policy_dirs=tuple(policy_dir or ()),
            seed=seed,
            profile=profile,
            scheduler=scheduler,
            wall=wall,
        )
        replay_trace(trace, options, json, out_dir)


def replay_trace(path: Path, options: _Options, json: str | None, out_dir: Path | None) -> None:
    """Replay a trace and write what was asked for."""
    from band.replay.output import OutputFolder, document
    from band.replay.replay import summaries
    from band.trace.contents import contents
    from band.trace.reader import read_trace

    check_places(json, folder=out_dir)
    trace = read_trace(path)
    with err.status(f"checking {path}"):
        holds = contents(trace)
    folder = None if out_dir is None else OutputFolder(out_dir)
    runs: Sequence[RunRecords]
    not_put_back = None
    with bars() as told:
        if options.on in ("sim", "engine"):
            runs = _here(trace, holds, options, folder, told)
        else:
            runs, not_put_back = _at_address(trace, holds, options, told)
    figures = summaries(runs, holds)
    replayed = document(trace.header, figures)
    if json is not None:
        emit_json(replayed, json)
    if json != "-":
        _show(trace.header, figures)
    if folder is not None:
        summary, timeline = folder.write(replayed, runs)
        err.print(
            f"figures in {summary}, timeline in {timeline} (open it in ui.perfetto.dev)",
            markup=False,
        )
    if not_put_back is not None:
        raise not_put_back


def _here(
    trace: "Trace",
    holds: "TraceContents",
    options: _Options,
    folder: "OutputFolder | None",
    told: "progress.Progress",
) -> "tuple[RunRecords, ...]":
    """Replay in this process, simulated or on an engine."""
    from band.config.device import load_device
    from band.config.scheduler import load_scheduler
    from band.replay.policies import choose_policies
    from band.replay.replay import compare, engine_runner, sim_runner
    from band.runtime.profiling import read_profile

    policies, left_out = choose_policies(options.policies, options.policy_dirs)
    for sentence in left_out:
        err.print(f"left out: {sentence}", markup=False)
    make = sim_runner if options.on == "sim" else engine_runner
    runner = make(
        trace,
        holds,
        load_device(options.device or "host"),
        seed=options.seed,
        profile=None if options.profile is None else read_profile(options.profile),
        policy_dirs=options.policy_dirs,
        wall=options.wall,
        progress=told,
    )
    if options.scheduler is not None:
        runner = replace(runner, options=load_scheduler(options.scheduler))
    return tuple(compare(runner, trace, policies, folder=folder, progress=told))


def _at_address(
    trace: "Trace", holds: "TraceContents", options: _Options, told: "progress.Progress"
) -> "tuple[list[RunRecords], NotPutBackError | None]":
    """Replay on a daemon, under the policy in force or under each of those named.

    Returns:
        The runs, and why the daemon does not run its own policy again, if so.
    """
    from band.errors import BandError, ErrorCode
    from band.replay.address import AddressReplay
    from band.replay.in_force import NotPutBackError, policy_put_back
    from band.replay.progress import watched

    for given, name in (
        (options.device, "--device"),
        (options.profile, "--profile"),
        (options.scheduler, "--scheduler"),
    ):
        if given is not None:
            raise BandError(
                ErrorCode.INVALID_CONFIG,
                f"{name} belongs to the daemon at {options.on}; leave it out, or use --on engine",
            )
    replay = AddressReplay(contents=holds, address=options.on, seed=options.seed, wall=options.wall)
    if not options.policies:
        return [replay.run(watched(trace, options.on, told))], None
    runs: list[RunRecords] = []
    try:
        with policy_put_back(options.on):
            runs = [replay.run(watched(trace, name, told), name) for name in options.policies]
    except NotPutBackError as error:
        return runs, error
    return runs, None


def _show(header: "Header", figures: "Sequence[RunSummary]") -> None:
    from band.report.tables import notes, run_tables

    for table in run_tables(header, figures):
        print_table(table)
        out.print()
    for note in notes(figures):
        out.print(note, markup=False, soft_wrap=True)
