"""What the terms of ops and subgraphs count."""

from collections.abc import Mapping

import pytest

from band.device.fit_classes import CLASS_OF, typical_us
from band.device.fit_terms import GraphTerms, boundary, op_terms
from band.model.graph import Graph, Op, Tensor
from band.testing import models


def _graph(*ops: Op, tensors: Mapping[int, tuple[tuple[int, ...], str, bool]]) -> Graph:
    made = tuple(
        Tensor(
            index=i,
            name=f"t{i}",
            shape=tensors[i][0],
            dtype=tensors[i][1],
            constant=tensors[i][2],
            buffer_bytes=4 if tensors[i][2] else 0,
        )
        for i in sorted(tensors)
    )
    return Graph.build(
        name="g",
        sha256="0",
        tensors=made,
        ops=ops,
        inputs=(0,),
        outputs=ops[-1].outputs,
    )


def _op(index: int, kind: str, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> Op:
    return Op(index=index, type=kind, version=1, inputs=inputs, outputs=outputs)


def _convolution(dtype: str, filters: tuple[int, ...]) -> Graph:
    tensors = {
        0: ((1, 8, 8, filters[3]), dtype, False),
        1: (filters, dtype, True),
        2: ((1, 8, 8, filters[0]), dtype, False),
    }
    return _graph(_op(0, "CONV_2D", (0, 1), (2,)), tensors=tensors)


@pytest.mark.parametrize(
    ("dtype", "filters", "expected"),
    [
        ("float32", (10, 1, 1, 4), {"pointwise.float": 64 * 16 * 4, "weights.float": 64}),
        ("int8", (10, 1, 1, 4), {"pointwise.int8": 64 * 16 * 8, "weights.int8": 128}),
        ("uint8", (16, 3, 3, 8), {"convolution.uint8": 64 * 16 * 72, "taps.uint8": 64 * 9}),
    ],
)
def test_convolutions_count_whole_blocks_of_channels(
    dtype: str, filters: tuple[int, ...], expected: dict[str, float]
) -> None:
    terms = op_terms(_convolution(dtype, filters), 0)
    assert expected.items() <= terms.items()
    assert terms["op"] == 1
    assert ("taps" in str(terms)) == (filters[1] > 1)


def test_an_activation_is_fused_into_the_op_before_it_only_if_nobody_else_reads_that() -> None:
    tensors = dict.fromkeys(range(5), ((1, 4), "float32", False)) | {5: ((4, 4), "float32", True)}
    dense = _op(0, "FULLY_CONNECTED", (0, 5), (1,))
    relu, add = _op(1, "RELU", (1,), (2,)), _op(2, "ADD", (1, 2), (3,))
    alone = _graph(dense, relu, tensors=tensors)
    shared = _graph(dense, relu, add, tensors=tensors)
    assert op_terms(alone, 1) == {"fused": 1.0}
    assert op_terms(shared, 1) == {"op": 1.0, "unary.float": 4.0}


def test_an_op_without_a_class_has_one_of_its_own() -> None:
    tensors = {0: ((1, 4), "float32", False), 1: ((1, 6), "float32", False)}
    graph = _graph(_op(0, "MIRROR_PAD", (0,), (1,)), tensors=tensors)
    assert op_terms(graph, 0) == {"op": 1.0, "scalar.MIRROR_PAD": 10.0}


def test_every_class_has_terms_and_every_term_a_typical_price() -> None:
    for kind in CLASS_OF:
        tensors = {
            0: ((1, 4, 4, 8), "float32", False),
            1: ((8, 3, 3, 8), "float32", True),
            2: ((1, 4, 4, 8), "float32", False),
        }
        terms = op_terms(_graph(_op(0, kind, (0, 1), (2,)), tensors=tensors), 0)
        assert terms
        assert not any("scalar" in term for term in terms)
        assert all(typical_us(term) > 0 for term in terms)
    assert typical_us("never heard of") == typical_us("scalar.ARG_MAX")


def test_a_subgraph_is_its_ops_one_dispatch_and_its_boundary() -> None:
    graph = models.residual().graph
    terms = GraphTerms(graph)
    inputs, outputs = boundary(graph, graph.compute_ops)
    assert (inputs, outputs) == (tuple(sorted(graph.inputs)), tuple(sorted(graph.outputs)))
    part = terms.part(graph.compute_ops)
    assert part["dispatch"] == 1
    assert part["input_bytes"] == sum(graph.tensors[t].byte_size or 0 for t in inputs)
    assert part["op"] == sum(counts.get("op", 0) for counts in terms.ops.values())


def test_weight_ops_are_free() -> None:
    graph = models.half_weights().graph
    assert graph.weight_ops
    terms = GraphTerms(graph)
    assert terms.part(range(len(graph.ops))) == terms.part(graph.compute_ops)
