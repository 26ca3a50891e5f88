"""Checks the index structure of a sparse constant: DENSIFY follows it without looking.

Format: docs of tensorflow/lite/schema, ``SparsityParameters``: dimensions in traversal order, then
block dimensions; a dense one has a size, a compressed (CSR) one segments and indices.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from band.model.tflite_verify_facts import FileFacts, TensorFacts
from band.model.tflite_verify_structure import Span

_DENSE: Final = 0
_CSR: Final = 1
_ELEMENTS: Final = {"Int32Vector": "<i4", "Uint16Vector": "<u2", "Uint8Vector": "u1"}


def check_sparsity(tensor: TensorFacts, facts: FileFacts) -> str | None:
    """Return what is wrong with a sparse constant, None if nothing is."""
    table = tensor.sparsity
    rank, blocks = len(tensor.shape), table.block_map.length
    levels = rank + blocks
    problem = "has a sparsity that does not fit its shape"
    if blocks > rank or table.traversal_order.length != levels or len(table.dim_metadata) != levels:
        return problem
    order = facts.numbers(table.traversal_order, "i")
    block_map = facts.numbers(table.block_map, "i") if blocks else ()
    if (
        sorted(order) != list(range(levels))
        or sorted(order[:rank]) != list(range(rank))
        or len(set(block_map)) != blocks
        or any(not 0 <= d < rank for d in block_map)
    ):
        return problem
    sizes = _level_sizes(tensor.shape, order, block_map, table.dim_metadata)
    if sizes is None:
        return problem
    entries = 1
    for size, level in zip(sizes, table.dim_metadata, strict=True):
        below = _entries(entries, size, level, facts)
        if below is None:
            return "has sparse indices that point outside it"
        entries = below
    if entries * tensor.bits != tensor.data.length * 8:
        return "has another number of values than its sparsity says"
    return None


def _level_sizes(
    shape: Sequence[int], order: Sequence[int], block_map: Sequence[int], levels: Sequence[Any]
) -> list[int] | None:
    """Return how long each level is, None if the blocks do not divide the shape."""
    rank = len(shape)
    block_sizes = [1] * rank
    for dim, level in zip(order, levels, strict=True):
        if dim >= rank:
            if level.format != _DENSE or level.dense_size <= 0:
                return None
            block_sizes[block_map[dim - rank]] = level.dense_size
    if any(size % block for size, block in zip(shape, block_sizes, strict=True)):
        return None
    return [
        shape[dim] // block_sizes[dim] if dim < rank else block_sizes[block_map[dim - rank]]
        for dim in order
    ]


def _entries(above: int, size: int, level: Any, facts: FileFacts) -> int | None:
    """Return how many entries a level has under those above it, None if it is broken."""
    if level.format == _DENSE:
        return above * size if level.dense_size == size else None
    if level.format != _CSR:
        return None
    segments, indices = _vector(level.array_segments, facts), _vector(level.array_indices, facts)
    if (
        segments is None
        or indices is None
        or len(segments) != above + 1
        or int(segments[0]) != 0
        or int(segments[-1]) != len(indices)
        or bool((np.diff(segments) < 0).any())
        or (len(indices) and (int(indices.min()) < 0 or int(indices.max()) >= size))
    ):
        return None
    return len(indices)


def _vector(table: Any, facts: FileFacts) -> Any:
    if table is None:
        return None
    return facts.array(Span(*table[0]), _ELEMENTS[type(table).__name__]).astype(np.int64)
