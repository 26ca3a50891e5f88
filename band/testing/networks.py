"""Random branchy networks and devices whose best plans are hard to find: tests of the analysis.

The graphs cannot run; their convolutions have shapes, so that work and bytes differ from op to op.
"""

import random
from collections.abc import Sequence
from math import prod

from band.device.profile import CostCoefficients, Device, Link, Processor, ProcessorKind
from band.device.support_table import ModelOpList, Support
from band.model.graph import Graph, Op, Tensor
from band.testing.graphs import GUESS, REASON

NAMES = ("cpu", "gpu", "npu", "dsp")
_CHANNELS = (4, 16, 64, 256)


def random_network(rng: random.Random, op_count: int, *, reach: int = 4) -> Graph:
    """Return a graph of convolutions, depthwise convolutions and additions with skips.

    Args:
        rng: source of the numbers.
        op_count: number of ops.
        reach: how many of the tensors before it an op chooses its inputs from.
    """
    net = _Net()
    made = [net.add((1, 8, 8, rng.choice(_CHANNELS))) for _ in range(op_count + 1)]
    ops = []
    read: set[int] = set()
    for number in range(op_count):
        nearby = made[max(0, number + 1 - reach) : number + 1]
        inputs = sorted({rng.choice(nearby) for _ in range(rng.randint(1, 2) if number else 1)})
        read.update(inputs)
        output = made[number + 1]
        kind, weights = net.weights(rng, inputs[0], output)
        inputs = [inputs[0], *weights, *inputs[1:]]
        op = Op(index=number, type=kind, version=1, inputs=tuple(inputs), outputs=(output,))
        ops.append(op)
    return Graph.build(
        name="network",
        sha256=f"{rng.getrandbits(256):064x}",
        tensors=net.tensors,
        ops=ops,
        inputs=(made[0],),
        outputs=tuple(t for t in made[1:] if t not in read),
    )


class _Net:
    """The tensors of a network that is being made."""

    def __init__(self) -> None:
        self.tensors: list[Tensor] = []

    def add(self, shape: tuple[int, ...], *, constant: bool = False) -> int:
        index = len(self.tensors)
        self.tensors.append(
            Tensor(
                index=index,
                name=f"t{index}",
                shape=shape,
                dtype="float32",
                constant=constant,
                buffer_bytes=4 * prod(shape) if constant else 0,
            )
        )
        return index

    def weights(self, rng: random.Random, source: int, target: int) -> tuple[str, list[int]]:
        """Return a random op type and the weights that it needs between two tensors."""
        kind = rng.choice(("CONV_2D", "DEPTHWISE_CONV_2D", "ADD"))
        size = rng.choice((1, 3, 5))
        before, after = self._depth(source), self._depth(target)
        if kind == "CONV_2D":
            return kind, [self.add((after, size, size, before), constant=True)]
        if kind == "DEPTHWISE_CONV_2D":
            return kind, [self.add((1, size, size, after), constant=True)]
        return kind, []

    def _depth(self, tensor: int) -> int:
        shape = self.tensors[tensor].shape
        assert shape is not None
        return shape[-1]


def random_processors(
    rng: random.Random, graph: Graph, count: int = 3, *, refused: Sequence[float] = (0, 0.15, 0.35)
) -> Device:
    """Return a device whose first processor takes all of a graph and the others have gaps.

    Args:
        rng: source of the numbers.
        graph: the model that its op lists are of.
        count: number of processors, at most four.
        refused: shares of ops that a processor refuses, one of which is chosen for each op.
    """
    kinds = {kind.value: kind for kind in ProcessorKind}
    ops = range(len(graph.ops))
    processors = []
    for index, name in enumerate(NAMES[:count]):
        gaps = tuple(op for op in ops if index and rng.random() < rng.choice(refused))
        log = ModelOpList(sha256=graph.sha256, model=graph.name, unsupported=gaps, reason=REASON)
        processors.append(
            Processor(
                index=index,
                name=name,
                kind=kinds[name],
                backend="emulated",
                support=Support(op_lists=(log,)),
                costs=(_random_cost(rng),),
            )
        )
    return Device(
        name="made",
        version="1",
        description="made for a test",
        processors=tuple(processors),
        default_link=Link(
            ends=(0, 0),
            sync_us=rng.choice((2, 10, 40)),
            bytes_per_s=rng.choice((1e8, 1e9, 5e9)),
            evidence=GUESS,
        ),
    )


def _random_cost(rng: random.Random) -> CostCoefficients:
    return CostCoefficients(
        dtype="float32",
        dispatch_us=rng.choice((5, 20, 60)),
        us_per_gmac=rng.choice((5e3, 2e4, 1e5)),
        per_op_us=rng.choice((2, 10, 30)),
        depthwise_weight=rng.choice((1, 3, 8)),
        evidence=GUESS,
    )
