"""``band analyze``: how a model is cut for a device, who runs what, and why not."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from band.analysis.partition import Mode, Preparation
from band.cli.console import emit_json, err

if TYPE_CHECKING:
    from band.cli.analysis_view import Analysis
    from band.device.profile import Device
    from band.model.model import Model


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command("analyze")
    def analyze_command(
        model: Annotated[str, typer.Argument(metavar="MODEL", help="A .tflite file or zoo name.")],
        *,
        device: Annotated[
            str, typer.Option(metavar="D", help="A shipped device or a device file.")
        ] = "host",
        mode: Annotated[
            Mode, typer.Option(help="cost is ours; band is the original, quirks included.")
        ] = Mode.COST,
        preparation: Annotated[
            Preparation, typer.Option(help="Which subgraphs are prepared.")
        ] = Preparation.MERGE_UNIT_SUBGRAPH,
        min_subgraph_size: Annotated[
            int | None,
            typer.Option(metavar="N", min=1, help="Shorter runs of ops stay on the CPU."),
        ] = None,
        profile: Annotated[
            Path | None, typer.Option(metavar="P.json", help="Costs measured by band profile.")
        ] = None,
        json: Annotated[
            str | None, typer.Option("--json", metavar="FILE", help="Write JSON; - for stdout.")
        ] = None,
    ) -> None:
        """Cut a model for a device: units, who runs them, refused ops with reasons, the plan."""
        from band.cli import analysis_view
        from band.config.device import load_device
        from band.model.source import open_model

        target = load_device(device)
        found = _analysis(
            _with_shapes(open_model(model), target),
            target,
            mode,
            preparation,
            min_subgraph_size,
            profile,
        )
        if found.no_plan:
            err.print(f"no plan: {found.no_plan}", markup=False)
        if json is not None:
            emit_json(analysis_view.document(found), json)
        else:
            analysis_view.show(found)


def _with_shapes(model: "Model", device: "Device") -> "Model":
    """Return the model with all shapes; without a runtime that tells them, say what is missing."""
    from band.errors import BandError
    from band.model.graph import missing_shapes
    from band.model.model import with_shapes
    from band.runtime.shapes import ask_shapes

    missing = missing_shapes(model.graph)
    if not missing:
        return model
    try:
        known = ask_shapes(model, device)
    except BandError as error:
        err.print(
            f"{len(missing)} tensors have no static shape and count as 0 bytes: {error.message}",
            markup=False,
        )
        return model
    return with_shapes(model, {t: known[t] for t in missing if t in known})


def _analysis(
    model: "Model",
    device: "Device",
    mode: Mode,
    preparation: Preparation,
    minimum_size: int | None,
    profile: Path | None,
) -> "Analysis":
    from band.analysis.analyze import analyze
    from band.cli.analysis_view import Analysis
    from band.errors import BandError, ErrorCode
    from band.plan.build import build_table
    from band.plan.kernel import Kernel
    from band.runtime.profiling import read_profile

    graph = model.graph
    partition = analyze(
        graph, device, mode=mode, preparation=preparation, minimum_subgraph_size=minimum_size
    )
    try:
        table = build_table(graph, device, partition, name=graph.name)
    except BandError as error:
        if error.code is not ErrorCode.UNSUPPORTED_MODEL:
            raise
        return Analysis(graph, device, partition, None, None, error.message)
    if profile is not None:
        costs = read_profile(profile).costs(graph, device, partition, table)
        table = table.with_costs(costs, table.version + 1)
    plan = Kernel(table).plan(0, (0,) * len(device.processors))
    return Analysis(graph, device, partition, table, plan, "")
