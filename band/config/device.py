"""Finds, reads and checks device files."""

import os
from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

from band.config.device_schema import DeviceSchema, ProcessorSchema
from band.config.device_values import costs, evidence, link, published
from band.config.dynamics import (
    Names,
    contention,
    dynamics_details,
    noise,
    processor_details,
    thermal,
)
from band.config.op_rules import rules_at
from band.config.schema import parse
from band.config.suggestion import suggestion
from band.config.support_tables import support_at
from band.config.yaml_loader import Document, Location, load_yaml
from band.device.profile import Device, Link, Processor, ProcessorKind
from band.device.rules import with_rules
from band.device.support_table import Support
from band.errors import BandError, ErrorCode
from band.share import share_dir
from band.units import BYTES_PER_MIB


def list_devices() -> tuple[str, ...]:
    """Return the names of the shipped devices, sorted."""
    return tuple(sorted(path.stem for path in (share_dir("configs") / "devices").glob("*.yaml")))


def load_device(ref: str) -> Device:
    """Return the device of a shipped name or of a file.

    Args:
        ref: a name in ``configs/devices``, or a path (it holds a ``/`` or ends in ``.yaml``).

    Raises:
        BandError: UNKNOWN_DEVICE for a name that is not shipped; NOT_FOUND for a missing file;
            INVALID_CONFIG ``file:line`` for a bad one.
    """
    if "/" in ref or ref.endswith((".yaml", ".yml")):
        return read_device(load_yaml(ref))
    if ref not in list_devices():
        near = suggestion(ref, list_devices(), noun="shipped devices")
        message = f"unknown device '{ref}'; {near}"
        raise BandError(ErrorCode.UNKNOWN_DEVICE, message, device=ref)
    return read_device(load_yaml(share_dir("configs") / "devices" / f"{ref}.yaml"))


def read_device(document: Document) -> Device:
    """Return the device that a document describes.

    Raises:
        BandError: INVALID_CONFIG ``file:line`` for the first mistake.
    """
    schema = parse(document, DeviceSchema)
    for location, mistake in _mistakes(schema):
        raise document.error(location, mistake)
    processors = tuple(
        _processor(document, index, expanded)
        for index, expanded in enumerate(_expanded(document, schema))
    )
    indices = {p.name: p.index for p in processors}
    names = Names(document, _groups(schema, indices))
    sigma = schema.noise_sigma
    device = Device(
        name=schema.name,
        version=schema.version,
        description=" ".join(schema.description.split()),
        processors=processors,
        links=_links(document, schema, indices),
        default_link=link(schema.default_link, (0, 0)) if schema.default_link else None,
        memory_budget_bytes=schema.memory_budget_mib * BYTES_PER_MIB,
        time_scale=schema.time_scale,
        noise_sigma=sigma.value if sigma else 0.0,
        contention=contention(document, schema, names),
        thermal=thermal(document, schema, names),
        source=str(document.path),
        details=(
            *((("noise_sigma", evidence(sigma)),) if sigma else ()),
            *dynamics_details(schema),
        ),
    )
    return with_rules(device, rules_at(document, ()))


def core_count() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _mistakes(schema: DeviceSchema) -> Iterator[tuple[Location, str]]:
    """Yield what the types alone cannot tell."""
    names: set[str] = set()
    for i, written in enumerate(schema.processors):
        at: Location = ("processors", i)
        for name in _names(written):
            if name in names:
                yield (*at, "name"), f"there are two processors named '{name}'"
            names.add(name)
        if written.kind is ProcessorKind.CPU and "float32" not in written.costs:
            text = "a CPU needs coefficients for float32; mark them hypothesis if nothing is known"
            yield (*at, "costs"), text
        if schema.time_scale != 1 and written.backend != "emulated":
            text = (
                f"time_scale must be 1 because processor '{written.name}' is not emulated: "
                "real time cannot be stretched"
            )
            yield ("time_scale",), text


def _names(written: ProcessorSchema) -> tuple[str, ...]:
    if written.count is None:
        return (written.name,)
    count = core_count() if written.count == "per_core" else written.count
    return tuple(f"{written.name}{i}" for i in range(count))


def _groups(schema: DeviceSchema, indices: dict[str, int]) -> dict[str, tuple[int, ...]]:
    """Return the indices that each name stands for, of a processor or of all copies of one."""
    copies = {
        written.name: tuple(indices[name] for name in _names(written))
        for written in schema.processors
    }
    return {**copies, **{name: (index,) for name, index in indices.items()}}


class _Expanded(NamedTuple):
    """One processor of a file, or one copy of it; ``at`` is where it is written."""

    name: str
    written: ProcessorSchema
    support: Support
    at: Location


def _expanded(document: Document, schema: DeviceSchema) -> Iterator[_Expanded]:
    for i, written in enumerate(schema.processors):
        at: Location = ("processors", i)
        support = Support()
        if written.support is not None:
            support = support_at(document, (*at, "support"))
        for name in _names(written):
            yield _Expanded(name, written, support, at)


def _processor(document: Document, index: int, expanded: _Expanded) -> Processor:
    name, written, support, at = expanded
    return Processor(
        index=index,
        name=name,
        kind=written.kind,
        backend=written.backend,
        runtime=written.runtime,
        threads=written.threads,
        available=written.available,
        support=support,
        costs=costs(written.costs),
        published=published(written.published),
        options=tuple(sorted(written.options.items())),
        active_mw=written.active_mw.value if written.active_mw else None,
        cold_after_us=written.cold_after_us,
        idle_mw=written.idle_mw.value if written.idle_mw else None,
        noise=noise(document, written.noise, (*at, "noise")) if written.noise else None,
        details=processor_details(written),
    )


def _links(document: Document, schema: DeviceSchema, indices: dict[str, int]) -> tuple[Link, ...]:
    """Return the links; an end that names a counted processor stands for all of its copies."""
    groups = {written.name: _names(written) for written in schema.processors}
    found: dict[tuple[int, int], Link] = {}
    for i, written in enumerate(schema.links):
        at: Location = ("links", i, "ends")
        ends = []
        for name in written.ends:
            if name not in indices and name not in groups:
                near = suggestion(name, (*indices, *groups), noun="processors")
                raise document.error(at, f"unknown processor '{name}'; {near}")
            ends.append([indices[n] for n in groups.get(name, (name,))])
        if written.ends[0] == written.ends[1]:
            pairs = set(combinations(ends[0], 2))
        else:
            pairs = {(min(a, b), max(a, b)) for a in ends[0] for b in ends[1] if a != b}
        if not pairs:
            raise document.error(at, f"'{written.ends[0]}' cannot be linked with itself")
        for pair in sorted(pairs):
            if pair in found:
                raise document.error(at, "there are two links between these processors")
            found[pair] = link(written, pair)
    return tuple(found.values())
