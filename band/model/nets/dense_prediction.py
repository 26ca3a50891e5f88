"""Image-to-image nets: an encoder-decoder of the kind used for monocular depth."""

from band.model.builder import GraphBuilder
from band.model.model import Model
from band.model.nets.classifiers import inverted_residual


def encoder_decoder() -> Model:
    """Return a depth-like net: a MobileNetV2-style encoder, a decoder with skip connections.

    The skip tensors stay alive across most of the net, which is what makes cutting it dear.
    """
    b = GraphBuilder("encoder_decoder", seed=13)
    x = b.conv2d(b.input("image", (1, 192, 192, 3)), 16, stride=2, activation="RELU6")
    skips = []
    for channels, repeats in ((24, 2), (32, 3), (64, 3), (96, 2)):
        skips.append(x)
        for repeat in range(repeats):
            x = inverted_residual(b, x, channels, 4, 2 if repeat == 0 else 1)
    for skip in reversed(skips):
        _, height, width, channels = b.shape(skip)
        x = b.resize_bilinear(x, height, width)
        x = b.conv2d(b.concat([x, skip]), channels, 1, activation="RELU")
        x = b.conv2d(x, channels, 3, activation="RELU")
    x = b.conv2d(b.resize_bilinear(x, 192, 192), 1, 3)
    return b.build(b.activation(x))
