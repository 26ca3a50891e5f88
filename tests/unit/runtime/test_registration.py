from dataclasses import replace
from itertools import pairwise

import pytest

from band.analysis.partition import Mode
from band.device.support import refusals
from band.device.support_table import ModelOpList
from band.errors import BandError, ErrorCode
from band.model.graph import missing_shapes
from band.model.model import Model
from band.plan.table import PlanTable
from band.runtime.host import this_host
from band.runtime.profiling import Measured, Profile
from band.runtime.refusals import with_refused
from band.runtime.registration import AnalysisOptions, Memory, choose_loads, prepare, refit
from band.testing import models
from band.testing.devices import FALLBACK, make_device, make_processor, split_device
from band.testing.tables import chain, make_table


def _complete(table: PlanTable, loads: tuple[tuple[int, int, int], ...]) -> bool:
    reached = {0}
    for first, last, _ in sorted(loads):
        if first in reached:
            reached.add(last + 1)
    return table.unit_count in reached


def _table(**sizes: int) -> PlanTable:
    """Return a table of 2 units: each on both processors, both together on cpu only."""
    costs = {"cpu": {(0, 0): 50, (1, 1): 50, (0, 1): 90}, "gpu": {(0, 0): 10, (1, 1): 99}}
    table = make_table("m", costs, processors=("cpu", "gpu"), dependencies=chain(2))
    names = {(0, 0, 0): "c0", (0, 0, 1): "g0", (1, 1, 0): "c1", (0, 1, 0): "c01", (1, 1, 1): "g1"}
    return replace(
        table,
        spans=tuple(
            s._replace(load_bytes=sizes.get(names[s.first, s.last, s.processor], 10))
            for s in table.spans
        ),
    )


def test_a_model_with_static_shapes_needs_no_interpreter() -> None:
    prepared = prepare(models.chain(), split_device())
    assert prepared.table.model == "chain"
    assert prepared.table.version == 1
    assert prepared.added.loaded == prepared.loads
    assert _complete(prepared.table, prepared.loads)
    known = {(s.first, s.last, s.processor) for s in prepared.table.spans}
    assert set(prepared.loads) <= known


def test_whole_models_and_the_best_plans_are_loaded() -> None:
    loads = choose_loads(_table(), 3, Memory(1_000))
    assert loads[:2] == ((0, 0, 1), (1, 1, 0))  # the best plan first
    assert set(loads) == {(0, 0, 1), (1, 1, 0), (0, 1, 0), (1, 1, 1)}
    assert set(choose_loads(_table(), 1, Memory(1_000))) == {(0, 0, 1), (1, 1, 0), (0, 1, 0)}


@pytest.mark.parametrize(
    ("free_bytes", "expected"),
    [
        (40, {(0, 0, 1), (1, 1, 0), (0, 1, 0), (1, 1, 1)}),
        (30, {(0, 0, 1), (1, 1, 0), (0, 1, 0)}),
        (20, {(0, 0, 1), (1, 1, 0)}),
        (10, {(0, 1, 0)}),
    ],
)
def test_less_memory_means_fewer_slices_but_always_a_whole_plan(
    free_bytes: int, expected: set[tuple[int, int, int]]
) -> None:
    assert set(choose_loads(_table(), 3, Memory(free_bytes))) == expected


def test_a_model_that_does_not_fit_is_refused_with_the_numbers() -> None:
    with pytest.raises(BandError, match=r"'m' needs at least 30 B .* 29 B of the") as caught:
        choose_loads(_table(c01=30, c0=50, c1=50, g1=50), 3, Memory(29))
    assert caught.value.code is ErrorCode.OUT_OF_MEMORY
    assert (caught.value.fields["needed_bytes"], caught.value.fields["free_bytes"]) == (30, 29)


def test_what_others_can_give_up_is_taken_for_one_plan_only_and_only_if_none_fits() -> None:
    asked: list[int] = []

    def reclaim() -> int:
        asked.append(1)
        return 100

    assert len(choose_loads(_table(), 3, Memory(20, reclaim))) == 2
    assert not asked
    assert choose_loads(_table(), 3, Memory(5, reclaim)) == ((0, 0, 1), (1, 1, 0))
    assert asked == [1]
    with pytest.raises(BandError) as caught:
        choose_loads(_table(c01=300, c0=90, c1=90, g1=90), 3, Memory(-1, reclaim))
    assert (caught.value.fields["needed_bytes"], caught.value.fields["free_bytes"]) == (100, 99)


def test_a_slice_larger_than_foreseen_leads_to_another_plan() -> None:
    prepared = prepare(models.chain(), split_device())
    (first, *_) = prepared.loads
    whole = (0, prepared.table.unit_count - 1, 0)
    size = {s[:3]: s.load_bytes for s in prepared.table.spans}
    memory = Memory(size[whole] + prepared.boundary_bytes)
    again = refit(prepared, {first: 1 << 30, whole: size[whole]}, 3, memory)
    assert again.loads == (whole,)
    assert again.table.find(*first) is not None
    with pytest.raises(BandError, match="for its slices"):
        refit(prepared, {first: 2 * size[first]}, 3, memory)


@pytest.mark.parametrize("model", [models.variable_tensor(), models.resource_variable()])
def test_a_model_that_keeps_state_is_loaded_once(model: Model) -> None:
    device = make_device(make_processor("cpu0"), make_processor("cpu1"))
    prepared = prepare(model, device)
    spans = sorted(prepared.loads)
    assert all(last + 1 == first for (_, last, _), (first, _, _) in pairwise(spans))
    assert _complete(prepared.table, prepared.loads)
    assert len(prepare(models.chain(), device).loads) == 2


def test_missing_shapes_come_from_the_runtime_that_is_asked() -> None:
    whole = models.chain()
    tensors = tuple(
        t if t.constant or t.index in whole.graph.inputs else replace(t, shape=None)
        for t in whole.graph.tensors
    )
    model = replace(whole, graph=replace(whole.graph, tensors=tensors))
    assert missing_shapes(model.graph)
    with pytest.raises(BandError, match="without a static shape") as caught:
        prepare(model, split_device())
    assert caught.value.code is ErrorCode.UNSUPPORTED_MODEL
    shapes = {t.index: t.shape for t in whole.graph.tensors if t.shape is not None}
    prepared = prepare(model, split_device(), shapes=lambda _: shapes)
    assert prepared.model.graph == whole.graph


def test_an_op_that_runs_nowhere_explains_more_than_a_runtime_that_fails() -> None:
    whole = models.custom_op()
    graph = replace(whole.graph, tensors=tuple(replace(t, shape=None) for t in whole.graph.tensors))

    def fails(_: Model) -> dict[int, tuple[int, ...]]:
        raise BandError(ErrorCode.BACKEND_FAILED, "no kernel")

    with pytest.raises(BandError, match="takes no custom op"):
        prepare(replace(whole, graph=graph), split_device(), shapes=fails)


def test_options_reach_the_analysis() -> None:
    options = AnalysisOptions(mode=Mode.BAND, minimum_subgraph_size=1)
    partition = prepare(models.chain(), split_device(), options=options).partition
    assert (partition.mode, partition.minimum_subgraph_size) == (Mode.BAND, 1)


def _profile(cost_us: int) -> Profile:
    model = models.chain()
    entry = Measured(
        model="chain",
        sha256=model.graph.sha256,
        ops=model.graph.compute_ops,
        processor="cpu",
        runtime="ai-edge-litert",
        runtime_version="2.3.0",
        delegate="xnnpack",
        threads=1,
        word="emulated",
        runs=3,
        mean_us=cost_us,
        p95_us=cost_us + 5,
    )
    return Profile(
        device="made",
        device_version="1",
        host=this_host(),
        band_version="0",
        measured=(entry,),
    )


def test_measured_costs_replace_estimates_and_nothing_else() -> None:
    plain = prepare(models.chain(), split_device()).table
    table = prepare(models.chain(), split_device(), profile=_profile(123)).table
    last = table.unit_count - 1
    changed = [a for a, b in zip(table.spans, plain.spans, strict=True) if a != b]
    assert [(s.first, s.last, s.processor, s.cost_us) for s in changed] == [(0, last, 0, 123)]
    other = prepare(models.residual(), split_device(), profile=_profile(123)).table
    assert other == prepare(models.residual(), split_device()).table


def test_ops_that_failed_to_load_are_refused_beside_those_of_the_device() -> None:
    graph, device = models.chain().graph, split_device()
    before = refusals(device.processors[1], graph)
    assert before
    again = dict.fromkeys(before, "a reason that came later")
    changed = with_refused(device, graph, {1: {0: "did not load", **again}, 0: {}})
    assert refusals(changed.processors[1], graph) == {0: "did not load", **before}
    assert changed.processors[0] == device.processors[0]
    other = models.residual().graph
    assert refusals(changed.processors[1], other) == refusals(device.processors[1], other)


def test_refusals_add_up_over_several_rounds() -> None:
    graph = models.chain().graph
    device = make_device(make_processor("gpu", refused_ops=FALLBACK))
    once = with_refused(device, graph, {0: {0: "first"}})
    twice = with_refused(once, graph, {0: {1: "second"}})
    found = refusals(twice.processors[0], graph)
    assert (found[0], found[1]) == ("first", "second")
    lists = twice.processors[0].support.op_lists
    assert all(isinstance(entry, ModelOpList) for entry in lists)
    assert len({entry.reason for entry in lists}) == len(lists)
