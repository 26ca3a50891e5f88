"""Rules for handles: variables and hash tables, known by a name, shared by all subgraphs.

A delegate follows a handle from the op that makes it to those that use it. It takes for granted
that each is a handle, and that a variable is one tensor wherever it is read or written.
"""

from typing import Final

from band.errors import BandError
from band.model.tflite_verify_facts import FileFacts, OpFacts, SubgraphFacts, TensorFacts
from band.model.tflite_verify_limits import invalid
from band.model.tflite_verify_rules import Shape, differ, sizes_of

_MAKERS: Final = frozenset({"VAR_HANDLE", "HASHTABLE"})
_HANDLES: Final = frozenset({"resource", "variant"})
_USERS: Final = frozenset({
    "READ_VARIABLE", "ASSIGN_VARIABLE", "HASHTABLE_FIND", "HASHTABLE_IMPORT", "HASHTABLE_SIZE",
})  # fmt: skip


def check_state(facts: FileFacts) -> None:
    """Check every handle and what its variable holds.

    Raises:
        BandError: INVALID_MODEL if something else is used as a handle, or if a variable is read as
            something else than what is written to it.
    """
    held: dict[bytes, tuple[str, Shape | None]] = {}
    for subgraph in facts.subgraphs:
        names: dict[int, bytes] = {}
        values: set[int] = set()
        for op in subgraph.ops:
            _check_twice(op, values, subgraph, facts)
            if op.kind in _MAKERS:
                _check_handle(op, subgraph.tensors[op.outputs[0]], subgraph, facts)
                if op.kind == "VAR_HANDLE":
                    names[op.outputs[0]] = _name(op, facts)
            elif op.kind in _USERS:
                _check_handle(op, subgraph.tensors[op.inputs[0]], subgraph, facts)
                if op.kind.endswith("_VARIABLE") and op.inputs[0] in names:
                    _check_value(op, names[op.inputs[0]], subgraph, facts, held)
            if op.kind == "READ_VARIABLE":
                values.update(op.outputs)


def _check_twice(op: OpFacts, values: set[int], subgraph: SubgraphFacts, facts: FileFacts) -> None:
    """Refuse x * x of a variable's value: XNNPACK forgets to point one of the two at it."""
    read = [t for t in op.inputs if t in values]
    if len(set(read)) < len(read):
        raise _damaged(op, subgraph, facts, "takes the value of a variable twice")


def _check_handle(
    op: OpFacts, tensor: TensorFacts, subgraph: SubgraphFacts, facts: FileFacts
) -> None:
    if tensor.dtype != "resource":
        raise _damaged(op, subgraph, facts, f"takes a tensor of type {tensor.dtype} as a handle")


def _check_value(
    op: OpFacts,
    name: bytes,
    subgraph: SubgraphFacts,
    facts: FileFacts,
    held: dict[bytes, tuple[str, Shape | None]],
) -> None:
    value = subgraph.tensors[op.outputs[0] if op.kind == "READ_VARIABLE" else op.inputs[1]]
    sizes = sizes_of(value)
    if value.dtype in _HANDLES:
        raise _damaged(op, subgraph, facts, "keeps a handle in a variable")
    dtype, known = held.setdefault(name, (value.dtype, sizes))
    if value.dtype != dtype:
        raise _damaged(op, subgraph, facts, f"takes a variable of {dtype} for one of {value.dtype}")
    if sizes is not None and known is not None and differ(sizes, known):
        raise _damaged(
            op,
            subgraph,
            facts,
            f"takes a variable of shape {list(known)} for one of shape {list(sizes)}",
        )


def _name(op: OpFacts, facts: FileFacts) -> bytes:
    if op.options is None:
        return b"/"
    parts = (op.options.container, op.options.shared_name)
    return b"/".join(bytes(facts.content[p.start : p.start + p.length]) for p in parts)


def _damaged(op: OpFacts, subgraph: SubgraphFacts, facts: FileFacts, problem: str) -> BandError:
    place = f" in subgraph {subgraph.number}" if subgraph.number else ""
    return invalid(facts.where, f"is damaged: op {op.number} ({op.kind}){place} {problem}")
