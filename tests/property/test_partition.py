"""What holds for every partition of every graph, and the fast merge against the plain one."""

import random
from itertools import groupby

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


def _merged(partition: Partition) -> set[tuple[int, tuple[int, ...]]]:
    return {(s.processor, s.units) for s in partition.subgraphs}


@given(SEEDS)
def test_units_hold_each_compute_op_once_and_know_who_takes_them(seed: int) -> None:
    graph, device, refused = _case(seed)
    partition = analyze(graph, device)
    held = [op for unit in partition.units for op in unit.ops]
    assert sorted(held) == list(graph.compute_ops)
    for unit in partition.units:
        for op in unit.ops:
            takers = [p.index for p in device.processors if op not in refused[p.name]]
            assert list(unit.processors) == takers
    assert partition.definitions == sum(len(unit.processors) for unit in partition.units)


@given(SEEDS)
def test_units_are_in_topological_order_and_name_what_they_need(seed: int) -> None:
    graph, device, _ = _case(seed)
    partition = analyze(graph, device)
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


@given(SEEDS)
def test_all_adjacent_ranges_of_a_processor_are_merged_and_nothing_else(seed: int) -> None:
    graph, device, _ = _case(seed)
    partition = analyze(graph, device)
    count = len(partition.units)
    expected = {
        (p.index, tuple(range(first, last + 1)))
        for p in device.processors
        for first in range(count)
        for last in range(first, count)
        if all(p.index in u.processors for u in partition.units[first : last + 1])
    }
    assert _merged(partition) == expected
    assert len(partition.subgraphs) == len(expected)
    assert (0, tuple(range(count))) in expected  # cpu0 takes everything


@given(SEEDS)
def test_every_merged_subgraph_is_convex(seed: int) -> None:
    graph, device, _ = _case(seed)
    flow = graph.networkx()
    compute = set(graph.compute_ops)
    for part in {s.ops for s in analyze(graph, device).subgraphs}:
        inside, outside = set(part), flow.subgraph(compute - set(part))
        leaving = {c for op in inside for c in flow.successors(op) if c in compute - inside}
        beyond = leaving.union(*(nx.descendants(outside, op) for op in leaving))
        assert not any(set(flow.successors(op)) & inside for op in beyond)


@given(SEEDS)
def test_boundaries_hold_exactly_what_is_made_before_and_read_after(seed: int) -> None:
    graph, device, _ = _case(seed)
    partition = analyze(graph, device)
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


@pytest.mark.parametrize("accelerators", [1, 2, 3])
def test_cost_mode_refuses_none_of_the_models_that_band_refuses(accelerators: int) -> None:
    for seed in range(60):
        rng = random.Random(seed)
        graph = random_graph(rng, 30)
        refused: dict[str, set[int]] = {"cpu0": set()}
        for name in ACCELERATORS[:accelerators]:
            refused[name] = {op for op in range(30) if rng.random() < 0.2}
        partition = analyze(graph, device_for(graph, refused))
        everything = tuple(range(len(partition.units)))
        assert (0, everything) in _merged(partition)


def test_masks_and_bits_are_inverse() -> None:
    assert list(bits_of(mask_of([7, 0, 130]))) == [0, 7, 130]
