"""Rules for ops that run other subgraphs: what they pass must fit, and plain loops must end.

Whether any loop ends cannot be told. Nearly all loops count, though: a condition that compares a
carried number with a constant, a body that adds a constant to it. Those are checked.
"""

from typing import Final, NamedTuple

from band.model.tflite_verify_facts import OpFacts, SubgraphFacts
from band.model.tflite_verify_rules import Rule, Site

LONGEST_LOOP: Final = 1 << 20
_SEARCH_COST: Final = 256  # in bytes of the meter
# Ops whose result may change although what they take does not.
_OPEN: Final = frozenset({
    "READ_VARIABLE", "HASHTABLE_FIND", "HASHTABLE_SIZE", "RANDOM_UNIFORM",
    "RANDOM_STANDARD_NORMAL", "MULTINOMIAL", "CUSTOM", "CALL", "IF", "WHILE",
    "STABLEHLO_RNG_BIT_GENERATOR", "STABLEHLO_COMPOSITE",
})  # fmt: skip
_UP: Final = frozenset({"LESS", "LESS_EQUAL"})
_DOWN: Final = frozenset({"GREATER", "GREATER_EQUAL"})
_MIRRORED: Final = {
    "LESS": "GREATER", "LESS_EQUAL": "GREATER_EQUAL", "GREATER": "LESS",
    "GREATER_EQUAL": "LESS_EQUAL",
}  # fmt: skip


class _Count(NamedTuple):
    """An op on one carried value and one constant.

    Attributes:
        kind: of the op, as if the carried value were its first input.
        carried: position of the value.
        constant: the other input.
        clipped: the op has a fused activation.
    """

    kind: str
    carried: int
    constant: int
    clipped: bool


def branches(site: Site) -> str | None:
    """Check IF: both branches take and give what the op does."""
    op = site.op
    for name in ("then", "else"):
        called = site.facts.subgraphs[site.option(f"{name}_subgraph_index", 0)]
        if len(called.inputs) != len(op.inputs) - 1 or len(called.outputs) != len(op.outputs):
            return f"calls subgraph {called.number}, whose inputs or outputs do not fit"
    return None


def loop(site: Site) -> str | None:
    """Check WHILE: condition and body take what is carried; a counting loop ends."""
    op = site.op
    condition = site.facts.subgraphs[site.option("cond_subgraph_index", 0)]
    body = site.facts.subgraphs[site.option("body_subgraph_index", 0)]
    carried = len(op.inputs)
    if {carried} != {
        len(condition.inputs),
        len(body.inputs),
        len(body.outputs),
        len(op.outputs),
    } or len(condition.outputs) != 1:
        return f"calls subgraphs {condition.number} and {body.number}, which do not fit it"
    return _endless(site, condition, body)


def _endless(site: Site, condition: SubgraphFacts, body: SubgraphFacts) -> str | None:
    """Return why a loop does not end, None if it does or if that cannot be seen."""
    looked_at = _depends_on(site, condition, condition.outputs[0])
    if looked_at is not None and all(_stays(site, body, slot) for slot in looked_at):
        return "never ends: its body does not change what its condition looks at"
    test = _counted(site, condition, condition.outputs[0], _UP | _DOWN)
    if test is None:
        return None
    step = _counted(site, body, body.outputs[test.carried], frozenset({"ADD", "SUB"}))
    return None if step is None or step.carried != test.carried else _counts(test, step)


def _counts(test: _Count, step: _Count) -> str | None:
    """Return why a count does not reach what it is compared with."""
    if step.clipped:
        return "may never end: its body clips what it counts"
    by = step.constant if step.kind == "ADD" else -step.constant
    if by == 0 or (by > 0) != (test.kind in _UP):
        return f"never ends: it counts by {by}"
    if abs(test.constant) // abs(by) > LONGEST_LOOP:
        return f"counts to {test.constant}, and {LONGEST_LOOP} rounds are allowed"
    return None


def _stays(site: Site, body: SubgraphFacts, slot: int) -> bool:
    """Return whether a carried value is the same after every round but the first."""
    if body.outputs[slot] == body.inputs[slot]:
        return True
    return _depends_on(site, body, body.outputs[slot]) == frozenset()


def _depends_on(site: Site, subgraph: SubgraphFacts, tensor: int) -> frozenset[int] | None:
    """Return the inputs that a tensor is computed from, by position; None if state is read too."""
    _charge(site, subgraph)
    needed = {tensor}
    for op in reversed(subgraph.ops):
        if needed.intersection(op.outputs):
            if op.kind in _OPEN:
                return None
            needed.update(op.inputs)
    if any(subgraph.tensors[t].variable for t in needed if t >= 0):
        return None
    return frozenset(i for i, t in enumerate(subgraph.inputs) if t in needed)


def _charge(site: Site, subgraph: SubgraphFacts) -> None:
    """Count a search through a subgraph, since many ops may call one long subgraph."""
    site.facts.meter.charge(_SEARCH_COST * (len(subgraph.ops) + len(subgraph.inputs)))


def once(site: Site) -> str | None:
    """Check CALL_ONCE: its subgraph takes and gives nothing."""
    called = site.facts.subgraphs[site.option("init_subgraph_index", 0)]
    if called.inputs or called.outputs:
        return f"calls subgraph {called.number}, which has inputs or outputs"
    return None


def _counted(
    site: Site, subgraph: SubgraphFacts, tensor: int, kinds: frozenset[str]
) -> _Count | None:
    """Return how a tensor comes from an input and a constant, None if it comes otherwise."""
    _charge(site, subgraph)
    maker: OpFacts | None = next((op for op in subgraph.ops if tensor in op.outputs), None)
    if maker is None or maker.kind not in kinds:
        return None
    for value, constant in (maker.inputs, maker.inputs[::-1]):
        numbers = site.facts.integers(subgraph.tensors[constant])
        if value in subgraph.inputs and numbers is not None and len(numbers) == 1:
            kind = maker.kind
            if value == maker.inputs[1]:
                if kind == "SUB":
                    return None  # a constant minus the value: no count
                kind = _MIRRORED.get(kind, kind)
            clipped = getattr(maker.options, "fused_activation_function", 0) != 0
            return _Count(kind, subgraph.inputs.index(value), numbers[0], clipped)
    return None


RULES: Final[dict[str, tuple[Rule, ...]]] = {
    "IF": (branches,),
    "WHILE": (loop,),
    "CALL_ONCE": (once,),
}
