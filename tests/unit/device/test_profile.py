"""Moving data, and the small questions a device answers."""

import pytest

from band.device.profile import (
    Device,
    Evidence,
    Link,
    Mark,
    Processor,
    ProcessorKind,
)
from band.device.support_table import Support

GUESS = Evidence(mark=Mark.HYPOTHESIS, source="made up for a test")


def processor(index: int, backend: str) -> Processor:
    return Processor(
        index=index,
        name=f"p{index}",
        kind=ProcessorKind.CPU,
        backend=backend,
        support=Support(),
        costs=(),
    )


def device(*backends: str, links: tuple[Link, ...] = (), default: Link | None = None) -> Device:
    return Device(
        name="d",
        version="1",
        description="",
        processors=tuple(processor(i, b) for i, b in enumerate(backends)),
        links=links,
        default_link=default,
    )


def link(ends: tuple[int, int], sync_us: int, bytes_per_s: float) -> Link:
    return Link(ends=ends, sync_us=sync_us, bytes_per_s=bytes_per_s, evidence=GUESS)


@pytest.mark.parametrize(
    ("source", "target", "size", "us"),
    [
        (0, 1, 1000, 5 + 1000),
        (1, 0, 1000, 5 + 1000),
        (0, 2, 1000, 100 + 10),
        (0, 2, 1, 100 + 1),
        (2, 2, 1000, 0),
        (0, 2, 0, 0),
    ],
)
def test_a_transfer_takes_the_link_of_the_pair_else_the_default(
    source: int, target: int, size: int, us: int
) -> None:
    moved = device(
        "cpu", "cpu", "cpu", links=(link((1, 0), 5, 1e6),), default=link((0, 0), 100, 1e8)
    )
    assert moved.transfer_us(source, target, size) == us


def test_without_links_moving_is_free() -> None:
    assert device("cpu", "cpu").transfer_us(0, 1, 1 << 30) == 0


def test_a_device_is_emulated_if_any_processor_is() -> None:
    assert device("cpu", "emulated").emulated
    assert not device("cpu", "delegate").emulated


def test_a_processor_is_found_by_its_name() -> None:
    made = device("cpu", "emulated")
    assert made.processor("p1") is made.processors[1]
    assert made.processor("p9") is None
