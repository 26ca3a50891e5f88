"""The plans that a registration on a device would load, for the check of a model."""

from typing import Final, NamedTuple

from band.analysis.plan_kinds import Part, plan_kinds
from band.device.profile import Device
from band.model.graph import Graph
from band.model.model import Model
from band.plan.kernel import Kernel
from band.plan.table import Span
from band.runtime.loading import ops_of
from band.runtime.registration import AnalysisOptions, Prepared, prepare

_OPTIONS: Final = AnalysisOptions()


class Kind(NamedTuple):
    """One plan kind.

    Attributes:
        parts: how many slices it is about.
        chains: chains of slices to compare with the whole model.
    """

    name: str
    parts: int
    chains: tuple[tuple[Part, ...], ...]


def general_kinds(graph: Graph) -> tuple[Kind, ...]:
    """Return the kinds that ask no device."""
    return tuple(Kind(name, len(parts), (parts,)) for name, parts in plan_kinds(graph).items())


def device_kinds(model: Model, device: Device) -> tuple[Kind, ...]:
    """Return the best plans of a model on a device, and all subgraphs that would be loaded.

    Each subgraph is checked inside a chain, between one slice of all units before it and one of
    all units after it.

    Args:
        model: with the shapes filled in that are known before it runs.
        device: where it would be registered.

    Raises:
        BandError: the device cannot run the model.
    """
    prepared = prepare(model, device, options=_OPTIONS, shapes=lambda _: {})
    plans = Kernel(prepared.table).k_best(_OPTIONS.plans)
    best = tuple(
        Kind(
            f"{device.name} plan {number}",
            len(plan.steps),
            (tuple(ops_of(prepared, step.span) for step in plan.steps),),
        )
        for number, plan in enumerate(plans, start=1)
    )
    ranges = dict.fromkeys((first, last) for first, last, _ in prepared.loads)
    around = tuple(_around(prepared, first, last) for first, last in ranges)
    return (*best, Kind(f"{device.name} subgraphs", len(ranges), around))


def _around(prepared: Prepared, first: int, last: int) -> tuple[Part, ...]:
    end = prepared.table.unit_count - 1
    ranges = ((0, first - 1), (first, last), (last + 1, end))
    return tuple(ops_of(prepared, Span(a, b, 0, 1)) for a, b in ranges if a <= b)
