"""Small devices for tests of the runtime, with costs that make plans easy to foresee."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from band.device.profile import (
    CostCoefficients,
    Device,
    Evidence,
    Link,
    Mark,
    Processor,
    ProcessorKind,
)
from band.device.support_table import Support

GUESS: Final = Evidence(mark=Mark.HYPOTHESIS, source="made for a test")
FALLBACK: Final = ("MEAN", "FULLY_CONNECTED", "SOFTMAX")
"""Op types that the processor ``gpu`` of :func:`split_device` lacks."""


def make_processor(
    name: str,
    *,
    index: int = 0,
    backend: str = "emulated",
    refused_ops: Sequence[str] = (),
    dispatch_us: int = 200,
    per_op_us: int = 100,
    runtime: str = "ai-edge-litert",
    options: Mapping[str, bool | int | float | str] | None = None,
) -> Processor:
    """Return a processor whose kind is its name without digits; a run costs dispatch + ops."""
    kinds = {kind.value: kind for kind in ProcessorKind}
    return Processor(
        index=index,
        name=name,
        kind=kinds.get(name.rstrip("0123456789"), ProcessorKind.CPU),
        backend=backend,
        runtime=runtime,
        support=Support(refused_ops=tuple(refused_ops), source="made for a test"),
        costs=tuple(
            CostCoefficients(
                dtype=dtype,
                dispatch_us=dispatch_us,
                us_per_gmac=0.0,
                per_op_us=per_op_us,
                evidence=GUESS,
            )
            for dtype in ("float32", "int8", "int16")
        ),
        options=tuple((options or {}).items()),
    )


def make_device(
    *processors: Processor,
    time_scale: float = 1.0,
    noise_sigma: float = 0.0,
    sync_us: int = 0,
    memory_budget_bytes: int = 1 << 28,
) -> Device:
    """Return a device; the processors get their positions as indices."""
    link = Link(ends=(0, 0), sync_us=sync_us, bytes_per_s=1e9, evidence=GUESS)
    return Device(
        name="made",
        version="1",
        description="made for a test",
        processors=tuple(_at(index, processor) for index, processor in enumerate(processors)),
        default_link=link if sync_us else None,
        memory_budget_bytes=memory_budget_bytes,
        time_scale=time_scale,
        noise_sigma=noise_sigma,
    )


def split_device(*, time_scale: float = 1.0, noise_sigma: float = 0.0, sync_us: int = 20) -> Device:
    """Return a slow CPU and a fast GPU that lacks ``FALLBACK``: the best plans are split."""
    return make_device(
        make_processor("cpu", dispatch_us=200, per_op_us=2_000),
        make_processor("gpu", dispatch_us=200, per_op_us=200, refused_ops=FALLBACK),
        time_scale=time_scale,
        noise_sigma=noise_sigma,
        sync_us=sync_us,
    )


def _at(index: int, processor: Processor) -> Processor:
    return replace(processor, index=index)
