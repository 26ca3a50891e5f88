"""Finds which ops touch which resource (variable or hash table), through called subgraphs too.

All ops that touch one resource must stay in one slice, in their order: the state lives in one
interpreter.
"""

from typing import Any

from band.model.tflite_convert import OpType
from band.model.tflite_schema import subgraph_references, text


def op_resources(tree: Any, types: tuple[OpType, ...]) -> tuple[tuple[str, ...], ...]:
    """Return per op of the main subgraph the names of the resources it touches, sorted.

    A resource is known by the name in its handle op, so two handles of one name are one resource.
    CALL_ONCE fills resources before the first run and ties nothing together.
    """
    main = tree.subgraphs[0]
    handles = _handles(main, types)
    found = []
    for op in main.operators:
        name = types[int(op.opcodeIndex)].name
        touched: set[str] = set()
        if name != "CALL_ONCE":
            touched |= _touched(op, handles)
            for called in _called(op):
                touched |= _inside(tree, called, types, frozenset())
        found.append(tuple(sorted(touched)))
    return tuple(found)


def _handles(subgraph: Any, types: tuple[OpType, ...]) -> dict[int, str]:
    """Return handle tensor -> resource name of one subgraph."""
    handles = {}
    for op in subgraph.operators if subgraph.operators is not None else ():
        kind = types[int(op.opcodeIndex)].name
        options = op.builtinOptions
        if kind == "VAR_HANDLE" and options is not None:
            handles[int(op.outputs[0])] = (
                f"variable:{text(options.container)}/{text(options.sharedName)}"
            )
        elif kind == "HASHTABLE" and options is not None:
            handles[int(op.outputs[0])] = f"table:{options.tableId}"
    return handles


def _touched(op: Any, handles: dict[int, str]) -> set[str]:
    tensors = [int(t) for part in (op.inputs, op.outputs) if part is not None for t in part]
    # A lookup table never changes after CALL_ONCE, so its readers need not stay together.
    return {handles[t] for t in tensors if t in handles and not handles[t].startswith("table:")}


def _inside(tree: Any, number: int, types: tuple[OpType, ...], above: frozenset[int]) -> set[str]:
    """Return the resources that a called subgraph names itself."""
    if number in above:
        return set()
    subgraph = tree.subgraphs[number]
    found = {n for n in _handles(subgraph, types).values() if not n.startswith("table:")}
    for op in subgraph.operators if subgraph.operators is not None else ():
        for called in _called(op):
            found |= _inside(tree, called, types, above | {number})
    return found


def _called(op: Any) -> list[int]:
    return [
        number
        for options in (op.builtinOptions, op.builtinOptions2)
        for numbers in subgraph_references(options).values()
        for number in numbers
    ]
