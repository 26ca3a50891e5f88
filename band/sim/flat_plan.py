"""A static plan on its tables, compiled to what the flat simulator reads in its inner loop."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from band.errors import BandError, ErrorCode
from band.plan.static import PlannedModel, StaticPlan, Variant, spans_of, turns
from band.plan.table import PlanTable, Span
from band.scheduler.plans import is_chain


class FlatStep(NamedTuple):
    """One step.

    Attributes:
        processor: its index.
        run_us: its time on the processor; in a chain with the transfer from the step before it.
        needs: mask of the steps that must be finished before it.
        moves_us: [from processor], the transfer at its first boundary; () if moving is free.
    """

    processor: int
    run_us: int
    needs: int
    moves_us: tuple[tuple[int, ...], ...]


class FlatChain(NamedTuple):
    """One variant of a model.

    Attributes:
        steps: in order.
        chain: each step needs just the one before it, so ``run_us`` is the whole time.
    """

    steps: tuple[FlatStep, ...]
    chain: bool


class FlatModel(NamedTuple):
    """One model of a plan.

    Attributes:
        round: the variants of as many jobs in a row as the sum of the weights.
        priority, release_us: of the plan.
    """

    round: tuple[FlatChain, ...]
    priority: int
    release_us: int


class FlatPlan(NamedTuple):
    """A whole plan.

    Attributes:
        models: by name.
        edf: per processor whether it picks by deadline first.
    """

    models: Mapping[str, FlatModel]
    edf: tuple[bool, ...]


def compile_plan(plan: StaticPlan, tables: Iterable[PlanTable]) -> FlatPlan:
    """Return a plan on the tables of a device.

    Args:
        plan: must name every model of the tables.
        tables: with only those spans that are loaded.

    Raises:
        BandError: INVALID_CONFIG if the plan lacks a model, names a span that is not there, leaves
            a gap, or has a weight below 1.
    """
    models: dict[str, FlatModel] = {}
    processors: tuple[str, ...] = ()
    for table in tables:
        processors = table.processors
        planned = plan.models.get(table.model)
        if planned is None:
            raise _bad(table.model, "it is not in the plan; give it a variant")
        models[table.model] = compile_model(planned, table)
    return FlatPlan(models, tuple(plan.order.get(name) == "edf" for name in processors))


def compile_model(planned: PlannedModel, table: PlanTable) -> FlatModel:
    """Return the plan of one model on its table; errors as :func:`compile_plan`."""
    variants = []
    for variant in planned.variants:
        spans = spans_of(variant.steps, table)
        if spans is None:
            raise _bad(table.model, f"{_text(variant)} is no chain of loaded spans over its units")
        variants.append(_chain(spans, table))
    try:
        order = turns([variant.weight for variant in planned.variants])
    except ValueError as error:
        raise _bad(table.model, str(error)) from error
    rounds = tuple(variants[index] for index in order)
    return FlatModel(rounds, planned.priority, planned.release_us)


def _chain(spans: Sequence[Span], table: PlanTable) -> FlatChain:
    chain = is_chain(table)
    moving = table.has_transfers
    steps = []
    for index, span in enumerate(spans):
        move_us, needs = 0, 1 << (index - 1) if index else 0
        if chain and moving and index:
            move_us = table.transfer_us[span.first][spans[index - 1].processor][span.processor]
        if not chain:
            needs = _needs(spans, index, table)
        moves = () if chain or not moving else table.transfer_us[span.first]
        steps.append(FlatStep(span.processor, span.cost_us + move_us, needs, moves))
    return FlatChain(tuple(steps), chain)


def _needs(spans: Sequence[Span], index: int, table: PlanTable) -> int:
    """Return the mask of the steps that a step waits for."""
    span, units = spans[index], 0
    for unit in range(span.first, span.last + 1):
        units |= table.dependencies[unit]
    units &= ~span.units
    return sum(1 << place for place, other in enumerate(spans) if other.units & units)


def _text(variant: Variant) -> str:
    return ", ".join(f"{first}-{last} on {name}" for first, last, name in variant.steps)


def _bad(model: str, what: str) -> BandError:
    return BandError(
        ErrorCode.INVALID_CONFIG, f"static plan of model {model!r}: {what}", model=model
    )
