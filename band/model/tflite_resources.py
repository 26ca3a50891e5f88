"""Finds which ops touch which resource (variable or hash table), through called subgraphs too.

All ops that touch one resource must stay in one slice, in their order: the state lives in one
interpreter.
"""

from typing import Any, Final

from band.model.graph import SESSION_OPS
from band.model.tflite_convert import OpType
from band.model.tflite_schema import subgraph_references, text

_TABLE: Final = "table:"


def op_resources(tree: Any, types: tuple[OpType, ...]) -> tuple[tuple[str, ...], ...]:
    """Return per op of the main subgraph the names of the resources it touches, sorted.

    A resource is known by the name in its handle op, so two handles of one name are one resource.
    A table that only CALL_ONCE fills never changes: an op that looks something up in it touches
    nothing, and each slice has a table of its own.
    """
    main = tree.subgraphs[0]
    handles = _handles(main, types)
    fixed_tables = not _fills_tables(tree, 0, types, frozenset())
    found = []
    for op in main.operators:
        name = types[int(op.opcodeIndex)].name
        tensors = [int(t) for part in (op.inputs, op.outputs) if part is not None for t in part]
        touched = {handles[t] for t in tensors if t in handles}
        for called in _called(op):
            touched |= _inside(tree, called, types, frozenset())
        if fixed_tables and name not in SESSION_OPS:
            touched = {n for n in touched if not n.startswith(_TABLE)}
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
            handles[int(op.outputs[0])] = f"{_TABLE}{options.tableId}"
    return handles


def _fills_tables(tree: Any, number: int, types: tuple[OpType, ...], above: frozenset[int]) -> bool:
    """Return whether a subgraph writes a table whenever it runs."""
    if number in above:
        return False
    operators = tree.subgraphs[number].operators
    for op in operators if operators is not None else ():
        kind = types[int(op.opcodeIndex)].name
        if kind == "HASHTABLE_IMPORT":
            return True
        if kind != "CALL_ONCE" and any(
            _fills_tables(tree, called, types, above | {number}) for called in _called(op)
        ):
            return True
    return False


def _inside(tree: Any, number: int, types: tuple[OpType, ...], above: frozenset[int]) -> set[str]:
    """Return the resources that a called subgraph names itself."""
    if number in above:
        return set()
    subgraph = tree.subgraphs[number]
    found = set(_handles(subgraph, types).values())
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
