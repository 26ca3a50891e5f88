"""Turns the parts of a device file into the dataclasses of ``band.device.profile``."""

from collections.abc import Mapping
from typing import Final

from band.config.device_schema import (
    CostSchema,
    DefaultLinkSchema,
    EvidenceSchema,
    OpLimits,
    PublishedSchema,
    SupportSchema,
)
from band.device.profile import (
    CostCoefficients,
    Evidence,
    Link,
    Mark,
    ModelOpList,
    OpRule,
    OptionLimit,
    PublishedLatency,
    Support,
)

_WEAKEST_FIRST: Final = (Mark.HYPOTHESIS, Mark.DERIVED, Mark.PUBLISHED, Mark.MEASURED)


def evidence(written: EvidenceSchema) -> Evidence:
    """Return the evidence of one number."""
    return Evidence(mark=written.mark, source=" ".join(written.source.split()))


def support(written: SupportSchema | None) -> Support:
    """Return what a processor takes; every builtin op if the file says nothing."""
    if written is None:
        return Support()
    rules = None
    if written.ops is not None:
        rules = tuple(_rule(kind, limits) for kind, limits in written.ops.items())
    return Support(
        rules=rules,
        refused_ops=written.refused_ops,
        dtypes=written.dtypes,
        max_rank=written.max_rank,
        max_wide_dims=written.max_wide_dims,
        custom_ops=written.custom_ops,
        prefix_only=written.prefix_only,
        op_lists=tuple(
            ModelOpList(sha256=sha256, model=o.model, unsupported=o.unsupported, reason=o.reason)
            for sha256, o in written.op_lists.items()
        ),
        source=" ".join(written.source.split()),
    )


def _rule(kind: str, limits: OpLimits | None) -> OpRule:
    if limits is None:
        return OpRule(type=kind)
    options = tuple(
        OptionLimit(name=name, maximum=o.maximum, allowed=o.allowed)
        for name, o in limits.options.items()
    )
    return OpRule(
        type=kind,
        dtypes=limits.dtypes,
        max_rank=limits.max_rank,
        max_version=limits.max_version,
        max_size=limits.max_size,
        kernel_widths=limits.kernel_widths,
        options=options,
    )


def costs(written: Mapping[str, CostSchema]) -> tuple[CostCoefficients, ...]:
    """Return the coefficients of each compute type; one not written is 0 (or weight 1)."""
    found = []
    for dtype, cost in written.items():
        given = {name: number for name, number in cost if number is not None}
        details = _details(given)
        found.append(
            CostCoefficients(
                dtype=dtype,
                evidence=_overall(details),
                details=details,
                **{name: number.value for name, number in given.items()},
            )
        )
    return tuple(found)


def published(written: Mapping[str, PublishedSchema]) -> tuple[PublishedLatency, ...]:
    """Return the published latencies of exact files."""
    return tuple(
        PublishedLatency(
            sha256=sha256, model=row.file, latency_us=row.latency_us, evidence=evidence(row)
        )
        for sha256, row in written.items()
    )


def link(written: DefaultLinkSchema, ends: tuple[int, int]) -> Link:
    """Return one link between two processors."""
    details = _details({"sync_us": written.sync_us, "bytes_per_s": written.bytes_per_s})
    return Link(
        ends=ends,
        sync_us=round(written.sync_us.value),
        bytes_per_s=written.bytes_per_s.value,
        evidence=_overall(details),
        details=details,
    )


def _details(numbers: Mapping[str, EvidenceSchema]) -> tuple[tuple[str, Evidence], ...]:
    return tuple((name, evidence(number)) for name, number in numbers.items())


def _overall(details: tuple[tuple[str, Evidence], ...]) -> Evidence:
    """Return the weakest mark, and every source with what it stands for."""
    marks = {e.mark for _, e in details}
    source = "; ".join(f"{name}: {e.mark}, {e.source}" for name, e in details)
    return Evidence(mark=next(m for m in _WEAKEST_FIRST if m in marks), source=source)
