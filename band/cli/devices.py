"""``band devices``: the shipped devices, and what of a device this machine can really run."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from band.cli.console import JsonOption, emit_json, out

if TYPE_CHECKING:
    from band.device.profile import Device, Evidence, Processor


def register(app: typer.Typer) -> None:
    """Add the verb."""
    verb = typer.Typer(help="List the shipped devices, or probe the processors of one.")

    @verb.callback(invoke_without_command=True)
    def default(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            list_devices(None)

    @verb.command("list")
    def list_command(*, json: JsonOption = None) -> None:
        """List the shipped devices: processors, real or emulated, time scale."""
        list_devices(json)

    @verb.command("probe")
    def probe_command(
        device: Annotated[
            str, typer.Argument(metavar="DEVICE", help="A shipped name or a device file.")
        ] = "host",
        *,
        json: JsonOption = None,
    ) -> None:
        """Open each processor of a device here and say what executes on it, or why nothing can."""
        probe_device(device, json)

    app.add_typer(verb, name="devices")


def list_devices(json_target: str | None) -> None:
    """Print the table of shipped devices, or write it as JSON; pydantic is imported only here."""
    from band.config import device as config

    devices = [config.load_device(name) for name in config.list_devices()]
    if json_target is not None:
        emit_json({"devices": [_device_row(d) for d in devices]}, json_target)
        return
    table = _table("device", "version", "word", "time scale", "processors", "what it is")
    for device in devices:
        table.add_row(
            device.name,
            device.version,
            _word(device),
            f"{device.time_scale:g}",
            ", ".join(p.name for p in device.processors),
            device.description.split(":")[0],
        )
    out.print(table)


def probe_device(ref: str, json_target: str | None) -> None:
    """Print what executes on each processor of a device on this machine, or write it as JSON."""
    from band.config.device import load_device

    device = load_device(ref)
    rows = [_probe(device, processor) for processor in device.processors]
    if json_target is not None:
        emit_json({"device": device.name, "processors": rows}, json_target)
        return
    table = _table("processor", "kind", "backend", "works", "word", "runtime", "detail")
    for row in rows:
        works = "yes" if row["works"] else "no"
        runtime = f"{row['runtime']} {row['runtime_version']}".strip()
        texts = (str(row[key]) for key in ("name", "kind", "backend"))
        table.add_row(*texts, works, str(row["word"]), runtime, str(row["detail"]))
    out.print(table)


def _probe(device: "Device", processor: "Processor") -> dict[str, object]:
    """Return what executes on a processor, or why nothing can."""
    from band.clock import MonotonicClock
    from band.errors import BandError
    from band.runtime.backends.protocol import BackendContext
    from band.runtime.discovery import open_backend

    row: dict[str, object] = {
        "name": processor.name,
        "kind": processor.kind.value,
        "backend": processor.backend,
        "works": False,
        "word": "emulated" if processor.emulated else "",
        "runtime": processor.runtime,
        "runtime_version": "",
        "detail": "",
    }
    if not processor.available:
        return row | {"detail": "the device file says that it is not available"}
    clock = MonotonicClock(time_scale=device.time_scale)
    try:
        backend = open_backend(processor, BackendContext(device=device, clock=clock))
    except BandError as error:
        return row | {"detail": error.message}
    try:
        info = backend.info()
    finally:
        backend.close()
    return row | {
        "works": True,
        "word": info.word,
        "runtime": info.runtime,
        "runtime_version": info.runtime_version,
        "detail": info.detail,
    }


def _device_row(device: "Device") -> dict[str, object]:
    return {
        "name": device.name,
        "version": device.version,
        "description": device.description,
        "emulated": device.emulated,
        "time_scale": device.time_scale,
        "noise_sigma": device.noise_sigma,
        "contention": [asdict(group) for group in device.contention],
        "thermal": [asdict(zone) for zone in device.thermal],
        "evidence": _evidence(device.details),
        "memory_budget_bytes": device.memory_budget_bytes,
        "processors": [
            {
                "name": p.name,
                "kind": p.kind.value,
                "backend": p.backend,
                "runtime": p.runtime,
                "available": p.available,
                "emulated": p.emulated,
                "support": p.support.source,
                "costs": [
                    {"dtype": c.dtype, "mark": c.evidence.mark.value, "source": c.evidence.source}
                    for c in p.costs
                ],
                "published": [
                    {"model": row.model, "sha256": row.sha256, "latency_us": row.latency_us}
                    for row in p.published
                ],
                "active_mw": p.active_mw,
                "idle_mw": p.idle_mw,
                "noise": None if p.noise is None else asdict(p.noise),
                "evidence": _evidence(p.details),
            }
            for p in device.processors
        ],
    }


def _evidence(details: "Iterable[tuple[str, Evidence]]") -> dict[str, dict[str, str]]:
    """Return how each number is known, by its place in the device file."""
    return {name: {"mark": e.mark.value, "source": e.source} for name, e in details}


def _word(device: "Device") -> str:
    if all(p.emulated for p in device.processors):
        return "emulated"
    return "partly emulated" if device.emulated else "real"


def _table(*titles: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in titles[:-1]:
        table.add_column(title, justify="right" if title == "time scale" else "left", no_wrap=True)
    table.add_column(titles[-1], overflow="fold")
    return table
