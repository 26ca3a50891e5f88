"""``band slice``: cut a model for a device and write the slices as .tflite files."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from band.cli.console import JsonOption, emit_json, err, print_folding
from band.cli.demands import RulesOption, StrictOption, demanded


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command("slice")
    def slice_command(
        model: Annotated[str, typer.Argument(metavar="MODEL", help="A path or a zoo name.")],
        *,
        folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the files go.")],
        device: Annotated[
            str, typer.Option(metavar="DEVICE", help="A shipped name or a device file.")
        ] = "host",
        everything: Annotated[
            bool, typer.Option("--all", help="All candidate subgraphs, not only those loaded.")
        ] = False,
        rules: RulesOption = None,
        strict: StrictOption = False,
        json: JsonOption = None,
    ) -> None:
        """Write the slices that a device loads of a model, and slices.json that wires them."""
        from band.model.source import open_model
        from band.runtime.export import MANIFEST, export_slices
        from band.runtime.registration import prepare
        from band.runtime.shapes import ask_shapes

        opened, demands = open_model(model), demanded(device, rules, strict=strict)
        chosen = demands.device
        demands.warn_idle(opened.graph)
        prepared = prepare(opened, chosen, shapes=lambda found: ask_shapes(found, chosen))
        manifest = export_slices(prepared, chosen, folder, everything=everything)
        if json is not None:
            emit_json(manifest, json)
        else:
            _print(manifest)
        err.print(f"wrote {len(manifest['slices'])} slices and {folder / MANIFEST}", markup=False)


def _print(manifest: dict[str, Any]) -> None:
    from band.units import format_bytes

    table = Table(box=None, pad_edge=False)
    for title in ("units", "ops", "size", "inputs", "outputs"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("for", overflow="fold")
    word = " (emulated)" if manifest["emulated"] else ""
    for row in manifest["slices"]:
        first, last = row["units"]
        size = format_bytes(row["bytes"])
        tensors = (_ids(row["inputs"]), _ids(row["outputs"]))
        counts = (f"{first}-{last}", str(len(row["ops"])), size)
        table.add_row(*counts, *tensors, ", ".join(row["processors"]) + word)
    print_folding(table)


def _ids(tensors: list[dict[str, Any]]) -> str:
    return ",".join(str(t["tensor"]) for t in tensors)
