import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from band.clock import MonotonicClock
from band.runtime.agenda import Agenda, Step

WAIT_S = 30.0


class Taker:
    """An agenda, what was done, and by which thread."""

    def __init__(self) -> None:
        self.done: list[object] = []
        self.threads: list[str] = []
        self.woken = threading.Event()
        self.clock = MonotonicClock()
        self.agenda = Agenda(self.clock, self.perform, self.wake)
        self.agenda.start()

    def perform(self, step: Step) -> None:
        self.threads.append(threading.current_thread().name)
        step()

    def wake(self) -> None:
        self.done.append("wake")
        self.woken.set()

    def noting(self, what: object) -> Step:
        return lambda: self.done.append(what)


@pytest.fixture
def taker() -> Iterator[Taker]:
    taker = Taker()
    yield taker
    taker.agenda.end()


def _elsewhere(call: Callable[[], object]) -> None:
    thread = threading.Thread(target=call, name="caller")
    thread.start()
    thread.join(WAIT_S)


def test_steps_are_done_in_order_and_an_answer_comes_after_them(taker: Taker) -> None:
    for number in range(5):
        taker.agenda.put(taker.noting(number))
    assert taker.agenda.ask(lambda: list(taker.done)) == [0, 1, 2, 3, 4]


def test_who_puts_a_step_does_it_but_never_the_main_thread(taker: Taker) -> None:
    _elsewhere(lambda: taker.agenda.put(taker.noting("step")))
    assert (taker.done, taker.threads) == (["step"], ["caller"])
    taker.agenda.ask(lambda: None)
    assert taker.threads == ["caller", "band-scheduler"]


def test_steps_put_from_many_threads_are_done_one_at_a_time_and_none_is_lost(
    taker: Taker,
) -> None:
    inside: list[int] = []
    overlaps: list[int] = []

    def step() -> None:
        inside.append(1)
        overlaps.append(len(inside))
        taker.done.append(1)
        inside.pop()

    def put_many() -> None:
        for _ in range(2_000):
            taker.agenda.put(step)

    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(put_many) for _ in range(4)]:
            future.result(WAIT_S)
    assert taker.agenda.ask(lambda: len(taker.done)) == 8_000
    assert set(overlaps) == {1}


def test_a_step_may_put_more_steps_and_a_caller_does_no_more_than_its_share(
    taker: Taker,
) -> None:
    last = threading.Event()

    def step(left: int) -> None:
        if left:
            taker.agenda.put(lambda: step(left - 1))
        else:
            last.set()

    _elsewhere(lambda: taker.agenda.put(lambda: step(100)))
    assert last.wait(WAIT_S)
    assert taker.threads.count("caller") == 32
    assert taker.threads.count("band-scheduler") == 69


def test_a_wake_up_comes_at_its_time_although_nothing_is_put(taker: Taker) -> None:
    at_us = taker.clock.now_us() + 20_000
    taker.agenda.put(lambda: taker.agenda.wake_at(at_us))
    assert taker.woken.wait(WAIT_S)
    assert taker.clock.now_us() >= at_us


def test_an_earlier_wake_up_is_not_held_back_by_a_later_one(taker: Taker) -> None:
    now_us = taker.clock.now_us()
    taker.agenda.put(lambda: taker.agenda.wake_at(now_us + 3_600_000_000))
    taker.agenda.put(lambda: taker.agenda.wake_at(now_us + 10_000))
    assert taker.woken.wait(WAIT_S)
    assert taker.agenda.ask(lambda: list(taker.done)) == ["wake"]


def test_each_wake_up_comes_once(taker: Taker) -> None:
    now_us = taker.clock.now_us()

    def step() -> None:
        for delay_us in (2_000, 1_000, 1_000, 30_000):
            taker.agenda.wake_at(now_us + delay_us)

    taker.agenda.put(step)
    while len(taker.done) < 4:
        assert taker.woken.wait(WAIT_S)
    assert taker.clock.now_us() >= now_us + 30_000
    assert taker.done == ["wake"] * 4


def test_an_exception_of_a_question_goes_to_who_asked(taker: Taker) -> None:
    def fail() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        taker.agenda.ask(fail)
    assert taker.agenda.ask(lambda: 1) == 1


def test_after_the_end_questions_are_still_answered(taker: Taker) -> None:
    taker.agenda.end()
    assert taker.agenda.ask(lambda: 1) == 1
    _elsewhere(lambda: taker.agenda.put(taker.noting("late")))
    assert taker.done == ["late"]
    assert taker.threads == ["MainThread", "caller"]
