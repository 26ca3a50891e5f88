"""Image classifiers: SqueezeNet 1.1 and MobileNetV2."""

from typing import Final

from band.model.builder import GraphBuilder
from band.model.model import Model

_CLASSES: Final = 1000


def squeezenet_1_1() -> Model:
    """Return SqueezeNet 1.1 (Iandola et al., 2016; the 1.1 variant of its authors), 227x227."""
    b = GraphBuilder("squeezenet_1_1", seed=11)
    x = b.input("image", (1, 227, 227, 3))
    x = b.conv2d(x, 64, stride=2, padding="VALID", activation="RELU")
    x = b.max_pool(x, 3)
    x = _fire(b, _fire(b, x, 16, 64), 16, 64)
    x = b.max_pool(x, 3)
    x = _fire(b, _fire(b, x, 32, 128), 32, 128)
    x = b.max_pool(x, 3)
    for squeeze, expand in ((48, 192), (48, 192), (64, 256), (64, 256)):
        x = _fire(b, x, squeeze, expand)
    x = b.conv2d(x, _CLASSES, 1, activation="RELU")
    x = b.average_pool(x, b.shape(x)[1], stride=1)
    return b.build(b.softmax(b.reshape(x, (1, _CLASSES))))


def mobilenet_v2() -> Model:
    """Return MobileNetV2, width 1.0, 224x224 (Sandler et al., 2018, table 2)."""
    b = GraphBuilder("mobilenet_v2", seed=12)
    x = b.input("image", (1, 224, 224, 3))
    x = b.conv2d(x, 32, stride=2, activation="RELU6")
    for expansion, channels, repeats, stride in (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ):
        for repeat in range(repeats):
            first = repeat == 0
            x = inverted_residual(b, x, channels, expansion, stride if first else 1)
    x = b.mean(b.conv2d(x, 1280, 1, activation="RELU6"))
    return b.build(b.softmax(b.fully_connected(x, _CLASSES)))


def inverted_residual(b: GraphBuilder, x: int, channels: int, expansion: int, stride: int) -> int:
    """Add an inverted residual block with a linear bottleneck (Sandler et al., 2018, section 3)."""
    came_in = b.shape(x)[3]
    y = b.conv2d(x, came_in * expansion, 1, activation="RELU6") if expansion > 1 else x
    y = b.conv2d(b.depthwise_conv2d(y, stride=stride, activation="RELU6"), channels, 1)
    return b.add(x, y) if stride == 1 and came_in == channels else y


def _fire(b: GraphBuilder, x: int, squeeze: int, expand: int) -> int:
    x = b.conv2d(x, squeeze, 1, activation="RELU")
    small = b.conv2d(x, expand, 1, activation="RELU")
    large = b.conv2d(x, expand, 3, activation="RELU")
    return b.concat([small, large])
