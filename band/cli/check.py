"""``band check``: does every way to cut a model compute exactly what the whole model does?"""

from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from band.cli.console import JsonOption, check_places, emit_json, err, print_table
from band.cli.demands import RulesOption, StrictOption, demanded

if TYPE_CHECKING:
    from band.runtime.check_report import CheckedModel, CheckOptions

DIFFERS_EXIT_CODE = 1
REFUSED_EXIT_CODE = 2

Timed = tuple["CheckedModel", float]


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command("check")
    def check_command(
        models: Annotated[
            list[str], typer.Argument(metavar="MODEL...", help="Paths or zoo names.")
        ],
        *,
        device: Annotated[
            str | None,
            typer.Option(
                metavar="D", help="Also check the plans of this device, with its runtime."
            ),
        ] = None,
        steps: Annotated[
            int, typer.Option(metavar="N", min=1, help="Runs of a model that keeps state.")
        ] = 30,
        seed: Annotated[int, typer.Option(metavar="S", min=0, help="Of all inputs.")] = 0,
        rules: RulesOption = None,
        strict: StrictOption = False,
        json: JsonOption = None,
    ) -> None:
        """Run every plan kind as a chain of slices against the whole model, bit for bit.

        Exit code 0: all equal; 1: a plan differs; 2: a model was refused.
        """
        from band.runtime.check_report import CheckOptions

        check_places(json)
        demands = demanded(device or "host", rules, strict=strict)
        options = CheckOptions(
            device=demands.device,
            own_plans=device is not None or rules is not None or strict,
            steps=steps,
            seed=seed,
            rules=demands.rules,
        )
        found = [_checked(ref, options) for ref in models]
        if json is not None:
            emit_json({"models": [model.document() for model, _ in found]}, json)
        else:
            print_table(_table(found))
        if any(model.refused for model, _ in found):
            raise typer.Exit(REFUSED_EXIT_CODE)
        if not all(model.ok for model, _ in found):
            raise typer.Exit(DIFFERS_EXIT_CODE)


def _checked(ref: str, options: "CheckOptions") -> Timed:
    """Return what the check of one model finds and how many seconds it took; tell the user."""
    from band.runtime.check_process import check_apart

    start_s = perf_counter()
    with err.status(ref) as status:
        model = check_apart(ref, options, lambda stage: status.update(f"{ref}: {stage}"))
    took_s = perf_counter() - start_s
    if model.ok:
        said = f"equal in {len(model.plans)} plan kinds"
    else:
        said = f"{'refused' if model.refused else 'differs'}: {model.reason}"
    err.print(f"{model.model}: {said} ({took_s:.1f} s)", markup=False)
    for sentence in model.warnings:
        err.print(f"warning: {sentence}", markup=False)
    return model, took_s


def _table(found: list[Timed]) -> Table:
    """Return one row per model: under each kind, the number of its slices if they are equal."""
    kinds = list(dict.fromkeys(plan.kind for model, _ in found for plan in model.plans))
    table = Table(box=None, pad_edge=False)
    table.add_column("model", no_wrap=True)
    for title in ("ops", *kinds, "slices run", "refused", "seconds"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("result", no_wrap=True)
    for model, took_s in found:
        marks = {
            plan.kind: f"{plan.parts} {'ok' if plan.equal else 'DIFFERS'}" for plan in model.plans
        }
        table.add_row(
            model.model,
            str(model.ops),
            *(marks.get(kind, "-") for kind in kinds),
            str(model.parts_run),
            str(len(model.parts_refused)),
            f"{took_s:.1f}",
            "equal" if model.ok else "refused" if model.refused else "differs",
        )
    return table
