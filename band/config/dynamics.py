"""Turns noise, contention and heat of a device file into the dataclasses of the device."""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Final

from band.config.device_schema import DeviceSchema, ProcessorSchema
from band.config.device_values import evidence
from band.config.dynamics_schema import BandwidthSchema, NoiseSchema
from band.config.numbers import EvidenceSchema
from band.config.suggestion import suggestion
from band.config.yaml_loader import Document, Location
from band.device.dynamics import (
    BandwidthShare,
    Contention,
    CoRunners,
    Empirical,
    Gamma,
    LogNormal,
    Noise,
    SharedBandwidth,
    Spikes,
    ThermalZone,
)
from band.device.profile import Evidence

Details = tuple[tuple[str, Evidence], ...]

_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "lognormal": ("sigma",),
    "gamma": ("cv",),
    "empirical": ("factors",),
    "spikes": ("probability", "factor"),
}
_ALLOWED: Final[Mapping[str, tuple[str, ...]]] = {
    **_NEEDED,
    "spikes": (*_NEEDED["spikes"], "sigma"),
}


def noise(document: Document, written: NoiseSchema, at: Location) -> Noise:
    """Return the noise of a processor.

    Args:
        document: that holds it.
        written: as it stands there.
        at: where it stands.

    Raises:
        BandError: INVALID_CONFIG ``file:line`` if a key is missing or belongs to another model.
    """
    model = written.model
    for key in ("sigma", "cv", "factors", "probability", "factor"):
        given = getattr(written, key) is not None
        if given and key not in _ALLOWED[model]:
            takes = " and ".join(_ALLOWED[model])
            raise document.error((*at, key), f"noise of model {model} takes {takes}, not {key}")
        if not given and key in _NEEDED[model]:
            raise document.error(at, f"noise of model {model} lacks the key '{key}'")
    if model == "gamma":
        return Gamma(cv=written.cv or 0.0)
    if model == "empirical":
        return Empirical(factors=written.factors or ())
    sigma = written.sigma or 0.0
    if model == "lognormal":
        return LogNormal(sigma=sigma)
    return Spikes(probability=written.probability or 0.0, factor=written.factor or 1.0, sigma=sigma)


def processor_details(written: ProcessorSchema) -> Details:
    """Return the evidence for power and noise of a processor."""
    given: Mapping[str, EvidenceSchema | None] = {
        "active_mw": written.active_mw,
        "idle_mw": written.idle_mw,
        "noise": written.noise,
    }
    return tuple((name, evidence(number)) for name, number in given.items() if number is not None)


class Names:
    """Finds the processors that a name stands for.

    Args:
        document: for errors.
        groups: name as written -> indices of its copies, and the name of each copy -> its index.
    """

    def __init__(self, document: Document, groups: Mapping[str, tuple[int, ...]]) -> None:
        self._document = document
        self._groups = groups

    def found(self, at: Location, names: Iterable[str]) -> dict[int, str]:
        """Return index -> name as written, ascending.

        Raises:
            BandError: INVALID_CONFIG ``file:line`` if a name is unknown, or a processor is named
                twice.
        """
        indices: dict[int, str] = {}
        for name in names:
            if name not in self._groups:
                near = suggestion(name, self._groups, noun="processors")
                raise self._document.error((*at, name), f"unknown processor '{name}'; {near}")
            for index in self._groups[name]:
                if index in indices:
                    text = f"'{name}' and '{indices[index]}' name the same processor"
                    raise self._document.error((*at, name), text)
                indices[index] = name
        return dict(sorted(indices.items()))


def contention(document: Document, schema: DeviceSchema, names: Names) -> tuple[Contention, ...]:
    """Return the groups of processors that slow each other.

    Raises:
        BandError: INVALID_CONFIG ``file:line``.
    """
    groups: list[Contention] = []
    for i, written in enumerate(schema.contention):
        at: Location = ("contention", i)
        shares, shared = written.per_co_runner, written.bandwidth
        if (shares is None) == (shared is None):
            raise document.error(at, "contention has exactly one of per_co_runner and bandwidth")
        if shared is not None:
            groups.append(_bandwidth(document, shared, (*at, "bandwidth"), names))
        elif shares is not None:
            found = names.found((*at, "per_co_runner"), shares)
            groups.append(CoRunners(shares=tuple((p, shares[n].value) for p, n in found.items())))
    return tuple(groups)


def _bandwidth(
    document: Document, written: BandwidthSchema, at: Location, names: Names
) -> SharedBandwidth:
    members = names.found((*at, "demand"), written.demand)
    bound = names.found((*at, "memory_bound"), written.memory_bound)
    for processor, name in bound.items():
        if processor not in members:
            text = f"'{name}' has a memory_bound but no demand; say what it asks for"
            raise document.error((*at, "memory_bound", name), text)
    return SharedBandwidth(
        bytes_per_s=written.bytes_per_s.value,
        members=tuple(
            BandwidthShare(
                processor=p,
                bytes_per_s=written.demand[name].value,
                memory_bound=written.memory_bound[bound[p]].value if p in bound else 1.0,
            )
            for p, name in members.items()
        ),
    )


def thermal(document: Document, schema: DeviceSchema, names: Names) -> tuple[ThermalZone, ...]:
    """Return the zones that heat and throttle; a processor is in one of them at most.

    Raises:
        BandError: INVALID_CONFIG ``file:line``.
    """
    zones: list[ThermalZone] = []
    taken: set[int] = set()
    for i, written in enumerate(schema.thermal):
        at: Location = ("thermal", i)
        found = names.found((*at, "heating"), written.heating)
        for processor, name in found.items():
            if processor in taken:
                text = f"'{name}' heats another zone already; a processor has one zone"
                raise document.error((*at, "heating", name), text)
        taken.update(found)
        points = written.slowdown.points
        for (heat, factor), (next_heat, next_factor) in pairwise(points):
            if next_heat <= heat or next_factor < factor:
                text = "the points of a slowdown must rise: [[heat, factor], ...]"
                raise document.error((*at, "slowdown", "points"), text)
        zones.append(
            ThermalZone(
                heating=tuple((p, written.heating[name].value) for p, name in found.items()),
                time_constant_s=written.time_constant_s.value,
                slowdown=points,
            )
        )
    return tuple(zones)


def dynamics_details(schema: DeviceSchema) -> Details:
    """Return the evidence for contention and heat, by the place of each number in the file."""
    found: list[tuple[str, EvidenceSchema]] = []
    for i, group in enumerate(schema.contention):
        if group.per_co_runner is not None:
            numbers = group.per_co_runner.items()
            found += [(f"contention.{i}.per_co_runner.{n}", number) for n, number in numbers]
        if group.bandwidth is not None:
            place = f"contention.{i}.bandwidth"
            found.append((f"{place}.bytes_per_s", group.bandwidth.bytes_per_s))
            found += [(f"{place}.demand.{n}", d) for n, d in group.bandwidth.demand.items()]
            bound = group.bandwidth.memory_bound.items()
            found += [(f"{place}.memory_bound.{n}", share) for n, share in bound]
    for i, zone in enumerate(schema.thermal):
        place = f"thermal.{i}"
        found += [(f"{place}.heating.{n}", number) for n, number in zone.heating.items()]
        found.append((f"{place}.time_constant_s", zone.time_constant_s))
        found.append((f"{place}.slowdown", zone.slowdown))
    return tuple((name, evidence(number)) for name, number in found)
