"""Analysis of small models: modes, sizes, availability, and the sentences of refusals."""

from dataclasses import replace

import pytest

from band.analysis import cost_mode
from band.analysis.analyze import analyze
from band.analysis.partition import Mode, Partition, Preparation, Unsupported
from band.device.support_table import Support
from band.errors import BandError, ErrorCode
from band.model.graph import Graph
from band.testing import models
from band.testing.graphs import REASON, device_for, make_graph

CHAIN = make_graph([[0], [1], [2], [3], [4]])


def _units(partition: Partition) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    return [(unit.ops, unit.processors) for unit in partition.units]


def test_a_gap_of_the_gpu_makes_three_units() -> None:
    partition = analyze(CHAIN, device_for(CHAIN, {"cpu0": (), "gpu": (2,)}))
    assert _units(partition) == [((0, 1), (0, 1)), ((2,), (0,)), ((3, 4), (0, 1))]
    assert partition.definitions == 5
    assert [(s.processor, s.units) for s in partition.subgraphs] == [
        (0, (0, 1)),  # then the GPU, which may be busy until then
        (0, (0, 1, 2)),
        (0, (1,)),
        (1, (0,)),
        (1, (2,)),
    ]
    assert partition.unsupported == (Unsupported(op=2, type="ADD", processor="gpu", reason=REASON),)
    assert [unit.dependencies for unit in partition.units] == [0b000, 0b001, 0b010]
    assert partition.boundary_tensors == ((), (2,), (3,), ())
    assert partition.boundary_bytes == (0, 4, 4, 0)


def test_the_default_minimum_size_is_bands_in_band_mode_and_one_in_cost_mode() -> None:
    device = device_for(CHAIN, {"cpu0": (), "gpu": (2,)})
    band = analyze(CHAIN, device, mode=Mode.BAND)
    assert (band.minimum_subgraph_size, _units(band)) == (7, [((0, 1, 2, 3, 4), (0,))])
    assert analyze(CHAIN, device).minimum_subgraph_size == 1


def test_ops_taken_away_by_the_minimum_size_are_listed_with_that_reason() -> None:
    device = device_for(CHAIN, {"cpu0": (), "gpu": (1,)})
    partition = analyze(CHAIN, device, minimum_subgraph_size=2)
    assert _units(partition) == [((0, 1), (0,)), ((2, 3, 4), (0, 1))]
    assert [(u.op, u.reason) for u in partition.unsupported] == [
        (0, "in a run of fewer than 2 ops"),
        (1, REASON),
    ]


def test_the_minimum_size_takes_nothing_away_that_no_cpu_runs() -> None:
    device = device_for(CHAIN, {"cpu0": (2,), "gpu": (0, 1, 3, 4)})
    partition = analyze(CHAIN, device, minimum_subgraph_size=4)
    assert _units(partition) == [((0, 1), (0,)), ((2,), (1,)), ((3, 4), (0,))]


def test_a_device_without_cpu_is_analyzed_too() -> None:
    partition = analyze(CHAIN, device_for(CHAIN, {"gpu": (4,), "npu": (0,)}))
    assert _units(partition) == [((0,), (0,)), ((1, 2, 3), (0, 1)), ((4,), (1,))]


@pytest.mark.parametrize("mode", list(Mode))
def test_a_processor_that_is_not_available_gets_nothing_and_splits_nothing(mode: Mode) -> None:
    device = device_for(CHAIN, {"cpu0": (), "dsp": (1, 3), "gpu": ()}, down=("dsp",))
    partition = analyze(CHAIN, device, mode=mode, minimum_subgraph_size=1)
    assert _units(partition) == [((0, 1, 2, 3, 4), (0, 2))]
    assert {s.processor for s in partition.subgraphs} == {0, 2}
    assert partition.unsupported == ()


def test_an_op_that_nobody_takes_is_named_with_each_processors_reason() -> None:
    device = device_for(CHAIN, {"cpu0": (3,), "dsp": (), "gpu": (3, 4)}, down=("dsp",))
    with pytest.raises(BandError) as caught:
        analyze(CHAIN, device)
    assert caught.value.code is ErrorCode.UNSUPPORTED_MODEL
    assert caught.value.message == (
        "op 3 (ADD) of model made runs on no processor of made: "
        f"cpu0: {REASON}; dsp: not available; gpu: {REASON}"
    )
    assert (caught.value.fields["op"], caught.value.fields["type"]) == (3, "ADD")


def test_a_reason_that_names_its_processor_names_it_once() -> None:
    device = device_for(CHAIN, {"cpu0": (3,), "gpu": ()})
    refusing = Support(refused_ops=("ADD",))
    gpu = replace(device.processors[1], support=refusing)
    device = replace(device, processors=(device.processors[0], gpu))
    with pytest.raises(BandError, match=f"of made: cpu0: {REASON}; gpu takes no ADD$"):
        analyze(CHAIN, device)


def test_no_fallback_names_what_keeps_each_processor_from_the_whole_model() -> None:
    device = device_for(CHAIN, {"cpu0": (3,), "gpu": (1,)})
    with pytest.raises(BandError, match=r"takes model made whole \(cpu0: op 3 \(ADD\)") as caught:
        analyze(CHAIN, device, preparation=Preparation.NO_FALLBACK_SUBGRAPH)
    assert caught.value.code is ErrorCode.UNSUPPORTED_MODEL
    assert "gpu: op 1 (ADD)" in caught.value.message


def test_no_fallback_leaves_the_processors_that_take_all() -> None:
    device = device_for(CHAIN, {"cpu0": (), "gpu": (1,), "npu": ()})
    partition = analyze(CHAIN, device, preparation=Preparation.NO_FALLBACK_SUBGRAPH)
    assert _units(partition) == [((0, 1, 2, 3, 4), (0, 2))]


def test_in_band_mode_without_fallback_every_available_worker_gets_the_whole_model() -> None:
    device = device_for(CHAIN, {"cpu0": (), "gpu": (1,)})
    partition = analyze(CHAIN, device, mode=Mode.BAND, preparation=Preparation.NO_FALLBACK_SUBGRAPH)
    assert _units(partition) == [((0, 1, 2, 3, 4), (0, 1))]


@pytest.mark.parametrize("size", [0, -3])
def test_a_minimum_size_below_one_is_refused(size: int) -> None:
    with pytest.raises(BandError, match="at least 1") as caught:
        analyze(CHAIN, device_for(CHAIN, {"cpu0": ()}), minimum_subgraph_size=size)
    assert caught.value.code is ErrorCode.INVALID_CONFIG


def test_a_model_that_computes_nothing_is_refused() -> None:
    graph = make_graph([], outputs=(0,))
    with pytest.raises(BandError, match="no op that computes") as caught:
        analyze(graph, device_for(graph, {"cpu0": ()}))
    assert caught.value.code is ErrorCode.INVALID_MODEL


@pytest.mark.parametrize("mode", list(Mode))
def test_ops_that_cannot_be_ordered_are_refused(mode: Mode) -> None:
    graph = make_graph([[0, 2], [1]])  # op 0 reads what op 1 makes
    with pytest.raises(BandError, match="cannot be ordered") as caught:
        analyze(graph, device_for(graph, {"cpu0": ()}), mode=mode)
    assert caught.value.code is ErrorCode.INVALID_MODEL


def test_the_fork_that_band_refuses_is_taken_in_cost_mode() -> None:
    fork = make_graph([[0], [1], [1]], outputs=(2, 3))
    device = device_for(fork, {"cpu0": (), "gpu": (1,), "dsp": (2,)})
    with pytest.raises(BandError, match=r"units 0, 2 would be merged on cpu0, .* gap") as caught:
        analyze(fork, device, mode=Mode.BAND, minimum_subgraph_size=1)
    assert caught.value.code is ErrorCode.UNSUPPORTED_MODEL
    assert caught.value.fields["units"] == (0, 2)
    partition = analyze(fork, device)
    assert (0, (0, 1, 2)) in {(s.processor, s.units) for s in partition.subgraphs}
    assert (0, (0, 2)) not in {(s.processor, s.units) for s in partition.subgraphs}


def test_constant_producers_form_units_in_band_mode_only() -> None:
    graph = models.constant_producer().graph
    (weight_op,) = graph.weight_ops
    device = device_for(graph, {"cpu0": (), "gpu": (weight_op,)})
    ours = analyze(graph, device)
    assert _units(ours) == [(graph.compute_ops, (0, 1))]
    assert ours.unsupported == ()
    band = analyze(graph, device, mode=Mode.BAND, minimum_subgraph_size=1)
    assert _units(band)[0] == ((weight_op,), (0,))
    assert [u.op for u in band.unsupported] == [weight_op]


def test_ops_of_one_atom_go_together_and_say_why() -> None:
    graph = models.resource_variable().graph
    by_type = {graph.ops[op].type: op for op in graph.compute_ops}
    device = device_for(graph, {"cpu0": (), "gpu": (by_type["READ_VARIABLE"],)})
    partition = analyze(graph, device)
    kept = {by_type["READ_VARIABLE"], by_type["ADD"], by_type["ASSIGN_VARIABLE"]}
    assert [set(ops) for ops, processors in _units(partition) if processors == (0,)] == [kept]
    reasons = {u.op: u.reason for u in partition.unsupported}
    assert set(reasons) == kept
    assert "cannot be cut from op" in reasons[by_type["ADD"]]


def _alternating(op_count: int) -> tuple[Graph, list[int]]:
    graph = make_graph([[op] for op in range(op_count)])
    return graph, [op for op in range(op_count) if op % 2]


def test_a_model_of_very_many_units_gets_a_larger_minimum_size() -> None:
    graph, refused = _alternating(cost_mode.MAX_UNITS + 20)
    partition = analyze(graph, device_for(graph, {"cpu0": (), "gpu": refused}))
    assert partition.minimum_subgraph_size == 2
    assert len(partition.units) == 1
    assert partition.unsupported[0].reason == "in a run of fewer than 2 ops"


def test_band_mode_gives_up_on_models_of_very_many_subgraphs() -> None:
    graph, refused = _alternating(100)  # 100 * 101 / 2 ranges on the CPU alone
    device = device_for(graph, {"cpu0": (), "gpu": refused})
    with pytest.raises(BandError, match="more than 4096 subgraphs of the 100 units") as caught:
        analyze(graph, device, mode=Mode.BAND, minimum_subgraph_size=1)
    assert caught.value.code is ErrorCode.UNSUPPORTED_MODEL
    assert len(analyze(graph, device).units) == 100


def test_two_processors_that_share_no_run_cannot_be_capped_below_what_the_model_needs() -> None:
    graph, odd = _alternating(cost_mode.MAX_UNITS + 20)
    even = [op for op in range(len(graph.ops)) if not op % 2]
    partition = analyze(graph, device_for(graph, {"gpu": odd, "npu": even}))
    assert len(partition.units) == len(graph.ops)


def test_band_refuses_a_fallback_set_that_holds_no_whole_unit() -> None:
    device = device_for(CHAIN, {"cpu0": (), "gpu": (4,)})
    with pytest.raises(BandError, match=r"a subgraph on gpu \(op 0 and 3 others\) would hold no"):
        analyze(CHAIN, device, mode=Mode.BAND, preparation=Preparation.FALLBACK_PER_WORKER)
