"""From a model and a device to a plan table and the slices to load: the one chain for it.

Read, shapes, analysis, costs, table. Command line, replay, engine and daemon all call it. A model
with static shapes needs no interpreter.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from band.analysis.analyze import analyze
from band.analysis.partition import Mode, Partition, Preparation
from band.device.cost import Pricing
from band.device.profile import Device
from band.device.rules import NO_RULES, Rules, with_rules
from band.errors import BandError, ErrorCode
from band.model.atoms import is_stateful
from band.model.model import Model
from band.plan.build import build_table
from band.plan.kernel import Kernel
from band.plan.table import PlanTable, Span
from band.runtime.pricing import priced, pricer
from band.runtime.profiling import Profile
from band.runtime.shaping import Shapes, shaped
from band.scheduler.events import ModelAdded
from band.units import format_bytes

SpanKey = tuple[int, int, int]
"""(first unit, last unit, processor)."""


class Memory(NamedTuple):
    """Memory for the slices of a model.

    Attributes:
        free_bytes: what is free.
        reclaim: tells what evicting slices that other models can do without would free.
    """

    free_bytes: int
    reclaim: Callable[[], int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisOptions:
    """How models are cut.

    Attributes:
        minimum_subgraph_size: None for the default of the mode.
        plans: of how many best plans the parts are loaded, besides whole models.
        rules: which ops are kept off or on a processor, and whether fallback is refused; they
            come after those of the device.
    """

    mode: Mode = Mode.COST
    preparation: Preparation = Preparation.MERGE_UNIT_SUBGRAPH
    minimum_subgraph_size: int | None = None
    plans: int = 3
    rules: Rules = NO_RULES


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A model ready to be loaded and scheduled.

    Attributes:
        model: with all static shapes filled in.
        loads: the spans to load, the most important first.
        measured: the spans whose cost a profile had measured.
    """

    model: Model
    partition: Partition
    table: PlanTable
    loads: tuple[SpanKey, ...]
    measured: frozenset[SpanKey] = frozenset()

    @property
    def added(self) -> ModelAdded:
        """Return the event that registers it with everything loaded."""
        return ModelAdded(self.table, self.loads, self.stateful)

    @property
    def stateful(self) -> bool:
        """Return whether it keeps state: then what is loaded of it stays as it is."""
        return is_stateful(self.model.graph)

    @property
    def usable(self) -> PlanTable:
        """Return the table of all that may run some day: nothing more of a stateful model loads."""
        return self.table.restricted(self.loads) if self.stateful else self.table

    @property
    def boundary_bytes(self) -> int:
        """Return the most bytes that a job holds between two tasks."""
        return max(self.partition.boundary_bytes, default=0)


def prepare(
    model: Model,
    device: Device,
    *,
    name: str | None = None,
    options: AnalysisOptions | None = None,
    shapes: Shapes | None = None,
    profile: Profile | None = None,
    memory: Memory | None = None,
    version: int = 1,
) -> Prepared:
    """Return the plan table of a model on a device, and what to load.

    Args:
        model: as read.
        device: its processors.
        name: to register it by; the model's own if None.
        options: of the analysis.
        shapes: asks a runtime for the shapes of all tensors, if the file lacks some.
        profile: measured and fitted costs; they replace the estimates.
        memory: for slices; the device's budget if None.
        version: of the table.

    Raises:
        BandError: UNSUPPORTED_MODEL if some op runs nowhere or shapes are missing;
            FALLBACK_REFUSED if strict mode refuses the model;
            OUT_OF_MEMORY if no plan fits; INVALID_CONFIG if the profile is of something else;
            what ``shapes`` raises.
    """
    options = options or AnalysisOptions()
    name = name or model.graph.name
    device = with_rules(device, options.rules)
    model = shaped(model, device, shapes)
    partition = analyze(
        model.graph,
        device,
        mode=options.mode,
        preparation=options.preparation,
        minimum_subgraph_size=options.minimum_subgraph_size,
        pricer=Pricing if profile is None else pricer(profile, model.graph, device),
    )
    table = build_table(model.graph, device, partition, name=name, version=version)
    measured: frozenset[SpanKey] = frozenset()
    if profile is not None:
        table, measured, _ = priced(profile, model.graph, device, partition, table, version)
    memory = memory or Memory(device.memory_budget_bytes)
    boundary_bytes = max(partition.boundary_bytes, default=0)  # the data of a job between tasks
    memory = memory._replace(free_bytes=memory.free_bytes - boundary_bytes)
    loads = choose_loads(table, options.plans, memory, one_plan=is_stateful(model.graph))
    return Prepared(model=model, partition=partition, table=table, loads=loads, measured=measured)


def refit(prepared: Prepared, sizes: Mapping[SpanKey, int], plans: int, memory: Memory) -> Prepared:
    """Return a prepared model with other slices to load, since some are larger than foreseen.

    All others are taken to be larger in the same proportion.

    Args:
        prepared: the model.
        sizes: what these slices really take; at least one.
        plans: of how many best plans the parts are loaded.
        memory: as for :func:`prepare`.

    Raises:
        BandError: OUT_OF_MEMORY if no plan fits.
    """
    foreseen = sum(s.load_bytes for s in prepared.table.spans if s[:3] in sizes)
    real = max(foreseen, sum(sizes.values()))
    expected = {s[:3]: s.load_bytes * real // max(1, foreseen) for s in prepared.table.spans}
    table = sized(prepared.table, {**expected, **sizes})
    memory = memory._replace(free_bytes=memory.free_bytes - prepared.boundary_bytes)
    loads = choose_loads(table, plans, memory, one_plan=prepared.stateful)
    return replace(prepared, table=sized(prepared.table, sizes), loads=loads)


def sized(table: PlanTable, sizes: Mapping[SpanKey, int]) -> PlanTable:
    """Return the table with what some loaded slices really take."""
    spans = (s._replace(load_bytes=sizes.get(s[:3], s.load_bytes)) for s in table.spans)
    return replace(table, spans=tuple(spans))


def memory_for_slices(budget_bytes: int, boundaries: Iterable[int], processors: int) -> int:
    """Return what slices may take of a memory budget.

    Args:
        budget_bytes: of the device.
        boundaries: the most bytes that a job of each model holds between two tasks.
        processors: each may write the boundary tensors of a job at any moment.
    """
    return max(0, budget_bytes - max(boundaries, default=0) * processors)


def choose_loads(
    table: PlanTable, plans: int, memory: Memory, *, one_plan: bool = False
) -> tuple[SpanKey, ...]:
    """Return what to load: one plan that fits, whole models, then parts of the k best plans.

    What others could be made to give up is taken for the one plan only, and only if none fits
    without it.

    Args:
        table: all candidate spans.
        plans: k.
        memory: that the slices may take together.
        one_plan: nothing beyond the first plan. A model that keeps state must always run in the
            same slices, or its runs would not see each other's state.

    Raises:
        BandError: OUT_OF_MEMORY if not even one plan fits.
    """
    best = [[step.span for step in plan.steps] for plan in Kernel(table).k_best(plans)]
    last = table.unit_count - 1
    whole = sorted(
        ([s] for s in table.spans if (s.first, s.last) == (0, last)),
        key=lambda spans: spans[0].cost_us,
    )
    free_bytes = memory.free_bytes
    first = _first_that_fits((*best, *whole), free_bytes)
    if first is None:
        free_bytes += memory.reclaim() if memory.reclaim is not None else 0
        first = _first_that_fits((*best, *whole), free_bytes)
        if first is None:
            raise _too_large(table, (*best, *whole), free_bytes)
        one_plan = True
    chosen: dict[SpanKey, int] = {}
    for spans in (first,) if one_plan else (first, *whole, *best):
        wanted = {(s.first, s.last, s.processor): s.load_bytes for s in spans}
        more = sum(size for key, size in wanted.items() if key not in chosen)
        if sum(chosen.values()) + more <= free_bytes:
            chosen.update(wanted)
    return tuple(chosen)


def _first_that_fits(
    candidates: Iterable[Sequence[Span]], free_bytes: int
) -> Sequence[Span] | None:
    fitting = (spans for spans in candidates if sum(s.load_bytes for s in spans) <= free_bytes)
    return next(fitting, None)


def _too_large(
    table: PlanTable, candidates: Iterable[Sequence[Span]], free_bytes: int
) -> BandError:
    smallest = min(sum(s.load_bytes for s in spans) for spans in candidates)
    return BandError(
        ErrorCode.OUT_OF_MEMORY,
        f"model {table.model!r} needs at least {format_bytes(smallest)} for its slices, and "
        f"{format_bytes(max(0, free_bytes))} of the memory budget are free; raise "
        "memory_budget_mib of the device or unregister a model",
        model=table.model,
        needed_bytes=smallest,
        free_bytes=free_bytes,
    )
