"""``band demo``: the main job on built-in defaults, in a few minutes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from band.cli.bars import bars
from band.cli.console import err, out, print_table

if TYPE_CHECKING:
    from band.replay import demo as steps
    from band.replay.progress import Progress


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command()
    def demo(
        *,
        seconds: Annotated[
            float, typer.Option(min=1, max=600, help="Length of the XR trace.")
        ] = 10.0,
        seed: Annotated[int, typer.Option(min=0, help="Of trace, inputs and noise.")] = 1,
        folder: Annotated[
            Path, typer.Option("--out", metavar="DIR", help="Takes figures and timelines.")
        ] = Path("band-demo"),
    ) -> None:
        """Replay an XR trace over gRPC, on this machine and an emulated phone; compare policies."""
        from band.replay import demo as steps

        with bars() as told:
            scenario, without = steps.choose_scenario(told)
        if without:
            err.print(f"note: {without}", markup=False)
            err.print("note: the demo goes on with generated models (random weights)")
        work = steps.workload(scenario, folder / "trace.jsonl", seconds=seconds, seed=seed)
        for device in steps.LIVE_DEVICES:
            with bars() as told:
                result = steps.live(work, device, folder / device, seed=seed, progress=told)
            _show_live(work, device, result)
            steps.check_live(result, device)
        load = steps.SIMULATED_LOAD
        path = folder / f"trace_x{load}.jsonl"
        work = steps.workload(scenario, path, seconds=seconds, seed=seed, load=load)
        for device in steps.SIMULATED_DEVICES:
            with bars() as told:
                _show_simulated(work, device, folder, seed=seed, told=told)


def _show_live(work: "steps.Workload", device: str, result: "steps.LiveResult") -> None:
    from band.report.tables import notes, run_tables

    summary, exact, decided = result.summary, result.exactness, result.decisions
    completed = summary.total.requests.completed
    word = f"{summary.label.word} {device}" if summary.label.word else f"{device} (real)"
    out.print(f"== {word}: {work.holds.requests} requests over gRPC", markup=False)
    for table in run_tables(work.trace.header, (summary,)):
        print_table(table)
        out.print()
    for note in notes((summary,)):
        out.print(note, markup=False, soft_wrap=True)
    share = summary.total.split_requests / completed if completed else 0.0
    lines = (
        f"split over processors: {summary.total.split_requests} of {completed} completed requests "
        f"({share:.0%}) ran as two or more slices on two or more processors",
        f"exact: {exact.compared - exact.different} of {exact.compared} sampled replies "
        f"({exact.split} of them split) equal the whole model bit for bit",
        f"decisions: a fresh core repeats {decided.events} recorded events"
        + ("" if decided.difference is None else ", then decides otherwise"),
        f"loads inside requests: {result.loads_during_requests}",
        f"timeline: {result.timeline} (open it in ui.perfetto.dev)",
    )
    for line in lines:
        out.print(line, markup=False, soft_wrap=True)
    out.print()


def _show_simulated(
    work: "steps.Workload", device: str, folder: Path, *, seed: int, told: "Progress"
) -> None:
    from band.replay import demo as steps
    from band.report.tables import notes, run_tables

    result = steps.simulated(work, device, folder / f"sim_{device}", seed=seed, progress=told)
    out.print(
        f"== simulated {device}: all policies, streams {steps.SIMULATED_LOAD} times as fast",
        markup=False,
    )
    print_table(next(iter(run_tables(work.trace.header, result.summaries))))
    out.print()
    for note in notes(result.summaries):
        out.print(note, markup=False, soft_wrap=True)
    out.print(f"timeline: {result.timeline} (open it in ui.perfetto.dev)", markup=False)
    out.print()
