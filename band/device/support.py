"""Which ops of a model a processor does not take, each with its reason.

Who is asked, the first answer counts: a person's rule; a log of the exact file on a real device;
the support table of op types and limits; the cost coefficients, since what cannot be charged
cannot be planned. A reason names the value, the limit, and where the limit was written.
"""

from collections.abc import Callable, Iterable
from typing import Final

from band.device.breaches import breaches
from band.device.cost import cost_refusal, op_dtype
from band.device.limits import NO_LIMITS, Limits, merged_limits
from band.device.profile import Processor
from band.device.support_table import ModelOpList, Support
from band.model.graph import Graph, Op

_CUSTOM: Final = "CUSTOM:"
_TAKEN: Final = ""

Judge = Callable[[Op], str | None]
"""Returns why an op is refused, "" if it is taken, None if there is nothing to say."""


def refusals(processor: Processor, graph: Graph) -> dict[int, str]:
    """Return op -> reason for every op, weight ops included, that a processor does not take.

    Args:
        processor: any processor, available or not.
        graph: the whole model, with its shapes.
    """
    support = processor.support
    logs = [entry for entry in support.op_lists if entry.sha256 == graph.sha256]
    judges = (_exclusions(support, graph), _logs(logs), _table(processor, graph))
    found: dict[int, str] = {}
    for op in graph.ops:
        answers = (judge(op) for judge in judges)
        reason = next((answer for answer in answers if answer is not None), _TAKEN)
        reason = reason or cost_refusal(processor, op_dtype(graph, op.index)) or _TAKEN
        if reason:
            found[op.index] = reason
    if support.prefix_only and all(entry.others is None for entry in logs):
        _cut_after_prefix(graph, found)
    return found


def _exclusions(support: Support, graph: Graph) -> Judge:
    reasons: dict[int, str] = {}
    for exclusion in support.exclusions:
        for op in exclusion.selection.ops(graph):
            reasons.setdefault(op, exclusion.reason)
    return lambda op: reasons.get(op.index)


def _logs(logs: Iterable[ModelOpList]) -> Judge:
    """Return what the logs of the file say of an op: the last that names it counts."""
    backwards = tuple(reversed(tuple(logs)))

    def judge(op: Op) -> str | None:
        for log in backwards:
            if op.index in log.unsupported or op.type in log.types:
                return _placed(log.reason, log.at)
            if op.index in log.taken:
                return _TAKEN
        for log in backwards:
            if log.others is not None:
                return _TAKEN if log.others else _placed(log.reason, log.at)
        return None

    return judge


def _table(processor: Processor, graph: Graph) -> Judge:
    support = processor.support
    rules = {rule.type: rule.limits for rule in support.rules or ()}
    closed = support.rules is not None if support.others is None else not support.others
    limits: dict[str, Limits] = {}

    def judge(op: Op) -> str | None:
        if op.type in support.refused_ops:
            return _placed(f"{processor.name} takes no {op.type}", support.place(op.type))
        if op.type.startswith(_CUSTOM):
            name = op.type.removeprefix(_CUSTOM)
            if name not in support.custom_ops and op.type not in rules:
                return f"{processor.name} takes no custom op {name}"
        elif closed and op.type not in rules:
            return _placed(f"{processor.name} takes no {op.type}", support.place("ops"))
        if op.type not in limits:
            limits[op.type] = merged_limits(support.limits, rules.get(op.type, NO_LIMITS))
        own = limits[op.type]
        broken = next(breaches(own, graph, op, processor.name), None)
        return None if broken is None else _placed(broken.sentence, own.place(broken.key))

    return judge


def _placed(sentence: str, at: str) -> str:
    return f"{sentence} ({at})" if at else sentence


def _cut_after_prefix(graph: Graph, found: dict[int, str]) -> None:
    """Refuse every compute op that comes after the first refused one, in the file's order."""
    first = next((op for op in graph.compute_ops if op in found), None)
    if first is None:
        return
    reason = (
        f"after the first unsupported op {first} ({graph.ops[first].type}): "
        "this processor takes one prefix only"
    )
    for op in graph.compute_ops:
        if op > first:
            found.setdefault(op, reason)
