"""Plan tables made from partitions."""

import random
from dataclasses import replace

import pytest

from band.analysis.analyze import analyze
from band.analysis.partition import Mode, Preparation
from band.device.cost import estimate_us
from band.errors import BandError, ErrorCode
from band.memory.lifetimes import peak_bytes
from band.plan.build import build_table
from band.plan.kernel import Kernel
from band.testing import models
from band.testing.graphs import device_for, make_graph, random_graph


@pytest.mark.parametrize("seed", range(25))
def test_each_span_has_the_cost_tensors_and_memory_of_its_ops(seed: int) -> None:
    rng = random.Random(seed)
    graph = random_graph(rng, rng.randint(1, 20))
    refused = {"cpu0": set[int](), "gpu": {op for op in range(20) if rng.random() < 0.4}}
    device = device_for(graph, refused, sync_us=300)
    partition = analyze(graph, device)
    table = build_table(graph, device, partition, name="registered", version=4)
    assert (table.model, table.version) == ("registered", 4)
    assert table.processors == ("cpu0", "gpu")
    assert table.unit_count == len(partition.units)
    assert table.dependencies == tuple(unit.dependencies for unit in partition.units)
    keys = [(s.first, s.last, s.processor) for s in table.spans]
    assert keys == sorted(set(keys))
    assert set(keys) == {(s.units[0], s.units[-1], s.processor) for s in partition.subgraphs}
    for span in table.spans:
        ops = [op for unit in partition.units[span.first : span.last + 1] for op in unit.ops]
        assert span.cost_us == estimate_us(device.processors[span.processor], graph, ops)
        assert span.peak_bytes == peak_bytes(graph, ops)
        assert set(span.inputs) <= set(partition.boundary_tensors[span.first])
        assert set(span.outputs) <= set(partition.boundary_tensors[span.last + 1])
        assert span.load_bytes >= span.peak_bytes


@pytest.mark.parametrize("seed", range(10))
def test_moving_data_costs_what_the_link_says_for_all_that_is_alive(seed: int) -> None:
    rng = random.Random(seed)
    graph = random_graph(rng, 15)
    refused = {"cpu0": set[int](), "gpu": {op for op in range(15) if rng.random() < 0.4}}
    device = device_for(graph, refused, sync_us=300)
    partition = analyze(graph, device)
    moves = build_table(graph, device, partition, name="m").transfer_us
    assert len(moves) == len(partition.units) + 1
    for boundary, byte_count in enumerate(partition.boundary_bytes):
        expected = device.transfer_us(0, 1, byte_count)
        assert moves[boundary] == ((0, expected), (expected, 0))
    assert moves[0] == moves[-1] == ((0, 0), (0, 0))


def test_a_device_without_links_moves_data_for_nothing() -> None:
    graph = make_graph([[0], [1], [2]])
    device = device_for(graph, {"cpu0": (), "gpu": (1,)})
    table = build_table(graph, device, analyze(graph, device), name="m")
    assert not table.has_transfers


def test_band_mode_partitions_of_chains_make_the_same_table() -> None:
    graph = make_graph([[0], [1], [2], [3]])
    device = device_for(graph, {"cpu0": (), "gpu": (1,)}, sync_us=10)
    ours = build_table(graph, device, analyze(graph, device), name="m")
    partition = analyze(graph, device, mode=Mode.BAND, minimum_subgraph_size=1)
    band = build_table(graph, device, partition, name="m")
    assert set(ours.spans) < set(band.spans), "without the spans that no best plan needs"
    assert replace(ours, spans=()) == replace(band, spans=())


@pytest.mark.parametrize("mode", list(Mode))
def test_fallback_per_worker_gives_a_table_that_can_finish(mode: Mode) -> None:
    graph = make_graph([[0], [1], [2], [3]])
    device = device_for(graph, {"cpu0": (), "cpu1": (), "gpu": (1,)})
    partition = analyze(
        graph,
        device,
        mode=mode,
        preparation=Preparation.FALLBACK_PER_WORKER,
        minimum_subgraph_size=1,
    )
    table = build_table(graph, device, partition, name="m")
    keys = {(s.first, s.last, s.processor) for s in table.spans}
    assert {(0, 2, 0), (0, 2, 1), (0, 0, 2), (1, 1, 0), (1, 1, 1), (2, 2, 2)} == keys
    assert Kernel(table).best(0, (0, 0, 0)) is not None


def test_subgraphs_that_make_no_chain_are_refused_in_band_mode_and_completed_in_cost_mode() -> None:
    # Without a CPU nobody takes the gaps: the GPU gets 0-1 and 3, the NPU gets 1-2.
    graph = make_graph([[0], [1], [2], [3]])
    device = device_for(graph, {"gpu": (2,), "npu": (0, 3)})
    kind = Preparation.FALLBACK_PER_WORKER
    band = analyze(graph, device, mode=Mode.BAND, preparation=kind, minimum_subgraph_size=1)
    with pytest.raises(BandError, match="do not make a chain") as caught:
        build_table(graph, device, band, name="m")
    assert caught.value.code is ErrorCode.UNSUPPORTED_MODEL
    ours = analyze(graph, device, preparation=kind)
    assert Kernel(build_table(graph, device, ours, name="m")).best(0, (0, 0)) is not None


def test_a_unit_of_weight_ops_alone_has_no_slice() -> None:
    graph = models.constant_producer().graph
    device = device_for(graph, {"cpu0": (), "gpu": graph.weight_ops})
    partition = analyze(
        graph,
        device,
        mode=Mode.BAND,
        preparation=Preparation.UNIT_SUBGRAPH,
        minimum_subgraph_size=1,
    )
    with pytest.raises(BandError, match="holds only ops that read constants") as caught:
        build_table(graph, device, partition, name="m")
    assert caught.value.code is ErrorCode.UNSUPPORTED_MODEL


def test_a_cpu_without_costs_is_named() -> None:
    # In band mode a CPU takes everything, even what it has no cost for.
    graph = make_graph([[0], [1]])
    device = device_for(graph, {"cpu0": ()})
    device = replace(device, processors=(replace(device.processors[0], costs=()),))
    partition = analyze(graph, device, mode=Mode.BAND)
    with pytest.raises(BandError, match="cpu0 has no cost coefficients"):
        build_table(graph, device, partition, name="m")


def test_a_span_has_the_energy_of_its_cost_where_the_power_is_known() -> None:
    graph = make_graph([[0], [1], [2]])
    device = device_for(graph, {"cpu0": (), "gpu": (1,)})
    cpu, gpu = device.processors
    device = replace(device, processors=(cpu, replace(gpu, active_mw=1_500)))
    spans = build_table(graph, device, analyze(graph, device), name="m").spans
    assert {s.energy_uj for s in spans if s.processor == 0} == {0}
    on_gpu = [s for s in spans if s.processor == 1]
    assert on_gpu
    for span in on_gpu:
        assert 0 <= span.energy_uj - span.cost_us * 1.5 < 1
