"""The verifier on a 27 MB model of several hundred ops, against reading the model in full.

The model is generated: 90 residual blocks with fp16 weights, the form of the largest MediaPipe
nets. The peer is ``read_model``, which verifies, parses with the generated FlatBuffers code and
builds the graph; a damaged copy (the last op reads a tensor that is not there) is refused just as
fast. The slowest file that is known to pass all limits is timed too.

    python benchmarks/verify.py --json -
"""

from typing import Any

import numpy as np
from rounds import compare, document, main, thread_us

from band.errors import BandError
from band.model.builder import GraphBuilder
from band.model.tflite_encode import encode
from band.model.tflite_reader import read_model
from band.model.tflite_schema import pack, schema
from band.model.tflite_verify import verify_bytes
from band.model.tflite_verify_limits import DEFAULT

BLOCKS, CHANNELS, SIDE = 90, 128, 14
OPS_AT_LIMIT = DEFAULT.tables // 4 - 10  # each has a table, options, a tensor and a buffer


def large_model() -> bytes:
    """Return a chain of residual blocks, each a convolution and a depthwise one."""
    b = GraphBuilder("large", seed=5, weights="float16")
    x = b.conv2d(b.input("image", (1, SIDE, SIDE, 3)), CHANNELS)
    for _ in range(BLOCKS):
        x = b.add(b.depthwise_conv2d(b.conv2d(x, CHANNELS)), x)
    return bytes(b.build(b.fully_connected(b.mean(x), 10)).content)


def many_ops() -> bytes:
    """Return the slowest file known: a chain of as many ops as the limit on tables allows."""
    b = GraphBuilder("many")
    x = b.input("image", (1, SIDE, SIDE, 3))
    for _ in range(OPS_AT_LIMIT):
        x = b.layer("ADD", (x, x), (1, SIDE, SIDE, 3), fused_activation_function="NONE")
    b.outputs = [x]
    return encode([b])


def damaged(content: bytes) -> bytes:
    """Return a copy whose last op reads a tensor that is not there."""
    tree = schema().ModelT.InitFromObj(schema().Model.GetRootAs(content, 0))
    operators = tree.subgraphs[0].operators
    operators[-1].inputs = np.array([1 << 20], np.int32)
    return pack(tree)


def refuse(content: bytes) -> None:
    """Verify a file that must be refused."""
    try:
        verify_bytes(content, "damaged")
    except BandError:
        return
    message = "the damaged model was not refused"
    raise AssertionError(message)


def run(rounds: int) -> dict[str, Any]:
    """Return the document of the benchmark."""
    content = large_model()
    broken = damaged(content)
    ops = len(read_model(content).graph.ops)
    pair = compare(
        lambda: verify_bytes(content, "large"),
        lambda: read_model(content),
        calls=1,
        rounds=rounds,
    )
    longest = many_ops()
    slowest = sorted(thread_us(lambda: verify_bytes(longest, "many")) for _ in range(rounds))
    refusals = sorted(thread_us(lambda: refuse(broken)) for _ in range(rounds))
    return document(
        "verify",
        {
            "model_mb": len(content) / 1e6,
            "ops": ops,
            "verify_ms": pair.ours_us / 1e3,
            "read_ms": pair.peer_us / 1e3,
            "refuse_ms": refusals[len(refusals) // 2] / 1e3,
            "slowest_ms": slowest[len(slowest) // 2] / 1e3,
            "read_ratio_p10": pair.low,
            "read_ratio_p90": pair.high,
        },
        {"read_over_verify": pair.ratio},
    )


if __name__ == "__main__":
    main(run)
