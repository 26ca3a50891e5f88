"""Puts a profile to use: checks that it is of this machine, and prices the spans of a table.

A measured span costs what was measured. A span that was not is priced by the fitted cost model of
its processor, corrected by what was measured of the same model.
"""

from collections.abc import Mapping
from statistics import median
from typing import NamedTuple

from band.analysis.partition import Partition
from band.analysis.prices import PartPrice, Pricer
from band.device.cost import Pricing
from band.device.fit_parts import FittedPricing
from band.device.fit_prices import ModelPrices
from band.device.fit_terms import GraphTerms
from band.device.profile import Device, Processor
from band.errors import BandError, ErrorCode
from band.model.graph import Graph
from band.plan.table import PlanTable, Span
from band.runtime.backends.interpreter import DELEGATE, installed_version
from band.runtime.host import Host, this_host
from band.runtime.profiling import FittedCosts, Measured, Profile

_Key = tuple[int, int, int]
"""(first unit, last unit, processor)."""

_AGAIN = "measure it again with band profile"


class Priced(NamedTuple):
    """A plan table with the costs of a profile.

    Attributes:
        measured: spans that cost what was measured.
        fitted: spans that cost what the cost model says; all others kept their estimate.
    """

    table: PlanTable
    measured: frozenset[_Key]
    fitted: frozenset[_Key]


def priced(
    profile: Profile,
    graph: Graph,
    device: Device,
    partition: Partition,
    table: PlanTable,
    version: int,
) -> Priced:
    """Return a plan table with the costs of a profile.

    Args:
        profile: of this device.
        graph: the model, with its shapes.
        device: its processors.
        partition: of the model on the device.
        table: what ``build_table`` made of it.
        version: of the table to return.

    Raises:
        BandError: INVALID_CONFIG if the profile is of another device, machine, runtime or file.
    """
    check_profile(profile, graph, device)
    known = profile.costs(graph, device, partition, table)
    fitted: dict[_Key, int] = {}
    terms, ends = None, _ModelEnds(graph, partition)
    for costs in profile.fits:
        for name in costs.processors:
            processor = device.processor(name)
            if processor is None or processor.emulated:
                continue
            terms = terms or GraphTerms(graph)
            prices = ModelPrices(costs.fit, terms, _timed(profile, graph, costs))
            fitted |= _fitted(prices, ends, processor.index, partition, table, known)
    return Priced(
        table.with_costs({**fitted, **known}, version), frozenset(known), frozenset(fitted)
    )


def pricer(profile: Profile, graph: Graph, device: Device) -> Pricer:
    """Return what makes the prices that ``analyze`` cuts a model by, from a profile.

    Processors without a cost model keep the prices of the device.

    Raises:
        BandError: INVALID_CONFIG as ``check_profile``.
    """
    check_profile(profile, graph, device)

    def prices(processor: Processor, graph: Graph) -> PartPrice:
        costs = next((c for c in profile.fits if processor.name in c.processors), None)
        if costs is None or processor.emulated:
            return Pricing(processor, graph)
        timed = _timed(profile, graph, costs)
        return FittedPricing(ModelPrices(costs.fit, GraphTerms(graph), timed), graph, timed)

    return prices


def check_profile(profile: Profile, graph: Graph, device: Device) -> None:
    """Refuse a profile whose figures do not hold here.

    Raises:
        BandError: INVALID_CONFIG, naming both sides.
    """
    _check_device(profile, device)
    real = [m for m in profile.measured if m.word != "emulated"]
    if real:
        _check_host(profile.host, this_host())
    for processor in device.processors:
        settings = {
            (m.runtime, m.runtime_version, m.delegate, m.threads): m
            for m in real
            if m.processor == processor.name
        }
        for entry in settings.values():
            _check_runtime(entry, processor)
    _check_model(profile, graph)


def check_holds(profile: Profile, graph: Graph) -> None:
    """Refuse a profile that has nothing to say of a model.

    Raises:
        BandError: INVALID_CONFIG, naming the models that it holds.
    """
    if not profile.fits and all(m.sha256 != graph.sha256 for m in profile.measured):
        names = ", ".join(sorted({m.model for m in profile.measured})) or "nothing"
        raise BandError(
            ErrorCode.INVALID_CONFIG,
            f"the profile has neither model {graph.name} nor a cost model for it, but {names}; "
            "measure the model with band profile",
            model=graph.name,
        )


def _check_device(profile: Profile, device: Device) -> None:
    if profile.device != device.name:
        raise _refused(f"on device {profile.device!r}, not on {device.name!r}")
    if profile.device_version != device.version:
        raise _refused(
            f"on version {profile.device_version!r} of device {device.name!r}, which has version "
            f"{device.version!r} now"
        )


def _check_host(then: Host, now: Host) -> None:
    if then != now:
        raise _refused(f"on the machine {then}, and this is {now}")


def _check_runtime(entry: Measured, processor: Processor) -> None:
    where = f"on processor {processor.name!r}"
    if entry.runtime != processor.runtime:
        raise _refused(f"with {entry.runtime} {where}, which runs {processor.runtime} now")
    if entry.threads != processor.threads:
        raise _refused(f"with {entry.threads} thread(s) {where}, which has {processor.threads} now")
    if entry.delegate != DELEGATE:
        raise _refused(
            f"with {entry.delegate or 'no delegate'} {where}, which computes with {DELEGATE} now"
        )
    version = installed_version(entry.runtime)
    if entry.runtime_version != version:
        now = "none is installed" if version is None else f"{version} is installed"
        raise _refused(f"with {entry.runtime} {entry.runtime_version} {where}, and {now} now")


def _check_model(profile: Profile, graph: Graph) -> None:
    known = {m.sha256: m for m in profile.measured if m.model == graph.name}
    if known and graph.sha256 not in known:
        other = next(iter(known))
        raise _refused(
            f"with another file named {graph.name} (sha256 {other[:12]}..., this one has "
            f"{graph.sha256[:12]}...)"
        )


def _timed(profile: Profile, graph: Graph, costs: FittedCosts) -> Mapping[tuple[int, ...], float]:
    """Return what was measured of a model on processors that are alike: ops -> time."""
    found: dict[tuple[int, ...], list[int]] = {}
    for entry in profile.measured:
        if entry.sha256 == graph.sha256 and entry.processor in costs.processors:
            found.setdefault(entry.ops, []).append(entry.cost_us)
    return {ops: median(times) for ops, times in found.items()}


def _fitted(
    prices: ModelPrices,
    ends: "_ModelEnds",
    processor: int,
    partition: Partition,
    table: PlanTable,
    known: Mapping[_Key, int],
) -> dict[_Key, int]:
    """Return the price of each span of a processor that was not measured."""
    sums = [0.0]
    for unit in partition.units:
        sums.append(sums[-1] + sum(prices.op_us.get(op, 0.0) for op in unit.ops))
    least, most = _limits(known, processor, table.unit_count)
    found: dict[_Key, int] = {}
    for span in table.spans:
        key, extent = (span.first, span.last, span.processor), (span.first, span.last)
        if span.processor != processor or key in known:
            continue
        us = prices.edge_us(*ends.boundary(span)) + sums[span.last + 1] - sums[span.first]
        us = max(least.get(extent, 0.0), min(us, most.get(extent, us)))
        found[key] = max(1, round(us))
    return found


class _ModelEnds:
    """Where the inputs and outputs of a model enter and leave, which a table does not list."""

    def __init__(self, graph: Graph, partition: Partition) -> None:
        home = {op: unit.index for unit in partition.units for op in unit.ops}
        self._inputs = {
            t: tuple(home[op] for op in graph.consumers[t] if op in home) for t in graph.inputs
        }
        self._outputs = {
            t: home[graph.producer[t]] for t in graph.outputs if graph.producer[t] in home
        }

    def boundary(self, span: Span) -> tuple[set[int], set[int]]:
        """Return all tensors that a span reads from outside, and all that it hands on."""
        first, last = span.first, span.last
        read = {t for t, units in self._inputs.items() if any(first <= u <= last for u in units)}
        made = {t for t, unit in self._outputs.items() if first <= unit <= last}
        return read.union(span.inputs), made.union(span.outputs)


def _limits(
    known: Mapping[_Key, int], processor: int, units: int
) -> tuple[dict[tuple[int, int], float], dict[tuple[int, int], float]]:
    """Return (first, last) -> the most that was measured inside, and the least around it.

    A range costs no less than a part of it and no more than what it is part of. Where measurements
    contradict each other the part wins: it was measured nearer.
    """
    here = {(f, t): float(us) for (f, t, p), us in known.items() if p == processor}
    if not here:
        return {}, {}
    least: dict[tuple[int, int], float] = {}
    for width in range(units):
        for first in range(units - width):
            last = first + width
            inside = (least.get((first + 1, last)), least.get((first, last - 1)))
            values = [us for us in (*inside, here.get((first, last))) if us is not None]
            if values:
                least[first, last] = max(values)
    most: dict[tuple[int, int], float] = {}
    for width in reversed(range(units)):
        for first in range(units - width):
            last = first + width
            around = (most.get((first - 1, last)), most.get((first, last + 1)))
            values = [us for us in (*around, here.get((first, last))) if us is not None]
            if values:
                most[first, last] = min(values)
    return least, most


def _refused(how: str) -> BandError:
    return BandError(ErrorCode.INVALID_CONFIG, f"the profile was measured {how}; {_AGAIN}")
