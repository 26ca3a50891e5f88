"""What holds for every partition of every graph, and the fast merge against the plain one."""

import random
from collections.abc import Callable
from itertools import groupby
from typing import Final, NamedTuple

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from band.analysis.analyze import analyze
from band.analysis.band_merge import Part, merge
from band.analysis.band_mode import Worker, analyze_ops
from band.analysis.opgraph import OpGraph, bits_of, mask_of
from band.analysis.partition import Mode, Partition, Preparation
from band.device.profile import Device
from band.errors import BandError, ErrorCode
from band.model.graph import Graph
from band.plan.build import build_table
from band.plan.kernel import Kernel
from band.testing.graphs import device_for, random_graph

SEEDS = st.integers(0, 2**32)
ACCELERATORS = ("gpu", "dsp", "npu")


def _case(
    seed: int, *, constant_ops: bool = True, most_ops: int = 25
) -> tuple[Graph, Device, dict[str, set[int]]]:
    rng = random.Random(seed)
    graph = random_graph(rng, rng.randint(1, most_ops), constant_ops=constant_ops)
    ops = range(len(graph.ops))
    share = rng.choice((0.0, 0.1, 0.4))
    refused: dict[str, set[int]] = {"cpu0": set(), "cpu1": set()}
    for name in ACCELERATORS[: rng.randint(0, 3)]:
        refused[name] = {op for op in ops if rng.random() < share}
    return graph, device_for(graph, refused), refused


class Case(NamedTuple):
    graph: Graph
    device: Device
    refused: dict[str, set[int]]
    partition: Partition


def _analyzed(seed: int) -> Case:
    graph, device, refused = _case(seed)
    return Case(graph, device, refused, analyze(graph, device))


def _merged(partition: Partition) -> set[tuple[int, tuple[int, ...]]]:
    return {(s.processor, s.units) for s in partition.subgraphs}


def units_hold_each_compute_op_once_and_know_who_takes_them(case: Case) -> None:
    graph, device, refused, partition = case
    held = [op for unit in partition.units for op in unit.ops]
    assert sorted(held) == list(graph.compute_ops)
    for unit in partition.units:
        for op in unit.ops:
            takers = [p.index for p in device.processors if op not in refused[p.name]]
            assert list(unit.processors) == takers
    assert partition.definitions == sum(len(unit.processors) for unit in partition.units)


def units_are_in_topological_order_and_name_what_they_need(case: Case) -> None:
    graph, partition = case.graph, case.partition
    home = {op: unit.index for unit in partition.units for op in unit.ops}
    for unit in partition.units:
        needs = {
            home[graph.producer[t]]
            for op in unit.ops
            for t in graph.ops[op].inputs
            if graph.producer[t] in home
        } - {unit.index}
        assert unit.dependencies == mask_of(needs)
        assert all(need < unit.index for need in needs)


def subgraphs_are_adjacent_units_that_their_processor_takes(case: Case) -> None:
    _, device, refused, partition = case
    for subgraph in partition.subgraphs:
        first, last = subgraph.units[0], subgraph.units[-1]
        assert subgraph.units == tuple(range(first, last + 1))
        held = [op for unit in partition.units[first : last + 1] for op in unit.ops]
        assert subgraph.ops == tuple(sorted(held))
        assert not refused[device.processors[subgraph.processor].name].intersection(held)
    assert len(_merged(partition)) == len(partition.subgraphs)


def who_takes_the_whole_model_is_offered_the_whole_model(case: Case) -> None:
    graph, device, refused, partition = case
    whole = {s.processor for s in partition.subgraphs if s.ops == graph.compute_ops}
    takers = {
        p.index for p in device.processors if not refused[p.name].intersection(graph.compute_ops)
    }
    assert whole == takers
    assert {0, 1} <= whole, "the CPUs take everything"


def every_plan_runs_each_op_once_in_an_order_that_is_possible(case: Case) -> None:
    graph, device, _, partition = case
    table = build_table(graph, device, partition, name="m")
    for plan in Kernel(table).k_best(5):
        done: set[int] = set()
        for step in plan.steps:
            units = partition.units[step.span.first : step.span.last + 1]
            for op in sorted(op for unit in units for op in unit.ops):
                sources = {graph.producer[t] for t in graph.dynamic_inputs(op)}
                assert sources - {-1} <= done | set(graph.weight_ops)
                assert op not in done
                done.add(op)
        assert done == set(graph.compute_ops)


def every_subgraph_is_convex(case: Case) -> None:
    graph, partition = case.graph, case.partition
    flow = graph.networkx()
    compute = set(graph.compute_ops)
    for part in {s.ops for s in partition.subgraphs}:
        inside, outside = set(part), flow.subgraph(compute - set(part))
        leaving = {c for op in inside for c in flow.successors(op) if c in compute - inside}
        beyond = leaving.union(*(nx.descendants(outside, op) for op in leaving))
        assert not any(set(flow.successors(op)) & inside for op in beyond)


def boundaries_hold_exactly_what_is_made_before_and_read_after(case: Case) -> None:
    graph, partition = case.graph, case.partition
    home = {op: unit.index for unit in partition.units for op in unit.ops}
    assert len(partition.boundary_tensors) == len(partition.units) + 1
    for boundary, tensors in enumerate(partition.boundary_tensors):
        expected = {
            t
            for t in range(len(graph.tensors))
            if home.get(graph.producer[t], boundary) < boundary
            and any(home.get(c, -1) >= boundary for c in graph.consumers[t])
        }
        assert set(tensors) == expected
        sizes = [graph.tensors[t].byte_size or 0 for t in expected]
        assert partition.boundary_bytes[boundary] == sum(sizes)
    assert partition.boundary_bytes[0] == partition.boundary_bytes[-1] == 0


CHECKS: Final[tuple[Callable[[Case], None], ...]] = (
    units_hold_each_compute_op_once_and_know_who_takes_them,
    units_are_in_topological_order_and_name_what_they_need,
    subgraphs_are_adjacent_units_that_their_processor_takes,
    who_takes_the_whole_model_is_offered_the_whole_model,
    every_subgraph_is_convex,
    every_plan_runs_each_op_once_in_an_order_that_is_possible,
    boundaries_hold_exactly_what_is_made_before_and_read_after,
)


@given(SEEDS)
def test_what_holds_for_every_partition(seed: int) -> None:
    case = _analyzed(seed)
    for check in CHECKS:
        check(case)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_what_holds_for_two_thousand_partitions(part: int) -> None:
    for seed in range(part * 500, (part + 1) * 500):
        case = _analyzed(seed)
        for check in CHECKS:
            check(case)


@given(SEEDS)
def test_both_modes_find_the_same_units_where_nothing_is_constant(seed: int) -> None:
    graph, device, _ = _case(seed, constant_ops=False)
    options = {"preparation": Preparation.UNIT_SUBGRAPH, "minimum_subgraph_size": 1}
    ours = analyze(graph, device, mode=Mode.COST, **options)  # type: ignore[arg-type]
    bands = analyze(graph, device, mode=Mode.BAND, **options)  # type: ignore[arg-type]
    assert ours.units == bands.units
    assert ours.subgraphs == tuple(sorted(bands.subgraphs, key=lambda s: (s.processor, s.units)))


@given(SEEDS)
def test_band_mode_refuses_exactly_the_models_with_a_gap(seed: int) -> None:
    graph, device, refused = _case(seed, most_ops=12)
    flow = OpGraph.from_items(graph, [(op.index,) for op in graph.ops])
    workers = [Worker(cpu=name.startswith("cpu"), available=True) for name in refused]
    raw = analyze_ops(flow, workers, [mask_of(ops) for ops in refused.values()], minimum_size=1)
    if raw.non_contiguous:
        with pytest.raises(BandError, match="Band refuses model") as caught:
            analyze(graph, device, mode=Mode.BAND, minimum_subgraph_size=1)
        assert caught.value.code is ErrorCode.UNSUPPORTED_MODEL
        refused_units = {tuple(bits_of(part.units)) for part in raw.non_contiguous}
        assert caught.value.fields["units"] in refused_units
        return
    partition = analyze(graph, device, mode=Mode.BAND, minimum_subgraph_size=1)
    assert len(partition.subgraphs) == len(raw.parts)
    for part in partition.subgraphs:
        assert part.units == tuple(range(part.units[0], part.units[-1] + 1))


@given(SEEDS, st.integers(2, 9))
def test_the_minimum_size_leaves_short_runs_to_the_cpus(seed: int, size: int) -> None:
    graph, device, refused = _case(seed)
    partition = analyze(graph, device, minimum_subgraph_size=size)
    assert sorted(op for u in partition.units for op in u.ops) == list(graph.compute_ops)
    for unit in partition.units:
        assert {0, 1} <= set(unit.processors)
        takers = {p.index for p in device.processors if not refused[p.name] & set(unit.ops)}
        assert set(unit.processors) <= takers
    listed = {(u.processor, u.op) for u in partition.unsupported}
    for unit in partition.units:
        for p in device.processors:
            for op in unit.ops:
                assert ((p.name, op) in listed) == (p.index not in unit.processors)


def _plain_merge(graph: OpGraph, definitions: list[Part]) -> tuple[list[Part], int]:
    """Return the merge as Band writes it: all ordered pairs, again and again."""
    parts, passes = list(definitions), 0
    while True:
        passes += 1
        added: list[Part] = []
        for a in parts:
            for b in parts:
                if a is b or a.worker != b.worker:
                    continue
                if graph.pure_inputs(b.ops) & ~graph.written_by(a.ops):
                    continue
                joined = Part(a.worker, a.ops | b.ops, a.units | b.units)
                if all((p.worker, p.ops) != joined[:2] for p in (*parts, *added)):
                    added.append(joined)
        if not added:
            return parts, passes
        parts.extend(added)


@given(SEEDS)
def test_the_fast_merge_is_the_plain_one_in_result_order_and_passes(seed: int) -> None:
    rng = random.Random(seed)
    graph = random_graph(rng, rng.randint(1, 9))
    flow = OpGraph.from_items(graph, [(op.index,) for op in graph.ops])
    workers = [Worker(cpu=True, available=True)] + [Worker(cpu=False, available=True)] * 2
    refused = [0, *(mask_of(op for op in range(9) if rng.random() < 0.3) for _ in range(2))]
    units = analyze_ops(
        flow, workers, refused, preparation=Preparation.UNIT_SUBGRAPH, minimum_size=1
    )
    assert merge(flow, list(units.parts)) == _plain_merge(flow, list(units.parts))


@given(SEEDS)
def test_no_fallback_gives_the_whole_model_to_those_that_take_it_all(seed: int) -> None:
    graph, device, refused = _case(seed)
    partition = analyze(graph, device, preparation=Preparation.NO_FALLBACK_SUBGRAPH)
    takers = {p.index for p in device.processors if not refused[p.name] & set(graph.compute_ops)}
    assert {s.processor for s in partition.subgraphs} == takers
    assert all(s.ops == graph.compute_ops for s in partition.subgraphs)


@given(SEEDS)
def test_fallback_per_worker_gives_each_processor_its_runs_and_others_the_gaps(seed: int) -> None:
    graph, device, _ = _case(seed)
    partition = analyze(graph, device, preparation=Preparation.FALLBACK_PER_WORKER)
    merged = _merged(partition)
    for index in range(len(device.processors)):
        takes = [index in unit.processors for unit in partition.units]
        if not any(takes):
            continue
        for taken, group in groupby(range(len(takes)), takes.__getitem__):
            run = tuple(group)
            if taken:
                assert (index, run) in merged
            else:
                assert {p for p, units in merged if units == run} >= {0, 1}  # the CPUs
