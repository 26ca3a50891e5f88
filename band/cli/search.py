"""``band search``: a static plan for one trace on one device, found offline."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from band.cli.bars import bars
from band.cli.console import JsonOption, check_places, emit_json, err, out, write_text

if TYPE_CHECKING:
    from band.search.search import Found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    """The command line as given."""

    device: str
    objective: str
    generations: int
    population: int
    seed: int
    variants: int
    profile: Path | None


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command()
    def search(
        trace: Annotated[Path, typer.Argument(metavar="TRACE", help="A trace, .jsonl.")],
        *,
        device: Annotated[
            str, typer.Option(metavar="DEVICE", help="A name or a file.", show_default=True)
        ] = "host",
        objective: Annotated[
            str,
            typer.Option(metavar="GOAL", help="slo, fps, load, latency or energy."),
        ] = "slo",
        generations: Annotated[int, typer.Option(min=1, help="At most so many.")] = 60,
        population: Annotated[int, typer.Option(min=8, help="Plans per generation.")] = 48,
        variants: Annotated[
            int, typer.Option(min=1, max=8, help="Chains a model's requests may be split over.")
        ] = 4,
        seed: Annotated[int, typer.Option(min=0, help="Of every draw, and of noise.")] = 0,
        profile: Annotated[
            Path | None, typer.Option(metavar="FILE", help="Costs that band profile measured.")
        ] = None,
        out_file: Annotated[
            Path | None, typer.Option("--out", metavar="PLAN.yaml", help="Write the plan there.")
        ] = None,
        json: JsonOption = None,
    ) -> None:
        """Search a static plan for a trace, simulated; band replay --policy PLAN.yaml plays it."""
        options = _Options(
            device=device,
            objective=objective,
            generations=generations,
            population=population,
            seed=seed,
            variants=variants,
            profile=profile,
        )
        search_plan(trace, options, out_file, json)


def search_plan(path: Path, options: _Options, out_file: Path | None, json: str | None) -> None:
    """Search a plan and write what was asked for."""
    from band.search.plan_file import plan_text

    check_places(out_file, json)
    found = _search(path, options)
    remarks = _remarks(found, path, options)
    if out_file is not None:
        write_text(out_file, plan_text(found.plan, remarks))
        err.print(
            f"plan in {out_file}; play it: band replay {path} --device {options.device} "
            f"--policy {out_file}",
            markup=False,
        )
    if json is not None:
        emit_json({"trace": str(path), "device": options.device, **found.to_json()}, json)
    if json != "-":
        for remark in remarks:
            out.print(remark, markup=False, soft_wrap=True)
        if out_file is None:
            out.print(plan_text(found.plan, ()), markup=False, soft_wrap=True)


def _search(path: Path, options: _Options) -> "Found":
    from band.config.device import load_device
    from band.replay.replay import sim_runner
    from band.runtime.profiling import read_profile
    from band.search.genetic import SearchSettings
    from band.search.objective import objective
    from band.search.search import search
    from band.search.under_core import SearchProblem
    from band.trace.contents import contents
    from band.trace.reader import read_trace

    goal = objective(options.objective)
    trace = read_trace(path)
    profile = None if options.profile is None else read_profile(options.profile)
    with bars() as told:
        runner = sim_runner(
            trace, contents(trace), load_device(options.device), profile=profile, progress=told
        )
        return search(
            SearchProblem(
                trace=trace,
                device=runner.device,
                models=[prepared.added for prepared in runner.prepared],
                noise_seed=options.seed,
            ),
            goal,
            SearchSettings(
                generations=options.generations,
                population=options.population,
                seed=options.seed,
                variants=options.variants,
            ),
            told,
        )


def _remarks(found: "Found", path: Path, options: _Options) -> list[str]:
    """Return what was searched and how good it is, simulated, as sentences."""
    return [
        f"static plan for {path.name} on {options.device}, objective {found.objective}, "
        f"seed {options.seed}",
        f"{found.generations} generations, {found.plays} simulations, {found.finalists} finalists "
        "judged with the whole core",
        f"simulated without noise: {_figures(found, found.flat, found.load)}",
        f"simulated on the device as it is: {_figures(found, found.core, found.core_load)}",
    ]


def _figures(found: "Found", fitness: tuple[float, ...], load: float) -> str:
    """Return the figure asked for, in words."""
    from band.search.objective import Objective
    from band.units import format_us

    words: dict[Any, str] = {
        Objective.SLO: f"{100 * fitness[0]:.2f} % of the deadlines met",
        Objective.FPS: f"{fitness[0]:.2f} per second",
        Objective.LOAD: f"real time up to {load:.3f} times the trace's pace",
        Objective.LATENCY: f"mean latency {format_us(round(-fitness[0]))}",
    }
    if found.objective is Objective.ENERGY:
        met = f"{100 * fitness[2]:.2f} % of the deadlines met (99 are enough)"
        return f"{-fitness[1] / 1e6:.3f} J, {met}"
    return words[found.objective]
