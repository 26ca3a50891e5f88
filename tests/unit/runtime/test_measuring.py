"""What many runs of a slice say, and which machine they ran on."""

from collections import deque
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from band.runtime.backends.protocol import Pace, RunResult
from band.runtime.host import Host, this_host
from band.runtime.measuring import Subject, Timing, measure, summary


def test_the_middle_half_speaks_for_device_time_and_the_faster_half_for_processor_time() -> None:
    runs = [100, 102, 98, 101, 99, 5_000, 103, 97]
    found = summary([Timing(us, us - 50) for us in runs])
    assert found.mean_us == round((99 + 100 + 101 + 102) / 4)
    assert found.cpu_us == round((47 + 48 + 49 + 50) / 4)
    assert 103 < found.p95_us <= 5_000


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_few_runs_have_a_summary_too(count: int) -> None:
    assert summary([Timing(10, 7)] * count) == (10, 10, 7)


def test_one_run_without_processor_time_leaves_it_open() -> None:
    assert summary([Timing(10, 7), Timing(10, None)]).cpu_us is None
    assert summary([Timing(0, 0)]) == (1, 1, 1)


class _Backend:
    """Takes from a list how long each run takes."""

    def __init__(self, *times: int) -> None:
        self.times = deque(times)

    def run(self, handle: int, inputs: Mapping[int, Any], pace: Pace, allocate: Any) -> RunResult:
        us = self.times.popleft()
        return RunResult({}, us, 0, 0, us // 2)


def _no_pace() -> Pace:
    return Pace(0, 0, 0)


def test_the_warm_up_does_not_count() -> None:
    backend: Any = _Backend(9_999, 10, 12)
    assert measure(backend, 1, {}, runs=2, pace=_no_pace) == (Timing(10, 5), Timing(12, 6))


def test_half_a_second_is_enough() -> None:
    backend: Any = _Backend(1, *[200_000] * 9)
    assert len(measure(backend, 1, {}, runs=9, pace=_no_pace)) == 3


def test_a_subject_says_when_it_has_had_its_runs() -> None:
    backend: Any = _Backend(5, 5)
    subject = Subject(1, {}, _no_pace)
    assert [subject.run(backend, 2) for _ in range(3)] == [True, True, False]
    assert len(subject.timings) == 2


def test_this_machine_is_named_by_processor_cores_and_architecture() -> None:
    host = this_host()
    assert host == this_host()
    assert host.cpu
    assert host.cores >= 1
    assert str(Host(cpu="Abacus", cores=3, architecture="wood")) == "Abacus (3 cores, wood)"


def test_a_machine_without_cpuinfo_has_a_name_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(**_: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr("band.runtime.host._CPUINFO", SimpleNamespace(read_text=fails))
    this_host.cache_clear()
    try:
        assert this_host().cpu
    finally:
        this_host.cache_clear()
