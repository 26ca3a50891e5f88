"""Seeded values: the same for the same seed, over the range that a type is used in."""

import numpy as np
import pytest

from band.errors import BandError, ErrorCode
from band.model.graph import Graph, Tensor
from band.runtime.seeded import seeded_values

DTYPES = ("float32", "float16", "float64", "complex64", "int8", "uint8", "int32", "uint64", "bool")


def graph_of(*dtypes: str, shape: tuple[int, ...] | None = (50, 40)) -> Graph:
    tensors = [Tensor(index=i, name=d, shape=shape, dtype=d) for i, d in enumerate(dtypes)]
    inputs = range(len(dtypes))
    return Graph.build(name="m", sha256="", tensors=tensors, ops=(), inputs=inputs, outputs=())


def test_values_have_the_shape_and_type_of_their_tensor() -> None:
    graph = graph_of(*DTYPES)
    for tensor, value in seeded_values(graph, graph.inputs, 7).items():
        assert value.dtype == np.dtype(DTYPES[tensor])
        assert value.shape == (50, 40)
        assert len(np.unique(value)) > 1


def test_the_seed_alone_decides() -> None:
    graph = graph_of("float32")
    (a,), (b,), (c,) = (seeded_values(graph, (0,), *s).values() for s in ((1, 2), (1, 2), (1, 3)))
    assert a.tobytes() == b.tobytes() != c.tobytes()


def test_bytes_cover_their_range_and_wide_integers_stay_small() -> None:
    graph = graph_of("int8", "uint8", "int32")
    small, byte, wide = seeded_values(graph, graph.inputs, 0).values()
    assert (small.min(), small.max()) == (-128, 127)
    assert (byte.min(), byte.max()) == (0, 255)
    assert (wide.min(), wide.max()) == (0, 3)


@pytest.mark.parametrize(("dtype", "shape"), [("string", (1,)), ("int4", (8,)), ("int8", None)])
def test_what_has_no_values_is_refused_by_name(dtype: str, shape: tuple[int, ...] | None) -> None:
    with pytest.raises(BandError, match=f"tensor 0 \\('{dtype}'\\)") as caught:
        seeded_values(graph_of(dtype, shape=shape), (0,), 0)
    assert caught.value.code is ErrorCode.UNSUPPORTED_FEATURE
