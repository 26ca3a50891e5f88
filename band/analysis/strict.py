"""Strict mode: a model of which an op would fall back is refused, and every such op is named."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from band.analysis.partition import Partition, Unsupported
from band.analysis.why_not import NOT_AVAILABLE, of_processor
from band.device.profile import Device
from band.errors import BandError, ErrorCode
from band.model.graph import Graph


def check_strict(graph: Graph, device: Device, partition: Partition) -> None:
    """Refuse a model unless each of its ops is taken by a strict processor of the device.

    Several strict processors may share the ops between them. A processor that is not available
    takes nothing. The check asks what the processors can do; that a policy may still choose a CPU
    is no fallback.

    Args:
        graph: the model.
        device: its ``strict`` names the processors; None allows fallback.
        partition: the model on the device.

    Raises:
        BandError: FALLBACK_REFUSED naming every op that none of them takes, its type, and why.
    """
    if device.strict is None:
        return
    wanted = [device.processors[index] for index in device.strict]
    if not wanted:
        raise BandError(
            ErrorCode.FALLBACK_REFUSED,
            f"strict mode refuses model {graph.name} on {device.name}: it has no processor for "
            "strict mode to hold to, only others; name one (strict: cpu) or leave strict out",
            model=graph.name,
            device=device.name,
        )
    reasons: dict[int, dict[str, str]] = defaultdict(dict)
    for entry in partition.unsupported:
        reasons[entry.op][entry.processor] = entry.reason
    down = {p.name: NOT_AVAILABLE for p in wanted if not p.available}
    names = [p.name for p in wanted]
    fallen: list[Unsupported] = []
    for op in (op for unit in partition.units for op in unit.ops):
        why: Mapping[str, str] = {**down, **reasons[op]}
        if all(name in why for name in names):
            told = _told(names, why)
            fallen.append(
                Unsupported(op=op, type=graph.ops[op].type, processor=", ".join(names), reason=told)
            )
    if fallen:
        raise _refused(graph, device, names, sorted(fallen, key=lambda entry: entry.op))


def _told(names: Sequence[str], why: Mapping[str, str]) -> str:
    if len(names) == 1:
        return why[names[0]]
    return " and ".join(dict.fromkeys(of_processor(name, why[name]) for name in names))


def _refused(
    graph: Graph, device: Device, names: list[str], fallen: list[Unsupported]
) -> BandError:
    groups: dict[str, list[Unsupported]] = defaultdict(list)
    for entry in fallen:
        groups[entry.reason].append(entry)
    told = "; ".join(f"{_ops(entries)}: {reason}" for reason, entries in groups.items())
    who = " and ".join(names)
    takes = "take" if len(names) > 1 else "takes"
    return BandError(
        ErrorCode.FALLBACK_REFUSED,
        f"strict mode refuses model {graph.name} on {device.name}: {len(fallen)} of "
        f"{len(graph.compute_ops)} ops would fall back, since {who} {takes} none of these: {told}",
        model=graph.name,
        device=device.name,
        processors=tuple(names),
        ops=tuple((entry.op, entry.type, entry.reason) for entry in fallen),
    )


def _ops(entries: list[Unsupported]) -> str:
    """Return ``ops 3, 7-9 (MEAN 3, ADD)``: every number, and how many there are of each type."""
    runs: list[tuple[int, int]] = []
    for entry in entries:
        if runs and runs[-1][1] == entry.op - 1:
            runs[-1] = (runs[-1][0], entry.op)
        else:
            runs.append((entry.op, entry.op))
    numbers = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)
    types = Counter(entry.type for entry in entries).most_common()
    kinds = ", ".join(name if count == 1 else f"{name} {count}" for name, count in types)
    return f"{'op' if len(entries) == 1 else 'ops'} {numbers} ({kinds})"
