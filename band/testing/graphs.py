"""Graphs and devices made of plain numbers, for tests of analysis, memory and plan tables.

The graphs cannot run: their ops are of type ADD, whatever they read. Which processor takes which
op is said op by op.
"""

import random
from collections.abc import Collection, Mapping, Sequence

from band.device.profile import (
    CostCoefficients,
    Device,
    Evidence,
    Link,
    Mark,
    Processor,
    ProcessorKind,
)
from band.device.support_table import ModelOpList, Support
from band.model.graph import Graph, Op, Tensor

GUESS = Evidence(mark=Mark.HYPOTHESIS, source="made up for a test")
REASON = "refused by the test"


def make_graph(
    reads: Sequence[Sequence[int]],
    *,
    outputs: Sequence[int] | None = None,
    constants: Collection[int] = (),
    variables: Collection[int] = (),
    sizes: Mapping[int, int] | None = None,
    name: str = "made",
) -> Graph:
    """Return a graph in which op i writes tensor i + 1 and tensor 0 is the model's input.

    Args:
        reads: per op, the tensors it reads; ids above ``len(reads)`` are constants or variables.
        outputs: tensors the model returns; the last op's if None.
        constants: tensor ids that are constants (of 4 bytes a float, like all tensors).
        variables: tensor ids that are variables.
        sizes: tensor -> number of floats, 1 if not given.
        name: of the model; its digest follows from it.
    """
    count = 1 + max([len(reads), *constants, *variables])
    sizes = sizes or {}
    tensors = [
        Tensor(
            index=t,
            name=f"t{t}",
            shape=(sizes.get(t, 1),),
            dtype="float32",
            constant=t in constants,
            variable=t in variables,
            buffer_bytes=4 * sizes.get(t, 1) if t in constants else 0,
        )
        for t in range(count)
    ]
    ops = [
        Op(index=i, type="ADD", version=1, inputs=tuple(read), outputs=(i + 1,))
        for i, read in enumerate(reads)
    ]
    return Graph.build(
        name=name,
        sha256=f"digest of {name}",
        tensors=tensors,
        ops=ops,
        inputs=(0,),
        outputs=(len(reads),) if outputs is None else outputs,
    )


def random_graph(rng: random.Random, op_count: int, *, constant_ops: bool = True) -> Graph:
    """Return a random graph: short skips, late reads of the input, several outputs.

    Args:
        rng: source of the numbers.
        op_count: number of ops.
        constant_ops: let some ops read constants only.
    """
    constant = op_count + 1
    reads: list[list[int]] = []
    for op in range(op_count):
        if constant_ops and op and rng.random() < 0.15:
            reads.append([constant])
            continue
        nearby = range(max(0, op - 5), op + 1)
        read = {rng.choice(nearby) for _ in range(rng.randint(1, 2))}
        if rng.random() < 0.05:
            read.add(0)
        reads.append(sorted(read))
    reads[0] = [0]
    read_somewhere = {t for read in reads for t in read}
    outputs = [t for t in range(1, op_count + 1) if t not in read_somewhere or rng.random() < 0.05]
    return make_graph(
        reads,
        outputs=outputs,
        constants=[constant],
        sizes={t: rng.randint(1, 500) for t in range(op_count + 2)},
        name=f"random{rng.random()}",
    )


def device_for(
    graph: Graph,
    refused: Mapping[str, Collection[int]],
    *,
    down: Collection[str] = (),
    sync_us: int = 0,
) -> Device:
    """Return a device whose processors refuse exactly the given ops of a graph.

    Args:
        graph: the model that is asked about.
        refused: processor name (``cpu0``, ``gpu``, ...) -> ops it does not take.
        down: names of processors that are listed but not available.
        sync_us: what a move between two processors costs, plus 1 us a kB.
    """
    kinds = {kind.value: kind for kind in ProcessorKind}
    link = Link(ends=(0, 0), sync_us=sync_us, bytes_per_s=1e9, evidence=GUESS)
    return Device(
        name="made",
        version="1",
        description="made for a test",
        processors=tuple(
            Processor(
                index=index,
                name=name,
                kind=kinds[name.rstrip("0123456789")],
                backend="emulated",
                available=name not in down,
                support=Support(op_lists=(_op_list(graph, ops),)),
                costs=(_cost(10 * (index + 1), 100 // (index + 1)),),
            )
            for index, (name, ops) in enumerate(refused.items())
        ),
        default_link=link if sync_us else None,
    )


def _op_list(graph: Graph, ops: Collection[int]) -> ModelOpList:
    return ModelOpList(
        sha256=graph.sha256, model=graph.name, unsupported=tuple(sorted(ops)), reason=REASON
    )


def _cost(dispatch_us: int, per_op_us: int) -> CostCoefficients:
    return CostCoefficients(
        dtype="float32",
        dispatch_us=dispatch_us,
        us_per_gmac=0.0,
        per_op_us=per_op_us,
        evidence=GUESS,
    )
