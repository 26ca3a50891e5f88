"""The analyzer gives what Band's own log and its published algorithm give."""

import json
import random
from pathlib import Path
from typing import Any, Final

import pytest

from band.analysis.band_mode import Analysis, Worker, analyze_ops, fallback_parts
from band.analysis.opgraph import OpGraph, bits_of, mask_of
from band.analysis.partition import Preparation

GOLDEN: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "band_golden.json").read_text(encoding="utf-8")
)
CASES: Final = {case["name"]: case for case in GOLDEN["cases"]}
MERGED: Final = [n for n, c in CASES.items() if c["preparation"] == "merge_unit_subgraph"]


def _flow(name: str) -> OpGraph:
    graph = GOLDEN["graphs"][name]
    return OpGraph.from_lists(graph["inputs"], graph["op_inputs"], graph["op_outputs"])


def _workers(case: dict[str, Any]) -> list[Worker]:
    return [Worker(w["device"] == "CPU", w["available"]) for w in case["workers"]]


def _unsupported(case: dict[str, Any]) -> list[int]:
    return [mask_of(case["unsupported_by_worker"][str(w["id"])] or []) for w in case["workers"]]


def _analyze(case: dict[str, Any]) -> Analysis:
    return analyze_ops(
        _flow(case["graph"]),
        _workers(case),
        _unsupported(case),
        preparation=Preparation(case["preparation"]),
        minimum_size=case["minimum_subgraph_size"],
    )


def _units_of(mask: int) -> list[int]:
    return list(bits_of(mask))


@pytest.mark.parametrize("name", MERGED)
def test_units_and_counts_are_those_of_the_logged_case(name: str) -> None:
    expected = CASES[name]["expected"]
    found = _analyze(CASES[name])
    assert [_units_of(ops) for ops in found.units] == expected["unit_op_sets"]
    assert [_units_of(mask) for mask in found.unit_workers] == expected["unit_workers"]
    assert len(found.units) == expected["units"]
    assert found.definitions == expected["unit_definitions"]
    assert len(found.parts) == expected["total"]
    assert len(found.parts) - found.definitions == expected["added_by_merge"]
    assert found.merge_passes == expected["merge_passes_that_ran"]


@pytest.mark.parametrize("name", [n for n in MERGED if "total_by_worker" in CASES[n]["expected"]])
def test_each_worker_gets_the_logged_number_of_subgraphs(name: str) -> None:
    workers = [part.worker for part in _analyze(CASES[name]).parts]
    for worker, count in CASES[name]["expected"]["total_by_worker"].items():
        assert workers.count(int(worker)) == count


@pytest.mark.parametrize("name", [n for n in MERGED if "subgraphs" in CASES[n]["expected"]])
def test_the_subgraphs_are_the_listed_ones(name: str) -> None:
    expected = CASES[name]["expected"]["subgraphs"]
    found = sorted((part.worker, _units_of(part.units)) for part in _analyze(CASES[name]).parts)
    assert found == sorted((s["worker"], s["units"]) for s in expected)


@pytest.mark.parametrize("name", [n for n in MERGED if "band_registers" in CASES[n]["expected"]])
def test_a_model_is_refused_exactly_when_band_refuses_it(name: str) -> None:
    expected = CASES[name]["expected"]
    found = _analyze(CASES[name])
    gaps = sorted((part.worker, _units_of(part.units)) for part in found.non_contiguous)
    assert gaps == sorted((s["worker"], s["units"]) for s in expected["non_contiguous"])
    assert bool(gaps) != expected["band_registers"]


@pytest.mark.parametrize(
    "name", [n for n in MERGED if "whole_model_workers" in CASES[n]["expected"]]
)
def test_the_whole_model_is_there_exactly_for_the_listed_workers(name: str) -> None:
    case = CASES[name]
    everything = (1 << case["ops"]) - 1
    whole = sorted(part.worker for part in _analyze(case).parts if part.ops == everything)
    assert whole == case["expected"]["whole_model_workers"]


def test_the_fallback_partition_of_retinaface_is_the_logged_one() -> None:
    case = CASES["b_retinaface160_fallback_per_worker"]
    expected = case["expected"]
    found = fallback_parts(_flow(case["graph"]), _workers(case), _unsupported(case), worker=1)
    assert [worker for worker, _ in found] == expected["set_workers"]
    assert [ops.bit_count() for _, ops in found] == expected["set_sizes"]
    assert [_units_of(ops) for _, ops in found] == expected["fallback_op_sets"]


def test_fallback_per_worker_concatenates_the_partitions_of_all_workers() -> None:
    case = CASES["b_retinaface160_fallback_per_worker"]
    found = _analyze(case)
    assert found.parts[0].ops.bit_count() == case["ops"]  # the CPU takes everything
    assert [part.worker for part in found.parts[1:]] == case["expected"]["set_workers"]
    covered = 0
    for part in found.parts[1:]:
        covered |= part.units
    assert covered == (1 << len(found.units)) - 1


# Table 2.4: support by op type alone; workers CPU, GPU, DSP, NPU.
BY_TYPE: Final[tuple[set[str], ...]] = (
    set(),
    {"QUANTIZE", "DEQUANTIZE", "SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND", "STRIDED_SLICE"},
    {"QUANTIZE", "TRANSPOSE_CONV", "LEAKY_RELU", "EXP"},
    {
        "DEQUANTIZE",
        "QUANTIZE",
        "MIRROR_PAD",
        "SQUARED_DIFFERENCE",
        "RSQRT",
        "RESIZE_NEAREST_NEIGHBOR",
    },
)
FOUR: Final = [Worker(cpu=True, available=True)] + [Worker(cpu=False, available=True)] * 3


def _refused_by_type(graph: str) -> list[int]:
    names = GOLDEN["graphs"][graph]["op_names"]
    return [mask_of(i for i, name in enumerate(names) if name in types) for types in BY_TYPE]


@pytest.mark.parametrize(
    ("graph", "sets"),
    [("magenta_int8_transfer_1", [1, 168, 85, 85]), ("retinaface_mbv2_quant_160", [1, 5, 5, 9])],
)
def test_op_type_tables_give_the_known_number_of_fallback_sets(graph: str, sets: list[int]) -> None:
    refused = _refused_by_type(graph)
    found = [len(fallback_parts(_flow(graph), FOUR, refused, worker)) for worker in range(4)]
    assert found == sets


@pytest.mark.parametrize(
    ("graph", "minimum_size", "counts"),
    [
        ("magenta_int8_transfer_1", 7, (29, 46, 115)),
        ("retinaface_mbv2_quant_160", 1, (9, 28, 49)),
        ("retinaface_mbv2_quant_160", 7, (9, 26, 47)),
    ],
)
def test_op_type_tables_give_the_known_units_definitions_and_subgraphs(
    graph: str, minimum_size: int, counts: tuple[int, int, int]
) -> None:
    found = analyze_ops(_flow(graph), FOUR, _refused_by_type(graph), minimum_size=minimum_size)
    assert (len(found.units), found.definitions, len(found.parts)) == counts
    assert not found.non_contiguous


def test_more_than_64_units_are_no_limit() -> None:
    refused = _refused_by_type("magenta_int8_transfer_1")
    found = analyze_ops(
        _flow("magenta_int8_transfer_1"),
        FOUR,
        refused,
        preparation=Preparation.UNIT_SUBGRAPH,
        minimum_size=1,
    )
    assert (len(found.units), found.definitions) == (169, 421)


def _random_flow(seed: int, *, late_inputs: bool) -> OpGraph:
    """Return the random DAG of 30 ops that the published refusal counts were made with."""
    g = random.Random(seed)
    reads = []
    for op in range(30):
        sources = 1 if g.random() > 0.3 else 2
        read = {1000} if op == 0 else {g.randrange(max(0, op - 6), op) for _ in range(sources)}
        if late_inputs and op > 0 and g.random() < 0.02:
            read.add(1000)
        reads.append(read)
    return OpGraph.from_lists([1000], reads, [[op] for op in range(30)])


def _random_refusals(seed: int, accelerators: int) -> list[int]:
    h = random.Random(seed + 999)
    refused = [mask_of(op for op in range(30) if h.random() < 0.2) for _ in range(accelerators)]
    return [0, *refused]


@pytest.mark.parametrize(("accelerators", "rejected"), [(1, 0), (2, 181), (3, 200)])
def test_band_refuses_as_many_random_models_as_it_is_known_to(
    accelerators: int, rejected: int
) -> None:
    count = 0
    for seed in range(200):
        flow = _random_flow(seed, late_inputs=False)
        refused = _random_refusals(seed, accelerators)
        found = analyze_ops(flow, FOUR[: accelerators + 1], refused, minimum_size=1)
        count += bool(found.non_contiguous)
    assert count == rejected


def test_a_late_model_input_costs_61_of_200_random_models_their_whole_model_subgraph() -> None:
    missing = 0
    for seed in range(200):
        flow = _random_flow(seed, late_inputs=True)
        found = analyze_ops(flow, FOUR[:2], _random_refusals(seed, 1), minimum_size=1)
        missing += not any(p.worker == 0 and p.ops == flow.all_items for p in found.parts)
    assert missing == 61
