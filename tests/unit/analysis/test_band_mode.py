"""The steps of Band's analysis on op sets small enough to check by hand."""

import pytest

from band.analysis.band_merge import is_contiguous
from band.analysis.band_mode import (
    Worker,
    analyze_ops,
    fallback_parts,
    ignored_ops,
    support_masks,
)
from band.analysis.opgraph import OpGraph, alternating_sets, mask_of, unit_sets
from band.analysis.partition import Preparation

CPU, GPU = Worker(cpu=True, available=True), Worker(cpu=False, available=True)
GONE = Worker(cpu=False, available=False)


def _chain(length: int) -> OpGraph:
    """Return ops 0..length-1 in a row; tensor 0 is the input and op i writes tensor i + 1."""
    return OpGraph.from_lists(
        [0], [[op] for op in range(length)], [[op + 1] for op in range(length)]
    )


@pytest.mark.parametrize(
    ("units", "contiguous"),
    [([0], True), ([3], True), ([1, 2, 3], True), ([0, 2], False), ([70, 71], True), ([], False)],
)
def test_units_are_contiguous_without_a_gap(units: list[int], contiguous: bool) -> None:
    assert is_contiguous(mask_of(units)) is contiguous


def test_the_partition_begins_with_the_supported_side_and_skips_empty_sets() -> None:
    assert alternating_sets(_chain(3), unsupported=0b001) == ((True, 0b001), (False, 0b110))
    assert alternating_sets(_chain(2), unsupported=0) == ((False, 0b11),)


def test_in_the_partition_an_output_counts_within_the_same_sweep() -> None:
    # Op 1 reads op 0, op 2 reads the input: ascending order takes all three in one set.
    graph = OpGraph.from_lists([0], [[0], [1], [0]], [[1], [2], [3]])
    assert alternating_sets(graph, unsupported=0) == ((False, 0b111),)


def test_ops_that_can_never_run_end_the_partition_and_the_discovery() -> None:
    graph = OpGraph.from_lists([0], [[0], [9]], [[1], [2]])
    assert alternating_sets(graph, unsupported=0) == ((False, 0b01),)
    assert unit_sets(graph, [1, 1]) == ((0b01, 1),)


def test_the_lowest_resolved_op_chooses_whose_unit_comes_next() -> None:
    # Ops 0 and 1 read the input; op 2 reads op 1.
    graph = OpGraph.from_lists([0], [[0], [0], [2]], [[1], [2], [3]])
    assert unit_sets(graph, [0b01, 0b11, 0b01]) == ((0b001, 0b01), (0b010, 0b11), (0b100, 0b01))
    assert unit_sets(graph, [0b11, 0b11, 0b01]) == ((0b011, 0b11), (0b100, 0b01))


def test_fallback_sets_of_an_accelerator_go_to_every_cpu() -> None:
    found = fallback_parts(_chain(3), [CPU, GPU, CPU], [0, 0b010, 0], worker=1)
    assert found == ((1, 0b001), (0, 0b010), (2, 0b010), (1, 0b100))


def test_a_worker_that_is_not_available_has_no_partition_and_splits_nothing() -> None:
    graph, workers, unsupported = _chain(3), [CPU, GONE], [0, 0b010]
    assert fallback_parts(graph, workers, unsupported, worker=1) == ()
    assert ignored_ops(graph, workers, unsupported, minimum_size=9) == (0, 0)
    assert support_masks(graph, workers, unsupported, (0, 0)) == (0b11, 0b11, 0b11)
    found = analyze_ops(graph, workers, unsupported, minimum_size=1)
    assert (found.units, found.unit_workers) == ((0b111,), (0b01,))
    assert [part.worker for part in found.parts] == [0]


def test_the_minimum_size_takes_small_sets_from_accelerators_only() -> None:
    graph, workers = _chain(5), [CPU, GPU]
    assert ignored_ops(graph, workers, [0, 0b00100], minimum_size=3) == (0, 0b11111)
    assert ignored_ops(graph, workers, [0, 0b00010], minimum_size=3) == (0, 0b00011)


def test_without_fallback_every_available_worker_gets_one_whole_unit() -> None:
    found = analyze_ops(
        _chain(3), [CPU, GPU, GONE], [0, 0b010, 0], preparation=Preparation.NO_FALLBACK_SUBGRAPH
    )
    assert (found.units, found.definitions, found.merge_passes) == ((0b111,), 2, 0)
    assert [(part.worker, part.units) for part in found.parts] == [(0, 1), (1, 1)]


def test_unit_subgraphs_are_not_merged() -> None:
    found = analyze_ops(
        _chain(3), [CPU, GPU], [0, 0b010], preparation=Preparation.UNIT_SUBGRAPH, minimum_size=1
    )
    assert [(part.worker, part.units) for part in found.parts] == [
        (0, 0b001),
        (1, 0b001),
        (0, 0b010),
        (0, 0b100),
        (1, 0b100),
    ]
