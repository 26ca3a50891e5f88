"""What a plan costs step by step and cut by cut, and which other plans it was preferred to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from band.analysis.partition import Partition
from band.device.cost import PartWork, Pricing
from band.device.profile import Device, Processor
from band.model.graph import Graph
from band.plan.best import BestPlan, Step
from band.plan.evidence import CostBasis, Known, basis_of
from band.plan.kernel import Kernel
from band.plan.table import PlanTable

_LOOKED_AT = 32
"""Of the best plans, how many are looked at for runners-up; most differ in nothing that matters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedStep:
    """One slice of a plan on the idle device.

    Attributes:
        ops: compute ops in the canonical order.
        transfer_us: time before ``start_us`` in which its inputs are brought.
        op_us: per op, its part of ``run_us`` without the dispatch, by the shape of the estimate.
        basis: how ``run_us`` is known.
        peak_bytes: activations alive at the worst moment, by ``band.memory``'s lifetimes.
        load_bytes: memory that the loaded slice takes: weights, variables and the peak.
    """

    processor: int
    units: tuple[int, ...]
    ops: tuple[int, ...]
    transfer_us: int
    start_us: int
    run_us: int
    op_us: tuple[int, ...]
    basis: CostBasis
    peak_bytes: int
    load_bytes: int

    @property
    def weight_bytes(self) -> int:
        """Return what the loaded slice takes besides activations."""
        return self.load_bytes - self.peak_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Where a plan goes from one slice to the next.

    Attributes:
        boundary: the first unit after the cut.
        source, target: processors; the same one if only the slice changes.
        tensors: all that are alive at the boundary, by original tensor id.
        byte_count: the sum of their sizes.
        share: of the plan's latency that the transfer takes.
    """

    boundary: int
    source: int
    target: int
    tensors: tuple[int, ...]
    byte_count: int
    transfer_us: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedPlan:
    """A chain of slices; its latency is the sum of all runs and transfers.

    Attributes:
        twins: how many plans there are besides this one that only put processors in the place of
            others of the same kind, support and costs.
    """

    latency_us: int
    steps: tuple[ExplainedStep, ...]
    cuts: tuple[Cut, ...]
    twins: int

    @property
    def load_bytes(self) -> int:
        """Return the memory that all its loaded slices take."""
        return sum(step.load_bytes for step in self.steps)


class _Subject(NamedTuple):
    """What a plan is explained by."""

    graph: Graph
    device: Device
    partition: Partition
    profiled: Mapping[tuple[int, int, int], Known]


class Explainer:
    """Explains plans of one model on one device.

    Args:
        graph: the model.
        device: its processors.
        partition: its units.
        profiled: (first, last, processor) -> what a profile has of the span.
    """

    __slots__ = ("_kinds", "_subject")

    def __init__(
        self,
        graph: Graph,
        device: Device,
        partition: Partition,
        profiled: Mapping[tuple[int, int, int], Known],
    ) -> None:
        self._subject = _Subject(graph, device, partition, profiled)
        self._kinds = _kinds(device.processors)

    def explained(self, plan: BestPlan, twins: int = 0) -> ExplainedPlan:
        """Return one plan with its steps and cuts explained."""
        return _explained(self._subject, plan, twins)

    def ranked(
        self, chosen: BestPlan, candidates: PlanTable, count: int
    ) -> tuple[ExplainedPlan, ...]:
        """Return the chosen plan and runners-up, best first.

        The first runner-up is the best plan with other processors or cuts; each further one has
        another order of processors than all before it. Plans that differ from an earlier one only
        in which of several equal processors they use are counted as its twins.

        Args:
            chosen: what the device would do.
            candidates: where the others come from.
            count: of plans, at most.
        """
        equal: dict[object, list[BestPlan]] = {self._key(chosen): [chosen]}
        for plan in Kernel(candidates).k_best(_LOOKED_AT):
            if _spans(plan) != _spans(chosen):
                equal.setdefault(self._key(plan), []).append(plan)
        found: list[ExplainedPlan] = []
        routes: set[tuple[tuple[int, int], ...]] = set()
        for first, *twins in equal.values():
            route = _route(first, self._kinds)
            if len(found) < 2 or (len(found) < count and route not in routes):
                found.append(self.explained(first, len(twins)))
                routes.add(route)
        return tuple(found[:count])

    def _key(self, plan: BestPlan) -> object:
        """Return what a plan shares with its twins."""
        ends = tuple(step.span.last for step in plan.steps)
        return plan.latency_us, _route(plan, self._kinds), ends


def _spans(plan: BestPlan) -> list[tuple[int, int, int]]:
    return [step.span[:3] for step in plan.steps]


def _kinds(processors: Sequence[Processor]) -> list[int]:
    """Return per processor a number that equal processors share."""
    known: list[object] = []
    numbers = []
    for p in processors:
        key = (p.kind, p.backend, p.runtime, p.threads, p.support, p.costs, p.published, p.options)
        if key not in known:
            known.append(key)
        numbers.append(known.index(key))
    return numbers


def _route(plan: BestPlan, kinds: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Return the processors of a plan up to the exchange of equal ones."""
    seen: dict[int, list[int]] = {}
    route = []
    for step in plan.steps:
        of_kind = seen.setdefault(kinds[step.span.processor], [])
        if step.span.processor not in of_kind:
            of_kind.append(step.span.processor)
        route.append((kinds[step.span.processor], of_kind.index(step.span.processor)))
    return tuple(route)


def _explained(subject: _Subject, plan: BestPlan, twins: int) -> ExplainedPlan:
    steps: list[ExplainedStep] = []
    cuts: list[Cut] = []
    ready_us = 0
    for step in plan.steps:
        transfer_us = step.start_us - ready_us
        if steps:
            cut = _cut(subject.partition, steps[-1], step, transfer_us, plan.latency_us)
            cuts.append(cut)
        steps.append(_step(subject, step, transfer_us))
        ready_us = step.finish_us
    return ExplainedPlan(
        latency_us=plan.latency_us, steps=tuple(steps), cuts=tuple(cuts), twins=twins
    )


def _cut(
    partition: Partition, before: ExplainedStep, step: Step, transfer_us: int, latency_us: int
) -> Cut:
    boundary = step.span.first
    return Cut(
        boundary=boundary,
        source=before.processor,
        target=step.span.processor,
        tensors=partition.boundary_tensors[boundary],
        byte_count=partition.boundary_bytes[boundary],
        transfer_us=transfer_us,
        share=transfer_us / latency_us,
    )


def _step(subject: _Subject, step: Step, transfer_us: int) -> ExplainedStep:
    graph, span = subject.graph, step.span
    processor = subject.device.processors[span.processor]
    weight = set(graph.weight_ops)
    units = subject.partition.units[span.first : span.last + 1]
    ops = tuple(op for unit in units for op in unit.ops if op not in weight)
    profiled = subject.profiled.get((span.first, span.last, span.processor))
    return ExplainedStep(
        processor=span.processor,
        units=tuple(unit.index for unit in units),
        ops=ops,
        transfer_us=transfer_us,
        start_us=step.start_us,
        run_us=span.cost_us,
        op_us=_op_us(processor, graph, ops, span.cost_us),
        basis=basis_of(processor, graph, ops, profiled=profiled),
        peak_bytes=span.peak_bytes,
        load_bytes=span.load_bytes,
    )


def _op_us(processor: Processor, graph: Graph, ops: Sequence[int], run_us: int) -> tuple[int, ...]:
    """Return what each op adds to the estimate of its step, scaled so that the step takes run_us.

    What is left to run_us is the dispatch.
    """
    price = Pricing(processor, graph)
    part = PartWork(graph)
    prices = [price.part_us(part)]
    for op in ops:
        part.add((op,))
        prices.append(max(prices[-1], price.part_us(part)))
    scale = run_us / prices[-1]
    return tuple(round((after - before) * scale) for before, after in pairwise(prices))
