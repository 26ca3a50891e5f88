"""Small models whose shapes are not all in the file: left open, left out, or set by a run."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from band.model.builder import GraphBuilder
from band.model.model import Model
from band.testing.edge_models import edited
from band.testing.models import IMAGE
from band.testing.state_models import FRAME, running_sum


def open_batch() -> Model:
    """Return a chain with an open batch, as Keras writes it: every shape can be believed."""
    b = GraphBuilder("open_batch", seed=50)
    x = b.conv2d(b.input("image", IMAGE), 4, activation="RELU")
    x = b.activation(b.fully_connected(b.mean(x), 4), "TANH")
    return edited(b, (x,), _open_first_dimension)


def open_image() -> Model:
    """Return CONV, RELU, MEAN, SOFTMAX for images of any size: 1 x 1 in the file."""
    b = GraphBuilder("open_image", seed=51)
    x = b.activation(b.conv2d(b.input("image", (1, 1, 1, 3)), 8, stride=2), "HARD_SWISH")
    x = b.softmax(b.mean(x))

    def leave_open(tree: Any) -> None:
        for tensor in tree.subgraphs[0].tensors:
            if len(tensor.shape) == 4 and tensor.buffer == 0:
                tensor.shapeSignature = np.array([1, -1, -1, tensor.shape[3]], np.int32)

    return edited(b, (x,), leave_open)


def open_samples() -> Model:
    """Return a filter bank over [1, any] samples that needs at least 32 of them.

    The file says [1, 1], with which no runtime can prepare it.
    """
    b = GraphBuilder("open_samples", seed=52)
    x = b.input("samples", (1, -1))
    image = b.tensor("image", (1, -1, 1, 1))
    b.op("RESHAPE", (x, b.integers((1, -1, 1, 1), "to_image")), (image,))
    weights = b.float_constant(np.linspace(-1, 1, 128, dtype=np.float32).reshape(4, 32, 1, 1), "w")
    bias = b.float_constant(np.zeros(4, dtype=np.float32), "bias")
    frames = b.tensor("frames", (1, -1, 1, 4))
    b.op(
        "CONV_2D", (image, weights, bias), (frames,), padding="VALID", stride_h=16, stride_w=1,
        fused_activation_function="NONE",
    )  # fmt: skip
    loud = b.tensor("loud", (1, -1, 1, 4))
    b.op("TANH", (frames,), (loud,))
    return b.build(loud)


def no_shapes() -> Model:
    """Return CONV, RELU, MEAN, TANH with shapes on inputs and constants only."""
    b = GraphBuilder("no_shapes", seed=53)
    x = b.mean(b.activation(b.conv2d(b.input("image", IMAGE), 4)))
    x = b.activation(x, "TANH")

    def forget(tree: Any) -> None:
        main = tree.subgraphs[0]
        for op in main.operators:
            for tensor in op.outputs:
                main.tensors[tensor].shape, main.tensors[tensor].hasRank = None, False

    return edited(b, (x,), forget)


def shape_of_input() -> Model:
    """Return a RESHAPE by a shape that is cut out of the input's: fixed once the input is."""
    b = GraphBuilder("shape_of_input", seed=54)
    image = b.input("image", IMAGE)
    x = b.conv2d(image, 4)
    shape, batch = b.tensor("shape", (4,), "int32"), b.tensor("batch", (1,), "int32")
    b.op("SHAPE", (image,), (shape,), out_type=2)
    b.op("STRIDED_SLICE", (shape, *(b.integers((n,), "n") for n in (0, 1, 1))), (batch,))
    target = b.tensor("target", (2,), "int32")
    rest = b.integers((-1,), "rest")
    b.op("CONCATENATION", (batch, rest), (target,), axis=0, fused_activation_function="NONE")
    flat = b.tensor("flat", (-1, 1024))
    b.op("RESHAPE", (b.activation(x), target), (flat,))
    last = b.tensor("last", (-1, 1024))
    b.op("TANH", (flat,), (last,))
    return b.build(last)


def positions() -> Model:
    """Return CONV, RELU, then WHERE it is positive, CAST, MEAN of the positions, TANH.

    How many positions there are depends on the image; their mean has a fixed shape again.
    """
    b = GraphBuilder("positions", seed=55)
    x = b.activation(b.conv2d(b.input("image", IMAGE), 2), "HARD_SWISH")
    positive = b.tensor("positive", (1, 16, 16, 2), "bool")
    b.op("GREATER", (x, b.constant("zero", np.zeros(1, dtype=np.float32))), (positive,))
    found, real = b.tensor("found", (-1, 4), "int64"), b.tensor("real", (-1, 4))
    b.op("WHERE", (positive,), (found,))
    b.op("CAST", (found,), (real,))
    centre = b.tensor("centre", (4,))
    b.op("MEAN", (real, b.integers((0,), "axis")), (centre,), keep_dims=False)
    return b.build(b.activation(centre, "TANH"), x)


def positions_over_time() -> Model:
    """Return a running sum in a resource variable, WHERE it is positive, MEAN of the positions."""
    b = GraphBuilder("positions_over_time", seed=58)
    x = b.activation(b.input("frame", FRAME), "TANH")
    total = running_sum(b, "sum", x)
    positive, found = b.tensor("positive", FRAME, "bool"), b.tensor("found", (-1, 2), "int64")
    b.op("GREATER_EQUAL", (total, b.constant("zero", np.zeros(1, dtype=np.float32))), (positive,))
    b.op("WHERE", (positive,), (found,))
    real, centre = b.tensor("real", (-1, 2)), b.tensor("centre", (2,))
    b.op("CAST", (found,), (real,))
    b.op("MEAN", (real, b.integers((0,), "axis")), (centre,), keep_dims=False)
    return b.build(centre)


def found_boxes() -> Model:
    """Return NON_MAX_SUPPRESSION of boxes with a number of results that an input sets."""
    b = GraphBuilder("found_boxes", seed=56)
    boxes, scores = b.input("boxes", (6, 4)), b.input("scores", (6,))
    wanted = b.input("wanted", (), "int32")
    limits = [b.constant(f"limit_{n}", np.float32(n / 2)) for n in range(2)]
    kept, count = b.tensor("kept", (-1,), "int32"), b.tensor("count", (), "int32")
    b.op(
        "NON_MAX_SUPPRESSION_V4",
        (b.activation(boxes), b.activation(scores, "LOGISTIC"), wanted, limits[1], limits[0]),
        (kept, count),
    )  # fmt: skip
    numbers = b.tensor("numbers", (-1,))
    b.op("CAST", (kept,), (numbers,))
    return b.build(numbers, count)


def computed_reshape() -> Model:
    """Return a RESHAPE by a shape that the app gives, then RELU: the output's rank is not known."""
    b = GraphBuilder("computed_reshape", seed=57)
    x, shape = b.input("frame", (1, 9)), b.input("shape", (2,), "int32")
    x = b.activation(x, "TANH")
    ones = b.add(b.layer("MINIMUM", (shape, b.integers((0,), "none")), (2,)), b.integers((3,), "3"))
    reshaped, last = b.tensor("reshaped", (-1, -1)), b.tensor("last", (-1, -1))
    b.op("RESHAPE", (x, ones), (reshaped,))
    b.op("RELU", (reshaped,), (last,))
    return b.build(last)


def _open_first_dimension(tree: Any) -> None:
    main = tree.subgraphs[0]
    computed = {int(t) for op in main.operators for t in op.outputs}
    for tensor in {*computed, *(int(t) for t in main.inputs)}:
        shape = main.tensors[tensor].shape
        main.tensors[tensor].shapeSignature = np.array([-1, *shape[1:]], np.int32)


OPEN: Final[Mapping[str, Callable[[], Model]]] = MappingProxyType(
    {
        made.__name__: made
        for made in (
            open_batch, open_image, no_shapes, shape_of_input, positions, found_boxes,
            computed_reshape,
            positions_over_time,
        )
    }
)  # fmt: skip
"""All that run as the file says; ``open_samples`` needs another input shape."""
