"""What ``band analyze`` does before it shows anything: shapes, analysis, costs, explanation."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from band.analysis import why_not
from band.analysis.analyze import DEFAULT_MINIMUM_SIZE, analyze
from band.analysis.partition import Mode, Partition, Preparation
from band.analysis.prices import Pricer
from band.cli.console import err
from band.device.cost import Pricing
from band.device.profile import Device
from band.device.support import refusals
from band.errors import BandError, ErrorCode
from band.model.graph import Graph, missing_shapes
from band.model.model import Model, with_shapes
from band.plan.build import build_table
from band.plan.evidence import Known
from band.plan.explain import Explanation, SpanKey, every_subgraph, explain
from band.plan.table import PlanTable
from band.runtime.pricing import check_holds, priced, pricer
from band.runtime.profiling import read_profile
from band.runtime.shapes import ask_shapes

_REFUSED = (ErrorCode.UNSUPPORTED_MODEL, ErrorCode.FALLBACK_REFUSED)


class Options(NamedTuple):
    """How a model is to be cut."""

    mode: Mode
    preparation: Preparation
    minimum_size: int | None
    profile: Path | None


class Analysis(NamedTuple):
    """A partition with its explanation.

    Attributes:
        partition: without units if the device cannot run the model.
        table: None if there is no plan.
        profiled: spans of the table whose cost a profile has: measured, or fitted to measurements.
        refusal: why there is no plan, else None.
    """

    model: Model
    device: Device
    partition: Partition
    table: PlanTable | None
    profiled: Mapping[SpanKey, Known]
    explanation: Explanation
    refusal: BandError | None

    @property
    def graph(self) -> Graph:
        """Return the main subgraph of the model."""
        return self.model.graph

    @property
    def word(self) -> str:
        """Return the word that every figure of time must carry, or ""."""
        return "emulated" if self.device.emulated else ""


def analysis(model: Model, device: Device, options: Options) -> Analysis:
    """Return the analysis of a model on a device, also of one that the device cannot run.

    Raises:
        BandError: for a model or option that makes no sense, and what ``read_profile`` and
            ``priced`` raise. A refusal of the model is in the answer instead.
    """
    model = _with_shapes(model, device)
    price = _Pricing(model.graph, device, options.profile)
    table, refusal = None, None
    try:
        partition = analyze(
            model.graph,
            device,
            mode=options.mode,
            preparation=options.preparation,
            minimum_subgraph_size=options.minimum_size,
            pricer=price.pricer,
        )
    except BandError as error:
        if error.code not in _REFUSED:
            raise
        partition, refusal = _without_units(model.graph, device, options), error
    profiled: dict[SpanKey, Known] = {}
    if refusal is None:
        try:
            table, profiled = price.table(partition)
        except BandError as error:
            if error.code not in _REFUSED:
                raise
            refusal = error
    candidates, known = table, dict(profiled)
    wide = every_subgraph(partition, len(device.processors)) if table is not None else None
    if wide is not None:
        candidates, known = price.table(wide)
    explanation = explain(
        model.graph, device, partition, table, candidates=candidates, profiled=known
    )
    return Analysis(model, device, partition, table, profiled, explanation, refusal)


class _Pricing:
    """Makes plan tables, with the costs of a profile if there is one.

    Args:
        graph: the model.
        device: its processors.
        path: of the profile, None for none.

    Attributes:
        pricer: makes the prices that the model is cut by.

    Raises:
        BandError: what ``read_profile`` and ``pricer`` raise.
    """

    def __init__(self, graph: Graph, device: Device, path: Path | None) -> None:
        self._graph = graph
        self._device = device
        self._profile = None if path is None else read_profile(path)
        self.pricer: Pricer = Pricing
        if self._profile is not None:
            self.pricer = pricer(self._profile, graph, device)
            check_holds(self._profile, graph)

    def table(self, partition: Partition) -> tuple[PlanTable, dict[SpanKey, Known]]:
        """Return the table of a partition, and what the profile has of its spans."""
        table = build_table(self._graph, self._device, partition, name=self._graph.name)
        if self._profile is None:
            return table, {}
        table, measured, fitted = priced(
            self._profile, self._graph, self._device, partition, table, table.version + 1
        )
        known = dict.fromkeys(measured, Known.MEASURED) | dict.fromkeys(fitted, Known.FITTED)
        return table, known


def _without_units(graph: Graph, device: Device, options: Options) -> Partition:
    """Return a partition that says who refuses what, for a model that cannot be cut."""
    size = options.minimum_size or DEFAULT_MINIMUM_SIZE[options.mode]
    refused = {p.index: refusals(p, graph) for p in device.processors if p.available}
    return Partition(
        model=graph.name,
        mode=options.mode,
        preparation=options.preparation,
        minimum_subgraph_size=size,
        units=(),
        subgraphs=(),
        definitions=0,
        unsupported=why_not.unsupported(graph, device, options.mode, refused, {}, size),
        boundary_tensors=(),
        boundary_bytes=(),
    )


def _with_shapes(model: Model, device: Device) -> Model:
    """Return the model with all shapes; without a runtime that tells them, say what is missing."""
    missing = missing_shapes(model.graph)
    if not missing:
        return model
    try:
        known = ask_shapes(model, device)
    except BandError as error:
        err.print(
            f"{len(missing)} tensors have no static shape and count as 0 bytes: {error.message}",
            markup=False,
        )
        return model
    return with_shapes(model, {t: known[t] for t in missing if t in known})
