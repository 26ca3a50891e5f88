"""A file's shapes are believed where they can be right, and dropped where they may not be."""

import pytest

from band.model.builder import GraphBuilder
from band.model.graph import missing_shapes
from band.model.model import Model
from band.testing.open_models import OPEN, open_batch


def one_op(kind: str, shape: tuple[int, ...], signature: tuple[int, ...], **options: int) -> Model:
    """Return a model of one op whose input leaves the batch open."""
    b = GraphBuilder("one_op")
    x = b.input("x", (-1, *shape[1:]))
    out = b.tensor("out", signature)
    more = (b.integers(shape, "operand"),) if kind in {"RESHAPE", "TILE"} else ()
    b.op(kind, (x, *more), (out,), **options)
    return b.build(out)


def test_an_open_batch_is_believed_through_a_whole_net() -> None:
    assert missing_shapes(open_batch().graph) == ()


@pytest.mark.parametrize("kind", ["RELU", "TANH", "SOFTMAX"])
def test_ops_that_keep_the_batch_are_believed(kind: str) -> None:
    assert missing_shapes(one_op(kind, (1, 8), (-1, 8)).graph) == ()


def test_a_dimension_that_is_open_besides_the_batch_is_not_believed() -> None:
    assert missing_shapes(one_op("RELU", (1, 8), (-1, -1)).graph)
    assert missing_shapes(one_op("TILE", (1, 8), (-1, 8)).graph)


def test_a_reshape_is_believed_if_it_has_as_many_values() -> None:
    assert missing_shapes(one_op("RESHAPE", (1, 8), (-1, 8)).graph) == ()
    # The converter wrote 1 where the batch became 2 rows of it.
    assert missing_shapes(one_op("RESHAPE", (1, 8), (-1, 4)).graph)


def test_an_open_vector_is_no_batch() -> None:
    b = GraphBuilder("m")
    x = b.input("samples", (-1,))
    out = b.tensor("out", (-1,))
    b.op("TANH", (x,), (out,))
    assert missing_shapes(b.build(out).graph) == (out,)


def test_a_shape_set_by_a_computed_value_is_not_believed_even_without_a_signature() -> None:
    b = GraphBuilder("m")
    x, shape = b.input("x", (1, 9)), b.input("shape", (2,), "int32")
    out = b.tensor("out", (3, 3))
    b.op("RESHAPE", (x, shape), (out,))
    assert missing_shapes(b.build(out).graph) == (out,)


def test_a_shape_that_the_file_claims_behind_it_is_believed() -> None:
    graph = OPEN["positions"]().graph
    named = {graph.tensors[t].name for t in missing_shapes(graph)}
    assert named == {"found", "real"}
