"""Checks tensors: sizes that can be allocated, data that fits them, quantisation that is sound."""

from math import inf, prod
from typing import Any, Final

import numpy as np

from band.errors import BandError
from band.model.tflite_verify_facts import FileFacts, SubgraphFacts, TensorFacts
from band.model.tflite_verify_limits import invalid, too_large
from band.model.tflite_verify_sparsity import check_sparsity
from band.model.tflite_verify_structure import Span
from band.units import format_bytes

# Zero points that the type can hold; kernels add them in the type's own width.
_ZERO_POINTS: Final = {
    "int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767), "uint16": (0, 65535),
    "int4": (-8, 7), "uint4": (0, 15), "int2": (-2, 1),
}  # fmt: skip
_SMALLEST_SCALE: Final = 2.0**-126
_HANDLES: Final = frozenset({"resource", "variant"})


def check_tensors(facts: FileFacts) -> None:
    """Check all tensors.

    Raises:
        BandError: INVALID_MODEL if one is broken; UNSUPPORTED_FEATURE if one, or all activations
            together, are larger than the limits.
    """
    activation_bytes = 0
    for subgraph in facts.subgraphs:
        for tensor in subgraph.tensors:
            count = _elements(tensor, subgraph, facts)
            if tensor.constant:
                _check_data(tensor, count, subgraph, facts)
            else:
                activation_bytes += -(-count * max(tensor.bits, 8) // 8)
            if tensor.quantization is not None:
                _check_quantization(tensor, subgraph, facts)
    if activation_bytes > facts.limits.activation_bytes:
        raise too_large(
            facts.where,
            f"its activations take {format_bytes(activation_bytes)}, and "
            f"{format_bytes(facts.limits.activation_bytes)} are allowed",
        )


def _elements(tensor: TensorFacts, subgraph: SubgraphFacts, facts: FileFacts) -> int:
    """Return the number of values; dimensions of 0 do not hide that others overflow."""
    count, widest = 1, 1
    for dim in tensor.shape:
        if dim < 0:
            raise _broken(tensor, subgraph, facts, f"has the shape {list(tensor.shape)}")
        count *= dim
        widest *= max(dim, 1)
    if widest > facts.limits.elements:
        raise too_large(
            facts.where,
            f"tensor {tensor.number} in subgraph {subgraph.number} has the shape "
            f"{list(tensor.shape)}",
        )
    return count


def _check_data(tensor: TensorFacts, count: int, subgraph: SubgraphFacts, facts: FileFacts) -> None:
    """Check that a constant has as many bytes as its shape needs."""
    if tensor.dtype in _HANDLES:
        raise _broken(tensor, subgraph, facts, "is a handle and has constant data")
    if tensor.sparsity is not None:
        problem = check_sparsity(tensor, facts)
        if problem is not None:
            raise _broken(tensor, subgraph, facts, problem)
    elif tensor.dtype == "string":
        _check_strings(tensor, count, subgraph, facts)
    else:
        needed = -(-count * tensor.bits // 8)
        # Types below a byte are packed by some writers and not by others.
        if tensor.data.length != needed and not (tensor.bits < 8 and tensor.data.length == count):
            raise invalid(
                facts.where,
                f"is damaged: constant tensor {tensor.number} has {tensor.data.length} bytes, "
                f"its shape needs {needed}",
            )


def _check_strings(
    tensor: TensorFacts, count: int, subgraph: SubgraphFacts, facts: FileFacts
) -> None:
    """Check a string constant: a count, the offset of each string and of the end, the bytes."""
    length = tensor.data.length
    problem = f"holds strings that do not fit its {length} bytes"
    if length == 0:
        return
    if length < 4:
        raise _broken(tensor, subgraph, facts, problem)
    stored = facts.numbers(Span(tensor.data.start, 1), "i")[0]
    if stored != count or 4 + 4 * (count + 1) > length:
        raise _broken(tensor, subgraph, facts, problem)
    offsets = facts.array(Span(tensor.data.start + 4, count + 1), "<i4")
    if (
        int(offsets[0]) != 4 + 4 * (count + 1)
        or int(offsets[-1]) > length
        or bool((np.diff(offsets.astype(np.int64)) < 0).any())
    ):
        raise _broken(tensor, subgraph, facts, problem)


def _check_quantization(tensor: TensorFacts, subgraph: SubgraphFacts, facts: FileFacts) -> None:
    """Check scales and zero points: as many as there are channels, and numbers to compute with."""
    table = tensor.quantization
    if type(table.details).__name__ == "BlockwiseQuantization":
        problem = _check_blocks(tensor, table.details, subgraph)
        if problem is not None:
            raise _broken(tensor, subgraph, facts, problem)
    scales, zero_points = table.scale.length, table.zero_point.length
    if scales == 0:
        return
    if scales != zero_points:
        raise _broken(tensor, subgraph, facts, f"has {scales} scales, {zero_points} zero points")
    axis, shape = table.quantized_dimension, tensor.shape
    if axis < 0 or (shape and axis >= len(shape)):
        raise _broken(tensor, subgraph, facts, f"is quantised along dimension {axis}")
    if scales > 1 and (not shape or scales != shape[axis]):
        raise _broken(tensor, subgraph, facts, f"of shape {list(shape)} has {scales} scales")
    low, high = _bounds(table.scale, "f", facts)
    # The delegates read a subnormal scale as an error that they do not survive.
    if not _SMALLEST_SCALE <= low <= high < inf:
        raise _broken(tensor, subgraph, facts, "has a scale that is no normal positive number")
    if tensor.dtype in _ZERO_POINTS:
        low, high = _bounds(table.zero_point, "q", facts)
        least, most = _ZERO_POINTS[tensor.dtype]
        if low < least or high > most:
            raise _broken(
                tensor, subgraph, facts, f"has a zero point that no {tensor.dtype} can hold"
            )


def _check_blocks(tensor: TensorFacts, blocks: Any, subgraph: SubgraphFacts) -> str | None:
    """Check block-wise scales: a float16 constant, one value for each block of the last axis."""
    for t in (blocks.scales, blocks.zero_points):
        if not -1 <= t < len(subgraph.tensors):
            return f"takes its scales from tensor {t}"
    size = blocks.block_size
    if size < 1 or not tensor.shape or tensor.shape[-1] % size:
        return f"of shape {list(tensor.shape)} has blocks of {size}"
    scales = subgraph.tensors[blocks.scales]
    # XNNPACK reads the scales as float16 without a look at their type or number.
    if (
        blocks.scales < 0
        or not scales.constant
        or scales.dtype != "float16"
        or prod(scales.shape) * size != prod(tensor.shape)
    ):
        return f"takes scales from tensor {blocks.scales}, which does not hold them"
    return None


def _bounds(span: Span, code: str, facts: FileFacts) -> tuple[float, float]:
    """Return the least and the greatest value of a vector; nan if one is nan."""
    if span.length == 1:
        only = facts.numbers(span, code)[0]
        return only, only
    values = facts.array(span, "<f4" if code == "f" else "<i8")
    return values.min().item(), values.max().item()


def _broken(
    tensor: TensorFacts, subgraph: SubgraphFacts, facts: FileFacts, problem: str
) -> BandError:
    return invalid(
        facts.where,
        f"is damaged: tensor {tensor.number} in subgraph {subgraph.number} {problem}",
        tensor=tensor.number,
    )
