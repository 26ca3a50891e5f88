"""Chores are put by any thread while the worker's looks at them."""

import sys
import threading
from functools import partial

import pytest

from band.runtime.chores import Chores


def test_chores_may_come_while_the_worker_looks_whether_one_is_overdue() -> None:
    chores, ended = Chores(), threading.Event()
    done: list[int] = []
    errors: list[BaseException] = []

    def look() -> None:
        try:
            while not ended.is_set():
                chores.overdue()
        except RuntimeError as error:
            errors.append(error)

    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        looking = threading.Thread(target=look)
        looking.start()
        for number in range(2_000):
            chores.put(partial(done.append, number), 60.0)
        ended.set()
        looking.join(30)
    finally:
        sys.setswitchinterval(interval_s)
    assert not errors
    chores.end()
    assert done == list(range(2_000))


@pytest.mark.parametrize(("patience_s", "overdue"), [(0.0, True), (60.0, False)])
def test_a_chore_is_overdue_once_its_patience_is_over(patience_s: float, overdue: bool) -> None:
    chores = Chores()
    assert not chores.overdue()
    chores.put(lambda: None, 60.0)
    chores.put(lambda: None, patience_s)
    assert chores.overdue() is overdue
    chores.do_next()
    chores.do_next()
    chores.do_next()
    assert not chores.overdue()
