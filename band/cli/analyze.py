"""``band analyze``: how a model is cut for a device, who runs what, and why not."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from band.analysis.partition import Mode, Preparation
from band.cli.console import JsonOption, emit_json, err, write_text
from band.cli.demands import RulesOption, StrictOption, demanded

if TYPE_CHECKING:
    from band.cli.analysis import Analysis
    from band.report.picture import Picture


_Model = Annotated[str, typer.Argument(metavar="MODEL", help="A .tflite file or zoo name.")]
_Device = Annotated[str, typer.Option(metavar="D", help="A shipped device or a device file.")]
_Mode = Annotated[Mode, typer.Option(help="cost is ours; band is the original, quirks included.")]
_Preparation = Annotated[Preparation, typer.Option(help="Which subgraphs are prepared.")]
_Size = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="Shorter runs of ops stay on the CPU.")
]
_Profile = Annotated[
    Path | None, typer.Option(metavar="P.json", help="Costs measured by band profile.")
]
_Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Every unit, cut and refused op.")]
_Svg = Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the partition as SVG.")]
_ModelExplorer = Annotated[
    Path | None,
    typer.Option(metavar="FILE.json", help="Write node data for Google's Model Explorer."),
]


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command("analyze")
    def analyze_command(
        model: _Model,
        *,
        device: _Device = "host",
        mode: _Mode = Mode.COST,
        preparation: _Preparation = Preparation.MERGE_UNIT_SUBGRAPH,
        min_subgraph_size: _Size = None,
        profile: _Profile = None,
        rules: RulesOption = None,
        strict: StrictOption = False,
        verbose: _Verbose = False,
        svg: _Svg = None,
        model_explorer: _ModelExplorer = None,
        json: JsonOption = None,
    ) -> None:
        """Cut a model for a device: who runs what at what cost, the alternatives, every refusal."""
        from band.cli import analysis_view
        from band.cli.analysis import Options, analysis
        from band.cli.analysis_document import document
        from band.model.source import open_model
        from band.report.picture import picture

        options = Options(mode, preparation, min_subgraph_size, profile)
        demands = demanded(device, rules, strict=strict)
        found = analysis(open_model(model), demands.device, options)
        demands.warn_idle(found.graph)
        drawn = picture(found.graph, found.device, found.partition, found.explanation)
        if json is not None:
            emit_json(document(found), json)
        else:
            analysis_view.show(found, drawn, everything=verbose)
        if svg is not None:
            _write_svg(found, drawn, svg)
        if model_explorer is not None:
            _write_node_data(found, model_explorer)
        if found.refusal is not None:
            raise found.refusal


def _write_svg(found: "Analysis", drawn: "Picture", path: Path) -> None:
    from band.report.partition_svg import partition_svg

    note = f"No plan: {found.refusal.message}." if found.refusal else ""
    write_text(path, partition_svg(drawn, note=note))


def _write_node_data(found: "Analysis", path: Path) -> None:
    """Write the first data set to ``path`` and the others beside it."""
    import json

    from band.model.tflite_names import main_graph_name
    from band.report.model_explorer import data_sets

    name = main_graph_name(found.model)
    written = []
    for number, data in enumerate(
        data_sets(found.device, found.partition, found.explanation, name)
    ):
        target = path.with_name(f"{path.stem}-{data.slug}{path.suffix}") if number else path
        write_text(target, json.dumps(data.content, indent=1) + "\n")
        written.append(str(target))
    model = found.model.path or "MODEL"
    err.print(
        f"wrote {', '.join(written)}; look at them with: model-explorer {model} "
        f"--node_data_paths={','.join(written)}",
        markup=False,
    )
