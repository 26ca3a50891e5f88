import pytest

from band.runtime.overrun import OverrunWatch
from band.scheduler.events import PolicyOverran, RequestArrived, Tick

ARRIVED = RequestArrived(1, "m")


class Times:
    """The two clocks of the watch, moved by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall_us = self.cpu_us = 0
        monkeypatch.setattr("time.perf_counter_ns", lambda: self.wall_us * 1_000)
        monkeypatch.setattr("time.thread_time_ns", lambda: self.cpu_us * 1_000)

    def event(self, watch: OverrunWatch, wall_us: int, cpu_us: int) -> PolicyOverran | None:
        watch.start()
        self.wall_us += wall_us
        self.cpu_us += cpu_us
        return watch.stop(ARRIVED, "p")


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> Times:
    return Times(monkeypatch)


def test_a_policy_that_keeps_computing_too_long_is_reported(times: Times) -> None:
    watch = OverrunWatch(100)
    assert times.event(watch, 150, 150) is None  # one slow event is forgiven
    assert times.event(watch, 150, 140) == PolicyOverran("p", 140)


def test_a_busy_machine_is_not_held_against_a_policy(times: Times) -> None:
    watch = OverrunWatch(100)
    assert all(times.event(watch, 1_900, 30) is None for _ in range(10))


def test_a_policy_that_blocks_is_found_by_the_clock(times: Times) -> None:
    watch = OverrunWatch(100)
    assert times.event(watch, 3_000, 1) is None
    assert times.event(watch, 3_000, 1) == PolicyOverran("p", 3_000)


def test_a_fast_event_clears_the_suspicion(times: Times) -> None:
    watch = OverrunWatch(100)
    for _ in range(5):
        assert times.event(watch, 150, 150) is None
        assert times.event(watch, 50, 50) is None


def test_only_events_that_lead_to_passes_count(times: Times) -> None:
    watch = OverrunWatch(100)
    for _ in range(3):
        watch.start()
        times.wall_us += 10_000
        assert watch.stop(Tick(), "p") is None
