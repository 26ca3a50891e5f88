"""Checks that the ops of a file can be executed in their order, with all that each one needs.

The interpreter runs ops in file order. A tensor that is read before it has a value, or that two ops
write, is memory that nobody has set up; a subgraph that calls itself never ends.
"""

from collections.abc import Sequence

from band.errors import BandError
from band.model.tflite_verify_facts import CUSTOM, FileFacts, OpFacts, SubgraphFacts
from band.model.tflite_verify_limits import invalid


def check_order(facts: FileFacts) -> None:
    """Check arity, order and producers of every op, and which subgraphs call each other.

    Raises:
        BandError: INVALID_MODEL if the ops cannot be executed.
    """
    if not facts.subgraphs[0].ops:
        raise invalid(facts.where, "has no operators; there is nothing to run")
    for subgraph in facts.subgraphs:
        for op in subgraph.ops:
            _check_arity(op, subgraph, facts.where)
        _check_values(subgraph, facts)
    _check_calls(facts)


def _check_arity(op: OpFacts, subgraph: SubgraphFacts, where: str) -> None:
    arity = op.arity
    problem = None
    if not arity.inputs[0] <= len(op.inputs) <= arity.inputs[1]:
        problem = f"has {len(op.inputs)} inputs"
    elif not arity.outputs[0] <= len(op.outputs) <= arity.outputs[1]:
        problem = f"has {len(op.outputs)} outputs"
    elif op.kind != CUSTOM and -1 in op.inputs:
        absent = [i for i, t in enumerate(op.inputs) if t < 0 and i not in arity.absent]
        if absent:
            problem = f"lacks its input {absent[0]}"
    elif op.options is not None and type(op.options).__name__ != arity.options:
        problem = f"has the options of another op ({type(op.options).__name__})"
    if problem is not None:
        raise _damaged(where, op, subgraph, f"{problem}, which no {op.kind} may have")


def _check_values(subgraph: SubgraphFacts, facts: FileFacts) -> None:
    where = facts.where
    tensors = subgraph.tensors
    ready = bytearray(len(tensors))
    written = bytearray(len(tensors))
    for tensor in tensors:
        ready[tensor.number] = tensor.variable or tensor.constant
        if tensor.variable and tensor.data.length:
            raise invalid(where, f"is damaged: variable tensor {tensor.number} has constant data")
    for t in subgraph.inputs:
        if tensors[t].data.length:
            raise invalid(where, f"is damaged: input tensor {t} has constant data")
        ready[t] = written[t] = True
    for op in subgraph.ops:
        for t in op.inputs:
            if t >= 0 and not ready[t]:
                raise _damaged(where, op, subgraph, f"reads tensor {t} before it has a value")
        for t in op.outputs:
            if written[t] or tensors[t].data.length or tensors[t].variable:
                raise _damaged(where, op, subgraph, f"writes tensor {t}, which has a value")
            ready[t] = written[t] = True
    for t in subgraph.outputs:
        if not ready[t]:
            raise invalid(where, f"has an output {facts.label(tensors[t])} that no op computes")


def _check_calls(facts: FileFacts) -> None:
    """Refuse subgraphs that call each other in a circle or too deep."""
    depths: dict[int, int] = {}
    for subgraph in facts.subgraphs:
        _depth(subgraph.number, facts, (), depths)


def _depth(number: int, facts: FileFacts, above: Sequence[int], depths: dict[int, int]) -> int:
    if number in depths:
        return depths[number]
    if number in above:
        raise invalid(facts.where, f"is damaged: subgraph {number} calls itself")
    if len(above) >= facts.limits.call_depth:
        raise invalid(
            facts.where, f"has subgraphs that call each other {len(above)} deep; unroll them"
        )
    path = (*above, number)
    below = [_depth(c, facts, path, depths) for c in sorted(facts.subgraphs[number].calls)]
    depths[number] = 1 + max(below, default=0)
    if len(above) + depths[number] > facts.limits.call_depth:
        raise invalid(
            facts.where,
            f"has subgraphs that call each other {len(above) + depths[number]} deep; unroll them",
        )
    return depths[number]


def _damaged(where: str, op: OpFacts, subgraph: SubgraphFacts, problem: str) -> BandError:
    place = f" in subgraph {subgraph.number}" if subgraph.number else ""
    return invalid(where, f"is damaged: op {op.number} ({op.kind}){place} {problem}", op=op.number)
