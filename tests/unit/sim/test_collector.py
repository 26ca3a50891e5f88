"""A simulation lets the garbage collector rest, and leaves it as it was."""

import gc
import weakref

import pytest

from band.sim.collector import rare_collections


class Knot:
    """Refers to itself, so that only the collector frees it."""

    def __init__(self) -> None:
        self.itself = self


def test_the_collector_is_as_before_after_the_last_block_whatever_happens() -> None:
    before = gc.get_threshold()
    with rare_collections():
        rare = gc.get_threshold()
        with pytest.raises(KeyError), rare_collections():
            raise KeyError
        assert gc.get_threshold() == rare
        assert rare[0] > before[0]
    assert gc.get_threshold() == before


def test_a_collector_that_is_switched_off_stays_off() -> None:
    before = gc.get_threshold()
    gc.set_threshold(0)
    try:
        with rare_collections():
            assert gc.get_threshold()[0] == 0
    finally:
        gc.set_threshold(*before)


def test_cycles_are_still_freed_within_a_block() -> None:
    with rare_collections():
        gone = weakref.ref(Knot())
        kept = [[number] for number in range(250_000)]
    assert gone() is None
    assert len(kept) == 250_000
