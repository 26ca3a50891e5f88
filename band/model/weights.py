"""Random weights that are the same bytes on every machine and with every numpy."""

from math import prod, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from band.model.graph import Quantization

_FRACTION_BITS = 24


class SeededWeights:
    """A source of uniform float32 weights.

    Takes raw bits of PCG64, whose stream numpy guarantees; the methods of ``Generator`` may change
    between versions.

    Args:
        seed: same seed, same weights.
    """

    def __init__(self, seed: int) -> None:
        self._bits = np.random.PCG64(seed)

    def uniform(self, shape: tuple[int, ...], limit: float) -> npt.NDArray[np.float32]:
        """Return values in [-limit, limit)."""
        count = prod(shape)
        raw = self._bits.random_raw((count + 1) // 2).view(np.uint32)[:count]
        unit = (raw >> np.uint32(32 - _FRACTION_BITS)).astype(np.float32)
        unit *= np.float32(2.0 ** (1 - _FRACTION_BITS))
        unit -= np.float32(1)
        unit *= np.float32(limit)
        return unit.reshape(shape)

    def he(self, shape: tuple[int, ...], fan_in: int) -> npt.NDArray[np.float32]:
        """Return weights that keep the variance of activations through a ReLU (He et al., 2015)."""
        return self.uniform(shape, sqrt(6.0 / fan_in))


def quantize_weights(
    weights: npt.NDArray[np.float32], axis: int | None
) -> tuple[npt.NDArray[np.int8], Quantization]:
    """Return symmetric int8 weights with one scale per index of an axis, or one for all."""
    others = None if axis is None else tuple(d for d in range(weights.ndim) if d != axis)
    largest = np.abs(weights).max(axis=others, keepdims=True)
    scales = np.maximum(largest, np.float32(1e-8)) / np.float32(127)
    stored = np.clip(np.rint(weights / scales), -127, 127).astype(np.int8)
    flat = scales.reshape(-1)
    return stored, Quantization(
        scales=tuple(float(s) for s in flat),
        zero_points=(0,) * len(flat),
        axis=0 if axis is None else axis,
    )


def quantize_bias(
    bias: npt.NDArray[np.float32], input_scale: float, weights: Quantization
) -> tuple[npt.NDArray[np.int32], Quantization]:
    """Return an int32 bias in the scale of the accumulator (input scale times weight scale)."""
    scales = np.float32(input_scale) * np.array(weights.scales, dtype=np.float32)
    stored: npt.NDArray[Any] = np.rint(bias / scales).astype(np.int32)
    return stored, Quantization(
        scales=tuple(float(s) for s in scales), zero_points=(0,) * len(scales), axis=0
    )
