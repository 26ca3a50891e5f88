"""Seeded values for tensors: what slices are tried and compared on when no app sends anything."""

from collections.abc import Iterable

import numpy as np

from band.errors import BandError, ErrorCode
from band.model.graph import Graph, Tensor
from band.runtime.backends.protocol import Array

_LARGEST_WIDE_INTEGER = 3


def seeded_values(graph: Graph, tensors: Iterable[int], *seed: int) -> dict[int, Array]:
    """Return values by tensor id, the same for the same seed.

    Floating point values lie in [-1, 1), complex ones in the square around 0, and integers of one
    byte cover their range. Wider integers are counters and indices: they are 0 to 3.

    Args:
        graph: the model.
        tensors: original tensor ids.
        seed: any number of non-negative integers.

    Raises:
        BandError: UNSUPPORTED_FEATURE for a tensor without a static shape, or of a type that numpy
            lacks (such as string).
    """
    random = np.random.default_rng(seed)
    return {t: _values(graph, graph.tensors[t], random) for t in tensors}


def _values(graph: Graph, tensor: Tensor, random: np.random.Generator) -> Array:
    shape = tensor.shape
    try:
        dtype = np.dtype(tensor.dtype)
    except TypeError:
        dtype = np.dtype(object)
    if shape is None or dtype.kind not in "fciub":
        what = "no static shape" if shape is None else f"the type {tensor.dtype}"
        raise BandError(
            ErrorCode.UNSUPPORTED_FEATURE,
            f"tensor {tensor.index} ({tensor.name!r}) of model {graph.name} has {what}, so no "
            "value can be made for it; convert the model with fixed shapes and numeric types",
            model=graph.name,
            tensor=tensor.index,
        )
    if dtype.kind == "f":
        return np.asarray(random.uniform(-1, 1, shape)).astype(dtype)
    if dtype.kind == "c":
        parts = random.uniform(-1, 1, (2, *shape))
        return np.asarray(parts[0] + 1j * parts[1]).astype(dtype)
    if dtype.kind == "b":
        return np.asarray(random.integers(0, 2, shape)).astype(dtype)
    limits = np.iinfo(dtype)
    low, high = (limits.min, limits.max) if dtype.itemsize == 1 else (0, _LARGEST_WIDE_INTEGER)
    return np.asarray(random.integers(low, high, shape, endpoint=True)).astype(dtype)
