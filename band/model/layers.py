"""What every layer of the builder is made of: its weights, its output tensor, its op."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from band.errors import BandError, ErrorCode
from band.model.draft import Draft, Shape
from band.model.graph import OptionValue, Quantization
from band.model.weights import SeededWeights, quantize_bias, quantize_weights

# Random nets keep activations near unit variance: this scale covers six deviations.
ACTIVATIONS: Final = Quantization(scales=(0.05,), zero_points=(0,), axis=0)
# TFLite fixes the int8 output scale of softmax and logistic.
PROBABILITIES: Final = Quantization(scales=(1 / 256,), zero_points=(-128,), axis=0)
_BIAS_LIMIT: Final = 0.1
# Op versions that int8 needs; float layers are version 1 unless they say otherwise.
_INT8_VERSIONS: Final = {
    "CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 4, "TRANSPOSE_CONV": 3,
    "ADD": 2, "MUL": 2, "CONCATENATION": 2, "PAD": 2, "MEAN": 2, "SOFTMAX": 2, "LOGISTIC": 2,
    "RESIZE_BILINEAR": 2, "RELU": 2, "RELU6": 2, "MAX_POOL_2D": 2, "AVERAGE_POOL_2D": 2,
    "DEQUANTIZE": 2,
}  # fmt: skip
_FP16_DEQUANTIZE_VERSION: Final = 3


class LayerDraft(Draft):
    """A draft that knows how to add a layer.

    Args:
        name: of the model.
        seed: of the weights.
        stored: type in which float layers store their weights.
    """

    def __init__(self, name: str, *, seed: int, stored: str) -> None:
        super().__init__(name=name)
        self._random = SeededWeights(seed)
        self._stored = np.dtype(stored)

    def shape(self, tensor: int) -> Shape:
        """Return the shape of a tensor."""
        return self.spec(tensor).shape

    def scale_of(self, tensor: int) -> Quantization | None:
        """Return the quantisation of a tensor, None for a float one."""
        return self.spec(tensor).quantization

    def layer(
        self,
        kind: str,
        inputs: Sequence[int],
        shape: Sequence[int],
        *,
        like: int | None = None,
        scale: Quantization | None = ACTIVATIONS,
        version: int | None = None,
        **options: OptionValue,
    ) -> int:
        """Add an op with one output and return that tensor.

        Args:
            kind: op type.
            inputs: tensor ids.
            shape: of the output.
            like: tensor whose type the output has; the first input if None.
            scale: of the output if it is quantised.
            version: of the op; the one that its type needs if None.
            options: builtin options in snake_case.
        """
        source = inputs[0] if like is None else like
        dtype = self.spec(source).dtype
        quantized = dtype == "int8" or (dtype == "int16" and self.scale_of(source) is not None)
        out = self.tensor(
            self.unique(kind.lower()), shape, dtype, quantization=scale if quantized else None
        )
        if version is None:
            version = _INT8_VERSIONS.get(kind, 1) if quantized else 1
        self.op(kind, inputs, (out,), version=version, **options)
        return out

    def parameters(
        self, x: int, weights: npt.NDArray[np.float32], channel_axis: int, *, per_channel: bool
    ) -> tuple[int, int]:
        """Add weights and a random bias in the type that a layer on ``x`` needs.

        Args:
            x: the data that the layer works on.
            weights: real values.
            channel_axis: dimension of the output channels.
            per_channel: quantise with one scale per output channel.

        Returns:
            Tensor ids of weights and bias.
        """
        bias = self._random.uniform((weights.shape[channel_axis],), _BIAS_LIMIT)
        scale = self.scale_of(x)
        if scale is None:
            return self.float_constant(weights, "weights"), self.float_constant(bias, "bias")
        stored, weight_scale = quantize_weights(weights, channel_axis if per_channel else None)
        stored_bias, bias_scale = quantize_bias(bias, scale.scales[0], weight_scale)
        return (
            self.constant(self.unique("weights"), stored, weight_scale),
            self.constant(self.unique("bias"), stored_bias, bias_scale),
        )

    def float_constant(self, values: npt.NDArray[np.float32], what: str) -> int:
        """Add a float constant, behind a DEQUANTIZE if weights are stored as float16."""
        if self._stored == np.float32:
            return self.constant(self.unique(what), values)
        half = self.constant(self.unique(f"{what}_half"), values.astype(self._stored))
        out = self.tensor(self.unique(what), values.shape)
        self.op("DEQUANTIZE", (half,), (out,), version=_FP16_DEQUANTIZE_VERSION)
        return out

    def integers(self, values: Sequence[int] | Sequence[Sequence[int]], what: str) -> int:
        """Add an int32 constant."""
        return self.constant(self.unique(what), np.array(values, dtype=np.int32))

    def image(self, x: int, kind: str) -> tuple[int, int, int, int]:
        """Return batch, height, width and channels of a tensor.

        Raises:
            BandError: INVALID_MODEL if it is no image.
        """
        shape = self.shape(x)
        if len(shape) != 4:
            raise self.invalid(f"gives {kind} a tensor of shape {shape}, which is no image")
        return shape[0], shape[1], shape[2], shape[3]

    def unique(self, prefix: str) -> str:
        """Return a tensor name that no other tensor has."""
        return f"{prefix}_{len(self.tensors)}"

    def invalid(self, problem: str) -> BandError:
        """Return the error of a net that cannot be built."""
        return BandError(ErrorCode.INVALID_MODEL, f"model {self.name!r} {problem}", model=self.name)
