"""The numbers that explain a plan: they add up, and nothing refused is left out."""

import random
from dataclasses import replace

import pytest

from band.analysis.analyze import analyze
from band.analysis.partition import Mode, Partition, Preparation, Unsupported
from band.device.cost import estimate_us
from band.device.profile import Device, Mark, PublishedLatency
from band.memory.lifetimes import peak_bytes
from band.model.graph import Graph
from band.plan import explain as explain_module
from band.plan.build import build_table
from band.plan.evidence import CostBasis, Known, basis_of, coefficient_marks, transfer_marks
from band.plan.explain import Explanation, every_subgraph, explain
from band.plan.explain_plans import ExplainedPlan
from band.plan.explain_support import grouped_refusals
from band.plan.kernel import Kernel
from band.plan.table import PlanTable
from band.testing.devices import GUESS, make_device, make_processor
from band.testing.graphs import device_for, make_graph, random_graph


def _explained(
    graph: Graph, device: Device, mode: Mode = Mode.COST
) -> tuple[Partition, PlanTable, Explanation]:
    partition = analyze(graph, device, mode=mode, minimum_subgraph_size=1)
    table = build_table(graph, device, partition, name="m")
    return partition, table, explain(graph, device, partition, table)


def _random(seed: int) -> tuple[Graph, Device]:
    rng = random.Random(seed)
    graph = random_graph(rng, rng.randint(2, 25))
    refused = {
        name: {op for op in range(25) if rng.random() < 0.3} for name in ("gpu", "npu", "dsp")
    }
    return graph, device_for(graph, {"cpu0": (), **refused}, sync_us=rng.choice([0, 7]))


def _check_plan(graph: Graph, partition: Partition, plan: ExplainedPlan, device: Device) -> None:
    runs = sum(step.run_us for step in plan.steps)
    moves = sum(cut.transfer_us for cut in plan.cuts)
    assert plan.latency_us == runs + moves
    assert [op for step in plan.steps for op in step.ops] == [
        op for unit in partition.units for op in unit.ops if op not in graph.weight_ops
    ]
    assert len(plan.cuts) == len(plan.steps) - 1
    for cut, before, after in zip(plan.cuts, plan.steps, plan.steps[1:], strict=False):
        assert (cut.source, cut.target) == (before.processor, after.processor)
        assert cut.boundary == after.units[0] == before.units[-1] + 1
        assert cut.tensors == partition.boundary_tensors[cut.boundary]
        sizes = [graph.tensors[t].byte_size or 0 for t in cut.tensors]
        assert cut.byte_count == sum(sizes)
        expected = device.transfer_us(cut.source, cut.target, cut.byte_count)
        assert cut.transfer_us == after.transfer_us == expected
        assert cut.share == cut.transfer_us / plan.latency_us
    for step in plan.steps:
        assert step.peak_bytes == peak_bytes(graph, step.ops)
        assert step.load_bytes == step.peak_bytes + step.weight_bytes
        assert len(step.op_us) == len(step.ops)
        assert sum(step.op_us) <= step.run_us + len(step.ops)


@pytest.mark.parametrize("seed", range(12))
def test_times_bytes_and_memory_of_every_plan_add_up(seed: int) -> None:
    graph, device = _random(seed)
    partition, table, said = _explained(graph, device)
    best = Kernel(table).plan(0, (0,) * len(device.processors))
    assert best is not None
    assert said.plans[0].latency_us == best.latency_us
    chosen = [(s.processor, s.units[0], s.units[-1]) for s in said.plans[0].steps]
    assert chosen == [(s.span.processor, s.span.first, s.span.last) for s in best.steps]
    assert [p.latency_us for p in said.plans] == sorted(p.latency_us for p in said.plans)
    for plan in said.plans:
        _check_plan(graph, partition, plan, device)


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("seed", range(10))
def test_each_processor_takes_or_refuses_each_op(seed: int, mode: Mode) -> None:
    graph = random_graph(random.Random(seed), 15, constant_ops=False)
    refused = {op for op in range(15) if random.Random(seed + op).random() < 0.4}
    device = device_for(graph, {"cpu0": (), "gpu": refused, "npu": ()}, down=["npu"])
    partition, _, said = _explained(graph, device, mode)
    assert sorted(said.order) == list(graph.compute_ops)
    for report in said.processors:
        support = report.support
        assert sorted((*support.takes, *support.refused)) == list(graph.compute_ops)
        assert support.amount.ops == len(support.takes)
        owned = {op for u in partition.units if support.processor in u.processors for op in u.ops}
        assert owned <= set(support.takes)
    cpu, gpu, npu = (report.support for report in said.processors)
    assert cpu.amount == said.total
    assert set(gpu.refused) == refused
    assert not npu.available
    assert (npu.takes, said.processors[2].whole) == ((), None)
    grouped = [op for group in said.refusals if group.processor == 1 for op in group.ops]
    assert sorted(grouped) == sorted(u.op for u in partition.unsupported)
    assert said.runs_nowhere == ()


@pytest.mark.parametrize("seed", range(5))
def test_groups_hold_every_unit_once(seed: int) -> None:
    partition, _, said = _explained(*_random(seed))
    grouped = sorted(u for group in said.unit_groups for u in group.units)
    assert grouped == [unit.index for unit in partition.units]
    for group in said.unit_groups:
        assert {partition.units[u].processors for u in group.units} == {group.processors}
        assert group.amount.ops == sum(len(partition.units[u].ops) for u in group.units)


def test_the_whole_model_is_told_where_it_runs_and_what_hinders_it_elsewhere() -> None:
    graph = make_graph([[0], [1], [2]])
    device = device_for(graph, {"cpu0": (), "gpu": (1, 2)})
    partition, table, said = _explained(graph, device)
    cpu, gpu = (report.whole for report in said.processors)
    assert cpu is not None
    assert gpu is not None
    assert cpu.latency_us == estimate_us(device.processors[0], graph, (0, 1, 2))
    assert cpu.peak_bytes == peak_bytes(graph, (0, 1, 2))
    assert cpu.hindered_by is None
    assert gpu.latency_us is None
    assert gpu.hindered_by == partition.unsupported[0]
    parts = [(s.first, s.last, s.processor) for s in table.spans if s.last - s.first < 1]
    pruned = explain(graph, device, partition, table.restricted(parts))
    assert pruned.processors[0].whole == cpu


def test_what_a_processor_is_worth_is_the_best_plan_without_it() -> None:
    graph = make_graph([[0], [1], [2]])
    device = device_for(graph, {"cpu0": (), "gpu": (1,)})
    _, table, said = _explained(graph, device)
    whole = table.find(0, 2, 0) or table.spans[-1]
    assert [r.without_us for r in said.processors] == [None, whole.cost_us]
    assert said.plans[0].latency_us < whole.cost_us


def test_alternatives_may_be_subgraphs_that_no_best_plan_needs() -> None:
    graph = make_graph([[0], [1], [2]], sizes={1: 4000, 2: 4000})
    device = device_for(graph, {"cpu0": (), "gpu": (0, 2)}, sync_us=500)
    partition = analyze(graph, device)
    wide = every_subgraph(partition, 2)
    assert wide is not None
    assert {s.processor for s in wide.subgraphs} == {0, 1}
    table = build_table(graph, device, partition, name="m")
    candidates = build_table(graph, device, wide, name="m")
    said = explain(graph, device, partition, table, candidates=candidates)
    assert [step.processor for step in said.plans[0].steps] == [0]
    detour = said.processors[1].best_with
    assert detour is not None
    assert [step.processor for step in detour.steps] == [0, 1, 0]
    assert detour.latency_us > said.plans[0].latency_us
    _check_plan(graph, partition, detour, device)


def test_too_many_subgraphs_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = make_graph([[0], [1], [2]])
    device = device_for(graph, {"cpu0": (), "gpu": (0, 2)})
    partition = analyze(graph, device)
    monkeypatch.setattr(explain_module, "MAX_SUBGRAPHS", 3)
    assert every_subgraph(partition, 2) is None
    monkeypatch.undo()
    assert every_subgraph(replace(partition, mode=Mode.BAND), 2) is None


def test_plans_on_equal_processors_are_counted_not_listed() -> None:
    graph = make_graph([[0], [1]])
    processors = (make_processor("cpu0"), make_processor("cpu1"), make_processor("gpu"))
    device = make_device(*processors, sync_us=5)
    slower = replace(device.processors[2], costs=make_processor("x", per_op_us=900).costs)
    device = replace(device, processors=(*device.processors[:2], slower))
    _, _, said = _explained(graph, device)
    best, runner_up = said.plans[:2]
    assert [step.processor for step in best.steps] == [0]
    assert best.twins == 1
    assert {step.processor for step in runner_up.steps} != {0}
    assert runner_up.latency_us > best.latency_us


def test_measured_published_and_estimated_costs_are_told_apart() -> None:
    graph = make_graph([[0], [1]])
    processor = make_processor("cpu")
    estimated = CostBasis(Known.ESTIMATED, Mark.HYPOTHESIS)
    assert basis_of(processor, graph, (0, 1), profiled=None) == estimated
    assert basis_of(processor, graph, (0, 1), profiled=Known.MEASURED).known is Known.MEASURED
    evidence = replace(GUESS, mark=Mark.PUBLISHED)
    row = PublishedLatency(sha256=graph.sha256, model="m", latency_us=9, evidence=evidence)
    processor = replace(processor, published=(row,))
    assert basis_of(processor, graph, (0, 1), profiled=None).known is Known.PUBLISHED
    assert basis_of(processor, graph, (0,), profiled=None) == estimated


def test_measured_spans_are_marked_in_the_plan() -> None:
    graph = make_graph([[0], [1]])
    device = device_for(graph, {"cpu0": ()})
    partition, table, _ = _explained(graph, device)
    said = explain(graph, device, partition, table, profiled={(0, 0, 0): Known.MEASURED})
    assert said.plans[0].steps[0].basis.known is Known.MEASURED
    whole = said.processors[0].whole
    assert whole is not None
    assert whole.basis is not None
    assert whole.basis.known is Known.MEASURED


def test_marks_go_from_the_strongest_to_the_weakest() -> None:
    device = make_device(make_processor("cpu"), sync_us=1)
    first, *others = device.processors[0].costs
    details = (("dispatch_us", replace(GUESS, mark=Mark.PUBLISHED)),)
    processor = replace(device.processors[0], costs=(replace(first, details=details), *others))
    assert coefficient_marks(processor) == (Mark.PUBLISHED, Mark.HYPOTHESIS)
    assert transfer_marks(device) == (Mark.HYPOTHESIS,)
    assert transfer_marks(replace(device, default_link=None)) == ()


def test_reasons_that_differ_only_in_the_op_they_name_make_one_group() -> None:
    graph = make_graph([[0], [1], [2], [3]])
    device = device_for(graph, {"cpu0": (), "gpu": ()})
    partition = analyze(graph, device)
    reasons = ("cannot be cut from op 7 (ADD)", "cannot be cut from op 9 (MUL)", "rank 5", "rank 5")
    unsupported = tuple(
        Unsupported(op=op, type="ADD", processor="gpu", reason=reason)
        for op, reason in enumerate(reasons)
    )
    partition = replace(partition, unsupported=unsupported)
    groups = grouped_refusals(graph, device, partition, (0, 1, 2, 3))
    assert [(g.reason, g.ops) for g in groups] == [
        ("cannot be cut from another op", (0, 1)),
        ("rank 5", (2, 3)),
    ]


def test_a_model_without_a_plan_is_explained_without_one() -> None:
    graph = make_graph([[0], [1], [2]])
    device = device_for(graph, {"cpu0": (1,), "gpu": (1, 2)})
    unsupported = tuple(
        Unsupported(op=op, type="ADD", processor=name, reason="no")
        for name, op in (("cpu0", 1), ("gpu", 1), ("gpu", 2))
    )
    partition = Partition(
        model="m",
        mode=Mode.COST,
        preparation=Preparation.MERGE_UNIT_SUBGRAPH,
        minimum_subgraph_size=1,
        units=(),
        subgraphs=(),
        definitions=0,
        unsupported=unsupported,
        boundary_tensors=(),
        boundary_bytes=(),
    )
    said = explain(graph, device, partition, None)
    assert said.plans == ()
    assert said.order == (0, 1, 2)
    assert said.runs_nowhere == (1,)
    assert [r.support.takes for r in said.processors] == [(0, 2), (0,)]
