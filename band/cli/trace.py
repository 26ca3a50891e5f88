"""``band trace``: make a trace from a scenario, look into one, bring one in from mrsnu/band."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from band.cli.bars import bars
from band.cli.console import JsonOption, emit_json, err, out, print_table

if TYPE_CHECKING:
    from band.trace.contents import TraceContents
    from band.trace.schema import Header, Trace

OutOption = Annotated[Path, typer.Option("--out", metavar="FILE", help="What to write.")]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb = typer.Typer(help="Make, show and import traces.", no_args_is_help=True)
    verb.command("generate")(generate_command)
    verb.command("show")(show_command)
    verb.command("import")(import_command)
    app.add_typer(verb, name="trace")


def generate_command(
    scenario: Annotated[
        str, typer.Argument(metavar="SCENARIO", help="A shipped name or a scenario file.")
    ],
    *,
    seconds: Annotated[float, typer.Option(min=0.001, help="Length of the trace.")],
    seed: Annotated[int, typer.Option(help="Of all random draws.")] = 0,
    out_file: OutOption,
) -> None:
    """Draw a trace from a scenario; equal seeds give equal bytes."""
    from band.trace.generator import generate
    from band.trace.references import trace_models
    from band.trace.scenario import load_scenario

    recipe, path = load_scenario(scenario)
    models = trace_models(recipe.models, base=path.parent, folder=out_file.parent)
    _write(generate(recipe, seconds=seconds, seed=seed, models=models), out_file)


def show_command(
    trace: Annotated[Path, typer.Argument(metavar="TRACE", help="A trace, .jsonl.")],
    *,
    json: JsonOption = None,
) -> None:
    """Check every line of a trace and print what it holds."""
    from band.trace.contents import contents
    from band.trace.reader import read_trace

    read = read_trace(trace)
    with err.status(f"reading {trace}"):
        holds = contents(read)
    if json is not None:
        emit_json(_document(read.header, holds), json)
    if json != "-":
        _print(read.header, holds)


def import_command(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="workload.json or configuration of mrsnu/band.")
    ],
    *,
    out_file: OutOption,
    fps: Annotated[float | None, typer.Option(help="Frames per second of a workload.")] = None,
    period_ms: Annotated[
        float | None, typer.Option(help="Time from frame to frame, instead of --fps.")
    ] = None,
    deadline_ms: Annotated[
        float | None, typer.Option(help="Of every request, from the start of its frame.")
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE=MODEL", help="Zoo name or path for a file of the workload."),
    ] = None,
) -> None:
    """Bring in a workload as a trace, or a configuration as YAML for band serve."""
    from band.trace.band_workload import load_json

    if isinstance(load_json(file), dict):
        _import_config(file, out_file)
    else:
        period_us = _period_us(fps, period_ms)
        _import_workload(file, out_file, period_us, deadline_ms, _pairs(model or ()))


def _import_workload(
    file: Path, out_file: Path, period_us: int, deadline_ms: float | None, known: dict[str, str]
) -> None:
    from dataclasses import replace

    from band.trace.band_workload import import_workload
    from band.trace.references import trace_models

    trace = import_workload(file, period_us=period_us, deadline_ms=deadline_ms)
    # What is named on the command line starts here, what the workload names starts at its folder.
    found = {m.name: known.pop(m.name, str(file.parent / m.name)) for m in trace.header.models}
    for name in known:
        err.print(f"note: --model {name}: the workload uses no such file", markup=False)
    models = trace_models(found, base=Path(), folder=out_file.parent, must_exist=False)
    for missing in (m.name for m in models if m.sha256 is None):
        err.print(f"note: {missing} is not there; name another with --model {missing}=MODEL")
    _write(replace(trace, header=replace(trace.header, models=models)), out_file)


def _import_config(file: Path, out_file: Path) -> None:
    from band.trace.band_config import import_config

    imported = import_config(file)
    for key in imported.dead:
        err.print(f"dead key {key}: mrsnu/band does not read it", markup=False)
    for key, why in imported.dropped:
        err.print(f"not taken over: {key}: {why}", markup=False)
    _save(out_file, imported.yaml(file.name))
    out.print(f"{out_file}: {len(imported.config.get('models', []))} models", markup=False)


def _period_us(fps: float | None, period_ms: float | None) -> int:
    """Return the period given in one of two ways."""
    from band.errors import BandError, ErrorCode

    if (fps is None) == (period_ms is None):
        raise BandError(
            ErrorCode.INVALID_CONFIG,
            "the original plays a workload as a closed loop, each frame after the one before; "
            "give either --fps or --period-ms for an open loop",
        )
    period_us = 1e6 / fps if fps else (period_ms or 0) * 1000
    if not 1 <= period_us < 1e12:
        raise BandError(ErrorCode.INVALID_CONFIG, "the period of a workload is at least 1 us")
    return round(period_us)


def _pairs(given: Sequence[str]) -> dict[str, str]:
    from band.errors import BandError, ErrorCode

    pairs = {}
    for text in given:
        name, separator, reference = text.partition("=")
        if not (name and separator and reference):
            raise BandError(ErrorCode.INVALID_CONFIG, f"--model {text}: write FILE=MODEL")
        pairs[name] = reference
    return pairs


def _write(trace: "Trace", path: Path) -> None:
    """Write a trace with a progress bar and say what is in it."""
    from band.replay.progress import watched
    from band.trace.contents import contents
    from band.trace.writer import write_trace

    with bars() as told, _writable(path):
        write_trace(watched(trace, "drawing frames", told), path)
    holds = contents(trace)
    out.print(f"{path}: {holds.frames} frames, {holds.requests} requests", markup=False)


def _save(path: Path, text: str) -> None:
    with _writable(path):
        path.write_text(text, encoding="utf-8")


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    from band.errors import BandError, ErrorCode

    try:
        yield
    except OSError as error:
        raise BandError(
            ErrorCode.INVALID_CONFIG, f"cannot write {path}: {error.strerror}; name another file"
        ) from error


def _document(header: "Header", holds: "TraceContents") -> dict[str, Any]:
    return {
        "scenario": header.scenario,
        "seed": header.seed,
        "seconds": header.seconds,
        "frames": holds.frames,
        "requests": holds.requests,
        "with_deadline": holds.with_deadline,
        "models": [
            {
                "name": model.name,
                "model": model.reference,
                "sha256": model.sha256,
                "requests": holds.models[model.name],
            }
            for model in header.models
        ],
        "streams": {
            name: {
                "frames": stream.frames,
                "requests": stream.requests,
                "first_us": stream.first_us,
                "last_us": stream.last_us,
            }
            for name, stream in holds.streams.items()
        },
    }


def _print(header: "Header", holds: "TraceContents") -> None:
    from band.report.tables import trace_tables

    for table in trace_tables(header, holds):
        print_table(table)
        out.print()
