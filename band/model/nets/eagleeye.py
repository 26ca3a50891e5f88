"""Stand-ins for the nets of EagleEye, the workload that Band was made for.

Faces in a crowd are found by a detector, tiny ones are enlarged by an identity clarification net
(ICN), all are recognised by a light or a heavy ArcFace net. No file of these nets with a clear
licence is known, so shapes and kinds of ops follow the originals and the weights are random.
"""

from band.model.builder import GraphBuilder
from band.model.model import Model
from band.model.nets.classifiers import inverted_residual


def eagleeye_detector() -> Model:
    """Return a RetinaFace-like detector, 160x160, three levels of two anchors: 1050 candidates.

    Outputs: scores [1, 1050, 2], boxes [1, 1050, 4], landmarks [1, 1050, 10].
    """
    b = GraphBuilder("eagleeye_detector", seed=21)
    x = b.conv2d(b.input("image", (1, 160, 160, 3)), 16, stride=2, activation="RELU6")
    levels = []
    for channels, repeats, stride in ((16, 1, 2), (24, 2, 2), (48, 3, 2), (96, 2, 2)):
        for repeat in range(repeats):
            x = inverted_residual(b, x, channels, 4, stride if repeat == 0 else 1)
        levels.append(x)
    above = None
    features: list[int] = []
    for level in reversed(levels[1:]):
        y = b.conv2d(level, 64, 1, activation="RELU")
        if above is not None:
            _, height, width, _ = b.shape(y)
            y = b.conv2d(b.add(y, b.resize_bilinear(above, height, width)), 64, activation="RELU")
        features.insert(0, y)
        above = y
    heads = [
        b.concat([b.reshape(b.conv2d(f, 2 * size, 1), (1, -1, size)) for f in features], axis=1)
        for size in (2, 4, 10)
    ]
    scores, boxes, landmarks = heads
    return b.build(b.softmax(scores), boxes, landmarks)


def eagleeye_icn() -> Model:
    """Return an ICN-like generator: residual blocks on 14x14, then three times twice the size."""
    b = GraphBuilder("eagleeye_icn", seed=22)
    first = b.conv2d(b.input("face", (1, 14, 14, 3)), 64, activation="RELU")
    x = first
    for _ in range(12):
        x = b.add(x, b.conv2d(b.conv2d(x, 64, activation="RELU"), 64))
    x = b.add(b.conv2d(x, 64), first)
    for channels in (48, 32, 24):
        x = b.activation(b.transpose_conv2d(x, channels))
        x = b.add(x, b.conv2d(x, channels, activation="RELU"))
    return b.build(b.conv2d(x, 3))


def eagleeye_arc_mobile() -> Model:
    """Return a MobileFaceNet-like embedding net (Chen et al., 2018), 112x112 to 128 values."""
    b = GraphBuilder("eagleeye_arc_mobile", seed=23)
    x = b.prelu(b.conv2d(b.input("face", (1, 112, 112, 3)), 64, stride=2))
    x = b.prelu(b.depthwise_conv2d(x))
    for expansion, channels, repeats, stride in (
        (2, 64, 5, 2),
        (4, 128, 1, 2),
        (2, 128, 6, 1),
        (4, 128, 1, 2),
        (2, 128, 2, 1),
    ):
        for repeat in range(repeats):
            x = _bottleneck(b, x, channels, expansion, stride if repeat == 0 else 1)
    x = b.prelu(b.conv2d(x, 512, 1))
    x = b.depthwise_conv2d(x, b.shape(x)[1], padding="VALID")
    return b.build(b.reshape(b.conv2d(x, 128, 1), (1, 128)))


def eagleeye_arc_resnet() -> Model:
    """Return an ArcFace-like residual net of 18 layers, half width, 112x112 to 512 values."""
    b = GraphBuilder("eagleeye_arc_resnet", seed=24)
    x = b.prelu(b.conv2d(b.input("face", (1, 112, 112, 3)), 32))
    for channels in (32, 64, 128, 256):
        for stride in (2, 1):
            y = b.conv2d(b.prelu(b.conv2d(x, channels)), channels, stride=stride)
            x = b.add(x if stride == 1 else b.conv2d(x, channels, 1, stride=2), y)
    return b.build(b.fully_connected(b.mean(x), 512))


def _bottleneck(b: GraphBuilder, x: int, channels: int, expansion: int, stride: int) -> int:
    came_in = b.shape(x)[3]
    y = b.prelu(b.conv2d(x, came_in * expansion, 1))
    y = b.conv2d(b.prelu(b.depthwise_conv2d(y, stride=stride)), channels, 1)
    return b.add(x, y) if stride == 1 and came_in == channels else y
