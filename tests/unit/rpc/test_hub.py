"""Watchers see every record, or are told how many they lost; none slows the engine down."""

import threading

import pytest

from band.errors import BandError, ErrorCode
from band.metrics.records import TaskRecord
from band.rpc.hub import MAX_WATCHERS, Hub


def _task(number: int, model: str = "m") -> TaskRecord:
    return TaskRecord(number, (1,), model, 1, "cpu0", 0, 1, 0, 1, 1, ok=True, word="")


def test_a_watcher_sees_the_records_in_order_until_it_is_closed() -> None:
    hub = Hub()
    watcher = hub.watch()
    for number in range(3):
        hub(_task(number))
    watcher.close()
    hub(_task(3))
    assert [(seen.record, seen.lost) for seen in watcher] == [(_task(n), 0) for n in range(3)]


def test_a_watcher_of_one_model_sees_no_other() -> None:
    hub = Hub()
    with hub.watch("b") as watcher:
        hub(_task(1, "a"))
        hub(_task(2, "b"))
    assert [seen.record.model for seen in watcher] == ["b"]


def test_a_slow_watcher_learns_how_many_records_it_lost() -> None:
    hub = Hub()
    watcher = hub.watch(limit=2)
    for number in range(5):
        hub(_task(number))
    reading = iter(watcher)
    assert [next(reading).lost for _ in range(2)] == [0, 0]
    hub(_task(5))
    assert next(reading) == (_task(5), 3)


def test_a_waiting_reader_wakes_when_the_hub_closes() -> None:
    hub = Hub()
    watcher = hub.watch()
    seen: list[object] = []
    reader = threading.Thread(target=lambda: seen.extend(watcher))
    reader.start()
    hub(_task(1))
    hub.close()
    reader.join(timeout=30)
    assert not reader.is_alive()
    assert len(seen) == 1


def test_a_closed_hub_takes_no_watcher() -> None:
    hub = Hub()
    hub.close()
    with pytest.raises(BandError) as caught:
        hub.watch()
    assert caught.value.code is ErrorCode.DRAINING


def test_the_number_of_watchers_is_bounded_and_freed_by_close() -> None:
    hub = Hub()
    watchers = [hub.watch() for _ in range(MAX_WATCHERS)]
    with pytest.raises(BandError) as caught:
        hub.watch()
    assert caught.value.code is ErrorCode.QUOTA
    watchers[0].close()
    hub.watch().close()
