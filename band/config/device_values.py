"""Turns the parts of a device file into the dataclasses of ``band.device.profile``."""

from collections.abc import Mapping
from typing import Final

from band.config.device_schema import CostSchema, DefaultLinkSchema, PublishedSchema
from band.config.numbers import EvidenceSchema
from band.device.profile import CostCoefficients, Evidence, Link, Mark, PublishedLatency

_WEAKEST_FIRST: Final = (Mark.HYPOTHESIS, Mark.DERIVED, Mark.PUBLISHED, Mark.MEASURED)


def evidence(written: EvidenceSchema) -> Evidence:
    """Return the evidence of one number."""
    return Evidence(mark=written.mark, source=" ".join(written.source.split()))


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
