"""Wake-ups: one for each time that a waiting job needs, none that nobody needs."""

from band.scheduler.alarms import Alarms


def everyone(job: int) -> bool:
    return True


def test_the_earliest_need_is_asked_for_once() -> None:
    alarms = Alarms()
    alarms.need(20, 1)
    alarms.need(10, 2)
    assert alarms.ask(everyone) == 10
    assert alarms.ask(everyone) is None
    alarms.need(5, 3)
    assert alarms.ask(everyone) == 5


def test_after_a_tick_the_next_need_is_asked_for_unless_it_is_on_its_way() -> None:
    alarms = Alarms()
    alarms.need(10, 1)
    alarms.ask(everyone)
    alarms.need(5, 2)
    alarms.ask(everyone)
    alarms.ticked(5)
    assert alarms.due(5) == [2]
    assert alarms.ask(everyone) is None, "10 was asked for before"
    alarms.ticked(10)
    assert alarms.due(10) == [1]
    assert not alarms.needed


def test_the_needs_of_jobs_that_wait_no_more_are_forgotten() -> None:
    alarms = Alarms()
    for job in range(3):
        alarms.need(10 + job, job)
    assert alarms.ask(lambda job: job == 2) == 12
    assert alarms.due(100) == [2]


def test_a_need_told_twice_is_due_once_and_may_be_told_again() -> None:
    alarms = Alarms()
    for _ in range(3):
        alarms.need(10, 1)
    assert alarms.due(10) == [1]
    alarms.need(10, 1)
    assert alarms.due(10) == [1]
    assert repr(alarms) == "<Alarms needed=0 asked=[]>"
