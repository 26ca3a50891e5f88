"""Small models at the edges of what a graph may be: odd inputs and outputs, shared constants.

Like those of ``models``, each has one property, seeded weights, and runs in the runtime.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from band.model.builder import GraphBuilder
from band.model.model import Model
from band.model.tflite_encode import encode
from band.model.tflite_reader import read_model
from band.model.tflite_schema import pack, schema
from band.testing.models import IMAGE


def edited(b: GraphBuilder, outputs: tuple[int, ...], change: Callable[[Any], None]) -> Model:
    """Return what was built, after a change of the parsed file."""
    b.outputs = list(outputs)
    content = encode([b, *b.branches])
    tree = schema().ModelT.InitFromObj(schema().Model.GetRootAs(content, 0))
    change(tree)
    return read_model(pack(tree), name=b.name)


def input_as_output() -> Model:
    """Return CONV, RELU and the model's own input as its second output."""
    b = GraphBuilder("input_as_output", seed=20)
    x = b.input("image", IMAGE)
    return b.build(b.activation(b.conv2d(x, 4)), x)


def constant_as_output() -> Model:
    """Return CONV, RELU and a constant (say, anchor boxes) as second output."""
    b = GraphBuilder("constant_as_output", seed=21)
    y = b.activation(b.conv2d(b.input("image", IMAGE), 4))
    return b.build(y, b.constant("anchors", np.linspace(0, 1, 6, dtype=np.float32)))


def computed_constant_as_output() -> Model:
    """Return CONV, ADD of two constants that is an output, MUL by it."""
    b = GraphBuilder("computed_constant_as_output", seed=22)
    x = b.conv2d(b.input("image", IMAGE), 4)
    ones = b.constant("ones", np.ones((1, 1, 1, 4), dtype=np.float32))
    total = b.add(ones, ones)
    return b.build(b.mul(x, total), total)


def output_twice() -> Model:
    """Return CONV, RELU with the last tensor listed twice and the first one in between."""
    b = GraphBuilder("output_twice", seed=23)
    first = b.conv2d(b.input("image", IMAGE), 4)
    last = b.activation(first)
    return b.build(last, first, last)


def unused_input() -> Model:
    """Return CONV, RELU with a first input that nobody reads."""
    b = GraphBuilder("unused_input", seed=24)
    b.input("nobody_reads", (1, 3))
    return b.build(b.activation(b.conv2d(b.input("image", IMAGE), 4)))


def unused_results() -> Model:
    """Return CONV, SPLIT with one half unused, RELU, and two ops whose results nobody needs."""
    b = GraphBuilder("unused_results", seed=25)
    x = b.conv2d(b.input("image", IMAGE), 4)
    halves = [b.tensor(f"half_{i}", (1, 16, 16, 2)) for i in range(2)]
    b.op("SPLIT", (b.constant("axis", np.int32(3)), x), halves, num_splits=2)
    b.activation(b.activation(x, "TANH"), "RELU6")
    return b.build(b.activation(halves[1]))


def shared_constant() -> Model:
    """Return CONV, MUL and ADD of one constant, SUB of a second tensor that shares its buffer."""
    b = GraphBuilder("shared_constant", seed=26)
    x = b.conv2d(b.input("image", IMAGE), 8)
    scale = b.constant("scale", np.linspace(-1, 1, 8, dtype=np.float32))
    twin = b.constant("twin", np.zeros(8, dtype=np.float32))
    x = b.add(b.mul(x, scale), scale)
    x = b.layer("SUB", (x, twin), b.shape(x), fused_activation_function="NONE")

    def share(tree: Any) -> None:
        tensors = tree.subgraphs[0].tensors
        tensors[twin].buffer = tensors[scale].buffer

    return edited(b, (x,), share)


def named_signature() -> Model:
    """Return a model of two inputs and outputs with a signature, in another order than its own."""
    b = GraphBuilder("named_signature", seed=27)
    image, late = b.input("image", IMAGE), b.input("late", (1, 8))
    mean = b.mean(b.conv2d(image, 8))
    outputs = (b.add(mean, late), mean)

    def sign(tree: Any) -> None:
        maps = [
            [
                schema().TensorMapT(name=name, tensorIndex=t)
                for name, t in zip(names, ids, strict=True)
            ]
            for names, ids in (
                (("shift", "picture"), (late, image)),
                (("mean", "sum"), outputs[::-1]),
            )
        ]
        tree.signatureDefs = [
            schema().SignatureDefT(
                inputs=maps[0], outputs=maps[1], signatureKey="serve", subgraphIndex=0
            )
        ]

    return edited(b, outputs, sign)


EDGES: Final[Mapping[str, Callable[[], Model]]] = MappingProxyType(
    {
        made.__name__: made
        for made in (
            input_as_output, constant_as_output, computed_constant_as_output, output_twice,
            unused_input, unused_results, shared_constant, named_signature,
        )
    }
)  # fmt: skip
