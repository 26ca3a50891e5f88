import threading
from collections.abc import Iterator

import pytest

from band.clock import MonotonicClock
from band.runtime.agenda import Agenda

WAIT_S = 30.0


class Taker:
    """An agenda, the thread that takes its steps, and what was done."""

    def __init__(self) -> None:
        self.done: list[object] = []
        self.woken = threading.Event()
        self.clock = MonotonicClock()
        self.agenda = Agenda(self.clock, self.wake)
        self.thread = threading.Thread(target=self.take)
        self.thread.start()

    def wake(self) -> None:
        self.done.append("wake")
        self.woken.set()

    def take(self) -> None:
        while (step := self.agenda.next()) is not None:
            step()


@pytest.fixture
def taker() -> Iterator[Taker]:
    taker = Taker()
    yield taker
    taker.agenda.end(lambda: None)
    taker.thread.join()


def test_steps_are_taken_in_order_and_an_answer_comes_after_them(taker: Taker) -> None:
    for number in range(5):
        taker.agenda.put(lambda n=number: taker.done.append(n))  # type: ignore[misc]
    assert taker.agenda.ask(lambda: list(taker.done), taker.thread.join) == [0, 1, 2, 3, 4]


def test_a_wake_up_comes_at_its_time_although_nothing_is_put(taker: Taker) -> None:
    at_us = taker.clock.now_us() + 20_000
    taker.agenda.put(lambda: taker.agenda.wake_at(at_us))
    assert taker.woken.wait(WAIT_S)
    assert taker.clock.now_us() >= at_us


def test_a_wake_up_that_is_due_goes_before_what_was_put(taker: Taker) -> None:
    def step() -> None:
        taker.agenda.wake_at(taker.clock.now_us())
        taker.agenda.put(lambda: taker.done.append("step"))

    taker.agenda.put(step)
    assert taker.woken.wait(WAIT_S)
    taker.agenda.ask(lambda: None, taker.thread.join)
    assert taker.done == ["wake", "step"]


def test_an_exception_of_a_question_goes_to_who_asked(taker: Taker) -> None:
    def fail() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        taker.agenda.ask(fail, taker.thread.join)
    assert taker.agenda.ask(lambda: 1, taker.thread.join) == 1


def test_after_the_end_questions_are_still_answered(taker: Taker) -> None:
    taker.agenda.end(lambda: taker.done.append("last"))
    taker.agenda.end(lambda: taker.done.append("never"))
    assert taker.agenda.ask(lambda: list(taker.done), taker.thread.join) == ["last"]
