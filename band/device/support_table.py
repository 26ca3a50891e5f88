"""What a processor takes: one support table, and how several make one.

A table says something of an op type (a rule, or that it is refused), of all ops (limits), of one
exact file (a log of the ops that a real device refused), or nothing. ``merged`` lays one table
over another: what the later one says of an op type, of a limit or of an op of a file replaces what
the earlier one says of it; all else stays, with the place it was written in.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import reduce

from band.device.limits import NO_LIMITS, Limits, OpRule, Place, merged_limits
from band.device.selection import Exclusion


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOpList:
    """Ops of one exact file that a processor refuses or takes, as logged on a real device.

    Attributes:
        sha256: of the file.
        model: its name, for people.
        unsupported: ops that are refused.
        types: op types that are refused, for logs that name no single ops.
        taken: ops that are taken.
        others: what holds for ops that are not named: taken (True), refused (False), or what
            other lists of the file and then the table say (None).
        reason: why ops are refused.
        at: where the list was written, "" if in no file.
    """

    sha256: str
    model: str
    unsupported: tuple[int, ...] = ()
    types: tuple[str, ...] = ()
    taken: tuple[int, ...] = ()
    others: bool | None = True
    reason: str
    at: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """What a processor takes; what is None or empty is not said.

    Attributes:
        rules: the op types taken. With a list of them all others are refused, unless ``others``
            says otherwise; without one every builtin op is taken.
        others: whether builtin op types without a rule are taken.
        refused_ops: op types not taken.
        custom_ops: names of custom ops taken.
        limits: of every op; a rule's own limits replace them one by one.
        prefix_only: from the first unsupported op on, everything is refused (Edge TPU).
        op_lists: logs of exact files; they win over rules and limits, a later one over an earlier.
        exclusions: ops that a person keeps off the processor; they win over all else.
        source: where the table comes from.
        places: where ``ops`` and each refused type were written; no part of comparison.
    """

    rules: tuple[OpRule, ...] | None = None
    others: bool | None = None
    refused_ops: tuple[str, ...] = ()
    custom_ops: tuple[str, ...] = ()
    limits: Limits = NO_LIMITS
    prefix_only: bool | None = None
    op_lists: tuple[ModelOpList, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    source: str = ""
    places: tuple[Place, ...] = field(default=(), compare=False)

    def place(self, key: str) -> str:
        """Return where ``ops`` or a refused type was written, "" if in no file."""
        return dict(self.places).get(key, "")


def merged(tables: Iterable[Support]) -> Support:
    """Return one table for several, each laid over those before it. The merge is associative."""
    return reduce(_laid_over, tables, Support())


def _laid_over(base: Support, over: Support) -> Support:
    said = {rule.type for rule in over.rules or ()} | set(over.refused_ops)
    rules = None
    if base.rules is not None or over.rules is not None:
        kept = (rule for rule in base.rules or () if rule.type not in said)
        rules = (*kept, *(over.rules or ()))
    return Support(
        rules=rules,
        others=base.others if over.others is None else over.others,
        refused_ops=(*(t for t in base.refused_ops if t not in said), *over.refused_ops),
        custom_ops=tuple(dict.fromkeys((*base.custom_ops, *over.custom_ops))),
        limits=merged_limits(base.limits, over.limits),
        prefix_only=base.prefix_only if over.prefix_only is None else over.prefix_only,
        op_lists=(*base.op_lists, *over.op_lists),
        exclusions=(*base.exclusions, *over.exclusions),
        source="; ".join(text for text in (base.source, over.source) if text),
        places=(*base.places, *over.places),
    )
