"""Level 3 of the verifier: what kernels take for granted about an op, checked op by op.

Every rule stands for a way in which a file of sound structure kills an interpreter, most of them
found by running damaged models. A rule checks what the file says and stays silent about what only
a run can tell.
"""

from typing import Final

from band.model import (
    tflite_verify_custom,
    tflite_verify_elementwise,
    tflite_verify_lookups,
    tflite_verify_loops,
    tflite_verify_moves,
    tflite_verify_scales,
    tflite_verify_types,
    tflite_verify_windows,
)
from band.model.tflite_verify_facts import FileFacts
from band.model.tflite_verify_limits import invalid
from band.model.tflite_verify_options import options_in_range
from band.model.tflite_verify_rules import Rule, Site
from band.model.tflite_verify_types import value_kinds


def _rules() -> dict[str, tuple[Rule, ...]]:
    found: dict[str, tuple[Rule, ...]] = {}
    for table in (
        tflite_verify_types.RULES,
        tflite_verify_custom.RULES,
        tflite_verify_elementwise.RULES,
        tflite_verify_lookups.RULES,
        tflite_verify_loops.RULES,
        tflite_verify_windows.RULES,
        tflite_verify_moves.RULES,
        tflite_verify_scales.RULES,
    ):
        for kind, rules in table.items():
            found[kind] = (*found.get(kind, ()), *rules)
    return found


_RULES: Final = _rules()


def check_kernels(facts: FileFacts) -> None:
    """Check every op against the rules of its kind.

    Raises:
        BandError: INVALID_MODEL naming the first op that breaks one.
    """
    for subgraph in facts.subgraphs:
        for op in subgraph.ops:
            site = Site(facts, subgraph, op)
            for rule in (options_in_range, value_kinds, *_RULES.get(op.kind, ())):
                problem = rule(site)
                if problem is not None:
                    place = f" in subgraph {subgraph.number}" if subgraph.number else ""
                    raise invalid(
                        facts.where,
                        f"is damaged: op {op.number} ({op.kind}){place} {problem}",
                        op=op.number,
                    )
