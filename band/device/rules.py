"""What a person demands of a placement: ops kept off a processor, ops kept on one, no fallback.

Rules come from a file or an entry of one. ``with_rules`` makes them part of a device: everything
that asks what a processor takes then obeys them, and shows their place as the reason.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from band.device.profile import Device, Processor, ProcessorKind
from band.device.selection import ALL_OPS, Exclusion, Selection
from band.errors import BandError, ErrorCode
from band.model.graph import Graph

_KINDS: Final = frozenset(kind.value for kind in ProcessorKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Some ops that are kept off some processors, or on them.

    Attributes:
        processors: names or kinds.
        only: the ops may run on these processors only; else on all others.
        at: ``file:line``.
    """

    processors: tuple[str, ...]
    selection: Selection = ALL_OPS
    only: bool = False
    at: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """All that is demanded of one model or one device.

    Attributes:
        strict: refuse a model if an op would fall back. True: every op must be taken by a
            processor that is no CPU; names or kinds: by one of these. None: nothing is said.
        strict_at: ``file:line`` of it.
    """

    entries: tuple[Rule, ...] = ()
    strict: bool | tuple[str, ...] | None = None
    strict_at: str = field(default="", compare=False)

    def followed_by(self, other: "Rules") -> "Rules":
        """Return both; the other's ``strict`` counts if it says something."""
        last = self if other.strict is None else other
        return Rules(
            entries=(*self.entries, *other.entries), strict=last.strict, strict_at=last.strict_at
        )


NO_RULES: Final = Rules()


def with_rules(device: Device, rules: Rules) -> Device:
    """Return the device on which the rules hold.

    Raises:
        BandError: INVALID_CONFIG if a rule names what is no processor of the device; a kind that
            the device lacks is no mistake.
    """
    if rules == NO_RULES:
        return device
    excluded: dict[int, list[Exclusion]] = {p.index: [] for p in device.processors}
    for rule in rules.entries:
        named = _named(device, rule.processors, rule.at)
        for processor in device.processors:
            if (processor in named) is not rule.only:
                excluded[processor.index].append(_exclusion(rule))
    strict = device.strict if rules.strict is None else _strict(device, rules)
    return replace(
        device,
        processors=tuple(_excluding(p, excluded[p.index]) for p in device.processors),
        strict=strict,
    )


def idle_rules(rules: Rules, device: Device, graph: Graph) -> tuple[str, ...]:
    """Return one sentence for each thing a rule names that a model on a device does not have."""
    weight = frozenset(graph.weight_ops)
    found = []
    for rule in rules.entries:
        told = f"rule {rule.at}: " if rule.at else ""
        if not _named(device, rule.processors, rule.at):
            kinds = ", ".join(rule.processors)
            found.append(f"{told}device {device.name} has no processor of kind {kinds}")
            continue
        for item in rule.selection.items():
            picked = item.ops(graph)
            if not picked:
                found.append(f"{told}no op of model {graph.name} matches {item}")
            elif picked <= weight:
                found.append(
                    f"{told}{item} matches only ops on weights of model {graph.name}, which go "
                    "wherever their readers go"
                )
    return tuple(found)


def _named(device: Device, names: Iterable[str], at: str) -> tuple[Processor, ...]:
    """Return the processors that names or kinds stand for, by index."""
    wanted = set(names)
    known = {p.name for p in device.processors}
    for name in names:
        if name not in known and name not in _KINDS:
            raise BandError(
                ErrorCode.INVALID_CONFIG,
                f"{f'{at}: ' if at else ''}device {device.name} has no processor {name!r}; name "
                f"one of {', '.join(sorted(known))}, or a kind ({', '.join(sorted(_KINDS))})",
                processor=name,
                device=device.name,
            )
    return tuple(p for p in device.processors if p.name in wanted or p.kind.value in wanted)


def _exclusion(rule: Rule) -> Exclusion:
    by = f"by rule {rule.at}" if rule.at else "by a rule"
    reason = f"kept on {', '.join(rule.processors)} {by}" if rule.only else f"excluded {by}"
    return Exclusion(selection=rule.selection, reason=reason)


def _excluding(processor: Processor, more: Iterable[Exclusion]) -> Processor:
    exclusions = (*processor.support.exclusions, *more)
    return replace(processor, support=replace(processor.support, exclusions=exclusions))


def _strict(device: Device, rules: Rules) -> tuple[int, ...] | None:
    if rules.strict is False:
        return None
    if isinstance(rules.strict, tuple):
        return tuple(p.index for p in _named(device, rules.strict, rules.strict_at))
    return tuple(p.index for p in device.processors if p.kind is not ProcessorKind.CPU)
