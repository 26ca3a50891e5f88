"""The bound on requests that are on time: never below what can be done, and near it."""

import random
from collections.abc import Iterator

import pytest

from band.plan.on_time import Demand, OnTimeBound, least_time_us, on_time_bound
from band.plan.on_time_programme import Group, Programme
from band.plan.table import PlanTable
from band.testing.tables import make_table, random_table, whole

TWO = ("cpu", "gpu")


def demand(model: str, at_us: int, slo_us: int | None, copies: int = 1, **more: object) -> Demand:
    deadline_us = None if slo_us is None else at_us + slo_us
    return Demand((model, "n"), model, copies, at_us, deadline_us, **more)  # type: ignore[arg-type]


Progress = tuple[int, int, int]
"""Of a request: the unit reached, when it was reached, and the processor that holds the data."""


class Exhaustive:
    """Tries every schedule of some requests of one copy each.

    Whatever counts completions that are early enough has a best schedule in which every task
    starts as early as the tasks before it allow: all of those are tried.
    """

    def __init__(self, tables: dict[str, PlanTable], demands: list[Demand]) -> None:
        self.tables = tables
        self.demands = demands
        self.seen: dict[object, int] = {}

    def most_on_time(self) -> int:
        """Return how many requests can be on time."""
        start = tuple((0, d.at_us, -1) for d in self.demands)
        return self.best(start, (0,) * len(TWO))

    def best(self, jobs: tuple[Progress, ...], free: tuple[int, ...]) -> int:
        key = (jobs, free)
        if key not in self.seen:
            later = (self.best(*state) for state in self.steps(jobs, free))
            self.seen[key] = max([self.on_time(jobs), *later])
        return self.seen[key]

    def on_time(self, jobs: tuple[Progress, ...]) -> int:
        return sum(
            d.deadline_us is not None
            and self.complete(d, progress)
            and progress[1] <= d.deadline_us
            for d, progress in zip(self.demands, jobs, strict=True)
        )

    def complete(self, demand: Demand, progress: Progress) -> bool:
        return progress[0] == self.tables[demand.model].unit_count

    def steps(
        self, jobs: tuple[Progress, ...], free: tuple[int, ...]
    ) -> Iterator[tuple[tuple[Progress, ...], tuple[int, ...]]]:
        for j, (unit, at_us, holder) in enumerate(jobs):
            parents = self.demands[j].parents
            if not all(self.complete(self.demands[p], jobs[p]) for p in parents):
                continue
            table = self.tables[self.demands[j].model]
            ready_us = max([at_us, *(jobs[p][1] for p in parents)])
            for span in (s for s in table.spans if s.first == unit):
                p = span.processor
                move_us = table.transfer_us[unit][holder][p] if holder >= 0 else 0
                end_us = max(ready_us, free[p]) + move_us + span.cost_us
                moved = (*jobs[:j], (span.last + 1, end_us, p), *jobs[j + 1 :])
                yield moved, (*free[:p], end_us, *free[p + 1 :])


def random_case(rng: random.Random) -> tuple[dict[str, PlanTable], list[Demand]]:
    tables = {
        name: random_table(
            rng, name, rng.randint(1, 2), processors=TWO, move_us=rng.choice((0, 90))
        )
        for name in ("a", "b")
    }
    demands: list[Demand] = []
    for number in range(rng.randint(2, 4)):
        model = rng.choice(("a", "b"))
        slo_us = rng.choice((None, *[rng.randint(300, 4_000)] * 5))
        parents = (rng.randrange(number),) if number and rng.random() < 0.3 else ()
        at_us = max([rng.randint(0, 2_500), *(demands[p].at_us for p in parents)])
        one = demand(model, at_us, slo_us, parents=parents)
        demands.append(one._replace(source=("s", str(number))))
    return tables, demands


def test_no_schedule_at_all_beats_the_bound_and_most_often_one_reaches_it() -> None:
    tight = 0
    for seed in range(50):
        tables, demands = random_case(random.Random(seed))
        bound = on_time_bound(tables.values(), demands)
        possible = Exhaustive(tables, demands).most_on_time()
        assert bound.due == sum(d.deadline_us is not None for d in demands)
        assert possible <= bound.on_time <= bound.due, seed
        tight += possible == bound.on_time
    assert tight >= 40


def test_simultaneous_requests_that_fit_once_are_on_time_once() -> None:
    table = whole("m", cpu=10)
    at_once = [demand("m", 0, 10, copies=7)]
    assert on_time_bound([table], at_once) == OnTimeBound(1, 7)


@pytest.mark.parametrize("frames", [30, 400, 5_000])
def test_a_steady_overload_is_cut_to_what_the_processors_can_do(frames: int) -> None:
    """A request every 5 ms that takes 10 ms on either of two processors, or 30 on a third."""
    table = whole("m", cpu=30_000, gpu=20_000, dsp=20_000)
    demands = [demand("m", 5_000 * number, 33_000) for number in range(frames)]
    busy_us = 5_000 * (frames - 1) + 33_000
    possible = busy_us * (1 / 30_000 + 2 / 20_000)
    bound = on_time_bound([table], demands).on_time
    assert possible - 1 <= bound <= possible * 1.002 + 1


def test_a_burst_within_a_light_load_is_seen() -> None:
    table = whole("m", cpu=10_000)
    quiet = [demand("m", 1_000_000 * second, 20_000) for second in range(20)]
    burst = [demand("m", 5_000_000, 20_000)] * 50
    demands = sorted([*quiet, *burst], key=lambda one: one.at_us)
    assert on_time_bound([table], demands) == OnTimeBound(19 + 2, 70)


def test_what_is_too_slow_even_alone_is_never_on_time() -> None:
    table = make_table("m", {"cpu": {(0, 0): 60, (1, 1): 60}, "gpu": {(1, 1): 10}}, move_us=5)
    assert least_time_us(table) == 75
    assert on_time_bound([table], [demand("m", 0, 74)]).on_time == 0
    assert on_time_bound([table], [demand("m", 0, 75)]).on_time == 1


def test_a_child_needs_its_parent_and_the_time_after_it() -> None:
    tables = [whole("a", cpu=10), whole("b", gpu=10)]
    frame = [
        Demand(("s", "a"), "a", 1, 0),
        Demand(("s", "b"), "b", 3, 0, 40, parents=(0,)),
    ]
    assert on_time_bound(tables, frame) == OnTimeBound(3, 3)
    assert on_time_bound(tables, [frame[0], frame[1]._replace(deadline_us=39)]).on_time == 2
    assert on_time_bound(tables, [frame[0], frame[1]._replace(deadline_us=19)]).on_time == 0


def test_parents_that_cannot_all_run_hold_their_children_back() -> None:
    """Of 40 frames, 20 first halves fit, so no more than 20 second halves can follow."""
    tables = [whole("a", cpu=10_000), whole("b", gpu=1)]
    frames: list[Demand] = []
    for number in range(40):
        at_us = 5_000 * number
        frames.append(Demand(("s", "a"), "a", 1, at_us, at_us + 12_000))
        frames.append(Demand(("s", "b"), "b", 1, at_us, at_us + 12_000, parents=(2 * number,)))
    assert 40 <= on_time_bound(tables, frames).on_time <= 42


def test_branches_that_may_run_side_by_side_are_not_taken_for_a_chain() -> None:
    table = make_table(
        "m", {"cpu": {(0, 0): 10, (1, 1): 10}, "gpu": {(1, 1): 10}}, dependencies=(0, 0)
    )
    assert least_time_us(table) == 10
    assert on_time_bound([table], [demand("m", 0, 10)]).on_time == 1


def test_a_workload_without_deadlines_has_no_bound() -> None:
    bound = on_time_bound([whole("m", cpu=10)], [demand("m", 0, None)])
    assert bound == OnTimeBound(0, 0)
    assert bound.share is None


def test_the_bound_is_the_optimum_of_the_programme_with_every_way() -> None:
    """Two groups share an interval; one of them has a window of its own as well."""
    tables = {"m": make_table("m", {"cpu": {(0, 0): 4, (1, 1): 4}, "gpu": {(0, 0): 2, (1, 1): 8}})}
    groups = [Group("m", 10, True, 0, 2), Group("m", 10, True, 0, 1)]
    intervals = [(0, 1, 20), (0, 2, 60)]
    # A request takes (4, 2) on cpu and gpu, or (8, 0), (4, 8), (0, 10). The second group has 20 us
    # of each: five of the first kind and one of the last. That leaves enough for all of the first.
    assert Programme(tables, groups, intervals).bound() == pytest.approx(16, abs=0.01)
