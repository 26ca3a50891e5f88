"""Writes the slices of a prepared model to a folder, with a manifest that wires them together."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

from band.device.profile import Device
from band.errors import BandError, ErrorCode
from band.model.graph import Graph
from band.model.slice import Slice
from band.model.tflite_writer import write_slice, write_whole
from band.runtime.registration import Prepared

MANIFEST: Final = "slices.json"


def export_slices(
    prepared: Prepared, device: Device, folder: Path, *, everything: bool = False
) -> dict[str, Any]:
    """Write one .tflite file per slice and ``slices.json``.

    Args:
        prepared: the model on the device.
        device: what it was prepared for.
        folder: made if it is not there; files of the same names are replaced.
        everything: all candidate subgraphs, not only those that registration loads.

    Returns:
        The manifest: model, sha256, device, units as op indices, and per slice its file, units,
        ops, processors, and its inputs and outputs by original tensor id, in the order of the file.

    Raises:
        BandError: INVALID_REQUEST if the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        rows = []
        for (first, last), processors in _wanted(prepared, everything=everything).items():
            part = _cut(prepared, first, last)
            name = f"{prepared.model.name}.units-{first}-{last}.tflite"
            (folder / name).write_bytes(part.content)
            row = _row(prepared.model.graph, part, name)
            rows.append({**row, "units": [first, last], "processors": processors})
        manifest = {
            "model": prepared.model.name,
            "sha256": prepared.model.graph.sha256,
            "device": device.name,
            "emulated": device.emulated,
            "units": [list(unit.ops) for unit in prepared.partition.units],
            "slices": rows,
        }
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        msg = f"cannot write to {folder}: {error.strerror}; name another folder with --out"
        raise BandError(ErrorCode.INVALID_REQUEST, msg, path=str(folder)) from error
    return manifest


def _wanted(prepared: Prepared, *, everything: bool) -> dict[tuple[int, int], list[str]]:
    """Return (first unit, last unit) -> names of the processors that run it."""
    loads = set(prepared.loads)
    wanted: defaultdict[tuple[int, int], list[str]] = defaultdict(list)
    for span in prepared.table.spans:
        if everything or (span.first, span.last, span.processor) in loads:
            wanted[span.first, span.last].append(prepared.table.processors[span.processor])
    return dict(wanted)


def _cut(prepared: Prepared, first: int, last: int) -> Slice:
    if (first, last) == (0, prepared.table.unit_count - 1):
        return write_whole(prepared.model)
    ops = [op for unit in prepared.partition.units[first : last + 1] for op in unit.ops]
    return write_slice(prepared.model, ops)


def _row(graph: Graph, part: Slice, name: str) -> dict[str, Any]:
    return {
        "file": name,
        "sha256": part.sha256,
        "bytes": len(part.content),
        "ops": list(part.ops),
        "inputs": [_tensor(graph, t) for t in part.inputs],
        "outputs": [_tensor(graph, t) for t in part.outputs],
    }


def _tensor(graph: Graph, index: int) -> dict[str, Any]:
    tensor = graph.tensors[index]
    shape = None if tensor.shape is None else list(tensor.shape)
    return {"tensor": index, "name": tensor.name, "dtype": tensor.dtype, "shape": shape}
