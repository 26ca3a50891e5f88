"""Writes new .tflite models from Python, without TensorFlow.

    b = GraphBuilder("tiny", seed=7)
    x = b.input("image", (1, 32, 32, 3))
    x = b.conv2d(x, 8, stride=2, activation="RELU6")
    model = b.build(b.softmax(b.fully_connected(b.mean(x), 10)))

Weights are random and seeded; the same calls give the same bytes. A layer on an int8 tensor is an
int8 layer: symmetric weights, one scale per channel.
"""

from collections.abc import Sequence
from math import prod
from typing import Literal

from band.model.graph import Quantization
from band.model.layers import ACTIVATIONS, PROBABILITIES, LayerDraft
from band.model.model import Model
from band.model.shape_rules import broadcast, concatenated, padded, reshaped, window
from band.model.tflite_encode import encode
from band.model.tflite_reader import read_model

Padding = Literal["SAME", "VALID"]


class GraphBuilder(LayerDraft):
    """Builds one model layer by layer.

    Layers take and return tensor ids. Images are [batch, height, width, channels]. Ops without a
    layer of their own are added with ``layer`` (one output) or ``op``; subgraphs that IF, WHILE
    or CALL_ONCE call with ``branch``.

    Args:
        name: of the model.
        seed: of the weights.
        weights: how float layers store theirs; float16 ones go through DEQUANTIZE ops, as in
            the files of MediaPipe.
    """

    def __init__(
        self, name: str, *, seed: int = 0, weights: Literal["float32", "float16"] = "float32"
    ) -> None:
        super().__init__(name, seed=seed, stored=weights)

    def build(self, *outputs: int) -> Model:
        """Write the file and read it back.

        Args:
            outputs: tensor ids of the model's outputs, in their order.

        Raises:
            BandError: INVALID_MODEL if what was built is no valid model.
        """
        self.outputs = list(outputs)
        return read_model(encode([self, *self.branches]), name=self.name)

    def conv2d(
        self,
        x: int,
        filters: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        padding: Padding = "SAME",
        activation: str = "NONE",
    ) -> int:
        """Add a convolution with random weights and bias."""
        batch, height, width, channels = self.image(x, "CONV_2D")
        weights = self._random.he((filters, kernel, kernel, channels), kernel * kernel * channels)
        return self.layer(
            "CONV_2D",
            (x, *self.parameters(x, weights, 0, per_channel=True)),
            (batch, *_window((height, width), kernel, stride, padding), filters),
            padding=padding,
            stride_h=stride,
            stride_w=stride,
            fused_activation_function=activation,
        )

    def depthwise_conv2d(
        self,
        x: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        padding: Padding = "SAME",
        activation: str = "NONE",
    ) -> int:
        """Add a depthwise convolution (multiplier 1) with random weights and bias."""
        batch, height, width, channels = self.image(x, "DEPTHWISE_CONV_2D")
        weights = self._random.he((1, kernel, kernel, channels), kernel * kernel)
        return self.layer(
            "DEPTHWISE_CONV_2D",
            (x, *self.parameters(x, weights, 3, per_channel=True)),
            (batch, *_window((height, width), kernel, stride, padding), channels),
            padding=padding,
            stride_h=stride,
            stride_w=stride,
            depth_multiplier=1,
            fused_activation_function=activation,
        )

    def transpose_conv2d(self, x: int, filters: int, kernel: int = 2, *, stride: int = 2) -> int:
        """Add a transpose convolution (SAME padding) that enlarges an image ``stride`` times."""
        batch, height, width, channels = self.image(x, "TRANSPOSE_CONV")
        fan_in = max(1, kernel * kernel * channels // (stride * stride))
        weights = self._random.he((filters, kernel, kernel, channels), fan_in)
        shape = (batch, height * stride, width * stride, filters)
        filter_id, bias = self.parameters(x, weights, 0, per_channel=True)
        return self.layer(
            "TRANSPOSE_CONV",
            (self.integers(shape, "output_shape"), filter_id, x, bias),
            shape,
            like=x,
            version=3,
            padding="SAME",
            stride_h=stride,
            stride_w=stride,
        )

    def fully_connected(self, x: int, units: int, *, activation: str = "NONE") -> int:
        """Add a dense layer over all values of each batch entry."""
        batch, features = self.shape(x)[0], prod(self.shape(x)[1:])
        weights = self._random.he((units, features), features)
        return self.layer(
            "FULLY_CONNECTED",
            (x, *self.parameters(x, weights, 0, per_channel=False)),
            (batch, units),
            fused_activation_function=activation,
        )

    def max_pool(
        self, x: int, size: int = 2, *, stride: int = 2, padding: Padding = "VALID"
    ) -> int:
        """Add a max pool."""
        return self._pool("MAX_POOL_2D", x, size, stride, padding)

    def average_pool(
        self, x: int, size: int = 2, *, stride: int = 2, padding: Padding = "VALID"
    ) -> int:
        """Add an average pool."""
        return self._pool("AVERAGE_POOL_2D", x, size, stride, padding)

    def add(self, a: int, b: int, *, activation: str = "NONE") -> int:
        """Add a sum with broadcasting."""
        shape = broadcast(self.shape(a), self.shape(b), self.name)
        return self.layer("ADD", (a, b), shape, fused_activation_function=activation)

    def mul(self, a: int, b: int, *, activation: str = "NONE") -> int:
        """Add a product with broadcasting."""
        shape = broadcast(self.shape(a), self.shape(b), self.name)
        return self.layer("MUL", (a, b), shape, fused_activation_function=activation)

    def concat(self, tensors: Sequence[int], axis: int = -1) -> int:
        """Add a concatenation; int8 tensors must have one scale."""
        if len({self.scale_of(t) for t in tensors}) > 1:
            raise self.invalid("concatenates int8 tensors of different scales")
        shape, axis = concatenated([self.shape(t) for t in tensors], axis, self.name)
        return self.layer(
            "CONCATENATION",
            tuple(tensors),
            shape,
            scale=self.scale_of(tensors[0]),
            axis=axis,
            fused_activation_function="NONE",
        )

    def reshape(self, x: int, shape: Sequence[int]) -> int:
        """Add a reshape; one dimension may be -1."""
        full = reshaped(self.shape(x), tuple(shape), self.name)
        target = self.integers(full, "new_shape")
        return self.layer("RESHAPE", (x, target), full, scale=self.scale_of(x), new_shape=full)

    def resize_bilinear(self, x: int, height: int, width: int) -> int:
        """Add a bilinear resize."""
        batch, _, _, channels = self.image(x, "RESIZE_BILINEAR")
        size = self.integers((height, width), "size")
        shape = (batch, height, width, channels)
        return self.layer("RESIZE_BILINEAR", (x, size), shape, scale=self.scale_of(x))

    def pad(self, x: int, amounts: Sequence[tuple[int, int]]) -> int:
        """Add zeros before and after each dimension."""
        shape = padded(self.shape(x), amounts, self.name)
        return self.layer(
            "PAD", (x, self.integers(tuple(amounts), "paddings")), shape, scale=self.scale_of(x)
        )

    def mean(self, x: int, *, keep_dims: bool = False) -> int:
        """Add the mean over height and width."""
        batch, _, _, channels = self.image(x, "MEAN")
        shape = (batch, 1, 1, channels) if keep_dims else (batch, channels)
        axes = self.integers((1, 2), "axes")
        return self.layer("MEAN", (x, axes), shape, scale=self.scale_of(x), keep_dims=keep_dims)

    def softmax(self, x: int) -> int:
        """Add a softmax over the last dimension."""
        return self.layer("SOFTMAX", (x,), self.shape(x), scale=PROBABILITIES, beta=1.0)

    def logistic(self, x: int) -> int:
        """Add a sigmoid."""
        return self.layer("LOGISTIC", (x,), self.shape(x), scale=PROBABILITIES)

    def activation(self, x: int, kind: str = "RELU") -> int:
        """Add an activation that has no parameters: RELU, RELU6, HARD_SWISH, ..."""
        return self.layer(kind, (x,), self.shape(x), scale=self.scale_of(x))

    def prelu(self, x: int) -> int:
        """Add a PRELU with one random slope per channel; for float tensors."""
        slopes = self._random.uniform((1, 1, self.shape(x)[-1]), 0.25)
        return self.layer("PRELU", (x, self.float_constant(slopes, "slopes")), self.shape(x))

    def quantize(self, x: int, scale: Quantization = ACTIVATIONS, *, dtype: str = "int8") -> int:
        """Add a conversion to int8, or to another integer type."""
        out = self.tensor(self.unique("quantize"), self.shape(x), dtype, quantization=scale)
        self.op("QUANTIZE", (x,), (out,))
        return out

    def dequantize(self, x: int) -> int:
        """Add a conversion from a quantised type to float32."""
        out = self.tensor(self.unique("dequantize"), self.shape(x))
        self.op("DEQUANTIZE", (x,), (out,), version=2)
        return out

    def _pool(self, kind: str, x: int, size: int, stride: int, padding: Padding) -> int:
        batch, height, width, channels = self.image(x, kind)
        return self.layer(
            kind,
            (x,),
            (batch, *_window((height, width), size, stride, padding), channels),
            scale=self.scale_of(x),
            padding=padding,
            stride_h=stride,
            stride_w=stride,
            filter_height=size,
            filter_width=size,
            fused_activation_function="NONE",
        )


def _window(size: tuple[int, int], kernel: int, stride: int, padding: str) -> tuple[int, int]:
    return window(size[0], kernel, stride, padding), window(size[1], kernel, stride, padding)
