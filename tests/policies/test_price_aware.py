"""price_aware: the advice against programmes solved by hand, and what it does with it."""

import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from band.plan.table import PlanTable
from band.scheduler.advice import Rehearsed, Snapshot
from band.scheduler.commands import Finish, JobOutcome
from band.scheduler.events import (
    Event,
    Json,
    ModelAdded,
    RequestArrived,
    StreamLoad,
    WorkerDown,
)
from band.scheduler.loader import make_policy, policy_swapped
from band.scheduler.policy import Dispatch
from band.sim.simulator import SimRun, simulate
from band.testing.arrivals import FixedArrivals
from band.testing.core_driver import CoreDriver
from band.testing.fixed_view import FixedView, make_job
from band.testing.tables import make_device, make_table, random_table, whole
from band.testing.workloads import workload


def make(**params: object) -> Any:
    return make_policy(policy_swapped("price_aware", params))


def no_simulation(payload: Json) -> Rehearsed | None:
    raise AssertionError(f"it simulates {payload}")


def advice(tables: Mapping[str, PlanTable], *streams: StreamLoad) -> Any:
    snapshot = Snapshot(now_us=0, tables=tables, streams=streams, window=(), processors=())
    policy = make()
    return policy.advise(snapshot, policy.params, no_simulation, 0)


def stream(model: str, period_us: int, **fields: Any) -> StreamLoad:
    return StreamLoad(stream="s", model=model, period_us=period_us, next_us=0, **fields)


def prices(load: float, *each: float, **flows: list[tuple[int, int, int, int, float]]) -> Any:
    """Return a payload for the four processors of the tests."""
    return {"load": load, "prices": (*each, *[0.0] * (4 - len(each))), "flows": flows}


def test_the_advice_is_the_hand_solved_programme() -> None:
    """100 a second of what 10 ms of cpu or 5 ms of gpu do: a third of 300, shares 1 : 2."""
    table = whole("m", cpu=10_000, gpu=5_000)
    payload = advice({"m": table}, stream("m", 10_000))
    assert payload["load"] == pytest.approx(1 / 3)
    assert payload["prices"] == pytest.approx((1 / 3, 2 / 3, 0, 0))
    assert [flow[:4] for flow in payload["flows"]["m"]] == [(-1, 0, 0, 0), (-1, 0, 0, 1)]
    assert [flow[4] for flow in payload["flows"]["m"]] == pytest.approx([1 / 3, 2 / 3])


def test_streams_of_a_model_add_up_with_their_copies() -> None:
    table = whole("m", cpu=10_000)
    payload = advice({"m": table}, stream("m", 20_000), stream("m", 100_000, copies=2.5))
    assert payload["load"] == pytest.approx(0.5 + 0.25)


def test_there_is_no_advice_without_a_load_that_tables_know() -> None:
    table = whole("m", cpu=10_000)
    assert advice({"m": table}) is None
    assert advice({"m": table}, stream("gone", 1000)) is None
    policy = make()
    policy.advised(prices(1.0, 0.0, 0.5, 0.5))
    known = policy.statistics()["load_percent"]
    policy.advised(None)
    assert policy.statistics()["load_percent"] == known == 100


def play(policy: str, params: Mapping[str, object], seed: int) -> SimRun:
    rng = random.Random(seed)
    tables = [random_table(rng, f"m{n}", rng.randint(1, 4), move_us=30) for n in range(3)]
    at_us, arrivals = 0, []
    for number in range(80):
        at_us += int(rng.expovariate(1 / 500))
        priority = rng.choice([0, 1])
        arrivals.append((at_us, RequestArrived(number, f"m{rng.randrange(3)}", priority=priority)))
    return simulate(
        device=make_device(),
        models=[ModelAdded(table) for table in tables],
        policy=policy_swapped(policy, params),
        make_policy=make_policy,
        source=FixedArrivals(arrivals),
    )


@pytest.mark.parametrize("seed", range(5))
def test_without_advice_it_is_shortest_expected_latency(seed: int) -> None:
    """These requests are over before advice is there, so both runs are the same."""
    mine = play("price_aware", {"window": 16}, seed)
    theirs = play("shortest_expected_latency", {}, seed)
    early = [t for t in mine.tasks if t.finished_us < 20_000]
    assert early == [t for t in theirs.tasks if t.finished_us < 20_000]
    assert len(early) > 20


def placed(policy: Any, view: FixedView) -> list[tuple[int, int]]:
    decisions = policy.plan(view)
    specs = [s for d in decisions if isinstance(d, Dispatch) for s in d.tasks]
    return [(spec.jobs[0], spec.processor) for spec in specs]


TWO = whole("m", cpu=10, gpu=4)


def test_a_scarce_processor_is_spared() -> None:
    """Price 2 (mean 1) makes 4 us of gpu count 12: more than 10; at a tenth of the load 4.8."""
    policy = make()
    policy.advised(prices(1.0, 0.0, 0.5, 0.5))
    assert placed(policy, FixedView([TWO], [make_job(0)])) == [(0, 0)]
    policy.advised(prices(0.1, 0.0, 0.5, 0.5))
    assert placed(policy, FixedView([TWO], [make_job(0)])) == [(0, 1)]
    policy = make(beta=0.5)
    policy.advised(prices(1.0, 0.0, 0.5, 0.5))
    assert placed(policy, FixedView([TWO], [make_job(0)])) == [(0, 1)], "4 x 2 is less than 10"


@pytest.mark.parametrize(("deadline_us", "processor"), [(10, 0), (9, 1), (3, 0)])
def test_time_counts_more_than_the_price_where_only_the_dear_plan_is_in_time(
    deadline_us: int, processor: int
) -> None:
    policy = make()
    policy.advised(prices(1.0, 0.0, 0.5, 0.5))
    view = FixedView([TWO], [make_job(0, deadline_us=deadline_us)])
    assert placed(policy, view) == [(0, processor)]


def test_hopeless_jobs_go_last_and_the_latest_start_first() -> None:
    """Of 10 us each: job 0 is late, job 1 has to start by 30, job 2 by 10."""
    tables = [whole("m", cpu=10), whole("n", cpu=30)]
    jobs = [
        make_job(0, deadline_us=9),
        make_job(1, deadline_us=40),
        make_job(2, "n", deadline_us=40),
    ]
    policy = make(congested=99.0)
    policy.advised(prices(1.0, 1.0, 0.0))
    order = []
    while jobs:
        ((job, _),) = placed(policy, FixedView(tables, jobs))
        order.append(job)
        jobs = [other for other in jobs if other.job != job]
    assert order == [2, 1, 0]


def test_a_job_without_deadline_is_due_after_some_latencies() -> None:
    """Its latest start is 0 + 3 x 10 - 10 = 20; that of the other one 35 - 10 = 25, or 5."""
    policy = make(congested=99.0)
    policy.advised(prices(1.0, 1.0, 0.0))
    patient, urgent = make_job(0), make_job(1, deadline_us=35)
    table = whole("m", cpu=10)
    assert placed(policy, FixedView([table], [urgent, patient])) == [(0, 0)]
    assert placed(policy, FixedView([table], [patient, make_job(1, deadline_us=15)])) == [(1, 0)]


def test_under_congestion_jobs_take_the_spans_in_proportion_to_the_flow() -> None:
    policy = make(congested=0.0)
    policy.advised(prices(1.0, 0.3, 0.7, m=[(-1, 0, 0, 0, 0.25), (-1, 0, 0, 1, 0.75)]))
    taken = Counter(
        processor
        for number in range(40)
        for _, processor in placed(policy, FixedView([TWO], [make_job(number)]))
    )
    assert taken == {0: 10, 1: 30}
    assert policy.statistics()["passes_flow"] == 40


def test_a_job_of_the_flow_waits_for_its_processor_and_the_next_one_takes_another() -> None:
    policy = make(congested=0.0)
    policy.advised(prices(1.0, 0.3, 0.7, m=[(-1, 0, 0, 0, 0.4), (-1, 0, 0, 1, 0.6)]))
    busy = FixedView([TWO], [make_job(0), make_job(1)], waits_us=[0, 5, 0, 0])
    assert placed(policy, busy) == [(1, 0)], "job 0 is meant for the gpu"


def test_off_the_flow_it_plans_by_price() -> None:
    """Pinned jobs, models without a stream, states that the flow does not reach."""
    split = make_table("s", {"cpu": {(0, 0): 5, (1, 1): 5}, "gpu": {(0, 0): 2, (1, 1): 2}})
    policy = make(congested=0.0)
    policy.advised(prices(0.0, 0.5, 0.5, m=[(-1, 0, 0, 0, 1.0)], s=[(-1, 0, 0, 0, 1.0)]))
    assert placed(policy, FixedView([TWO], [make_job(0)])) == [(0, 0)]
    assert placed(policy, FixedView([TWO], [make_job(0, processor=1)])) == [(0, 1)]
    assert placed(policy, FixedView([whole("x", cpu=9, gpu=3)], [make_job(0, "x")])) == [(0, 1)]
    later = make_job(0, "s", finished=1, holder=0)
    assert placed(policy, FixedView([split], [later])) == [(0, 1)]
    evicted = FixedView([whole("m", gpu=4)], [make_job(0)])
    assert placed(policy, evicted) == [(0, 1)], "the span of the flow is not loaded"


def test_a_job_that_lost_a_branch_does_not_go_on_behind_it() -> None:
    """Unit 1 is lost while unit 2 is done: the flow's spans from unit 3 on are not for that job."""
    names = ["cpu", "gpu"]
    costs = {name: {(unit, unit): 10 for unit in range(4)} for name in names}
    needs = [0, 0b0001, 0b0001, 0b0110]
    diamond = make_table("diamond", costs, processors=names, dependencies=needs)
    flow = [(-1, unit, unit, processor, 0.5) for unit in range(4) for processor in range(2)]
    policy = make(congested=0.0)
    policy.advised({"load": 1.0, "prices": (0.5, 0.5), "flows": {"diamond": flow}})
    driver = CoreDriver(diamond, policy=policy, processors=names)
    job = driver.request("diamond")
    driver.finish(0)
    lost, other = sorted(driver.running.values(), key=lambda task: task.slice.units)
    driver.send(WorkerDown(lost.processor, "gone"))
    driver.running.pop(lost.id)
    driver.finish(other.id)
    assert not driver.core.status().reports
    assert driver.started[3].slice.units == lost.slice.units
    driver.finish_all()
    assert driver.ended[job].outcome is JobOutcome.COMPLETED


class MostInSystem:
    """Notes the most requests that were in the system at a time."""

    def __init__(self) -> None:
        self.now = self.most = 0

    def record(self, now_us: int, event: Event, commands: Any) -> None:
        """Count arrivals and ends."""
        self.now += isinstance(event, RequestArrived)
        self.most = max(self.most, self.now)
        self.now -= sum(isinstance(command, Finish) for command in commands)


def most_in_system(policy: str, seed: int, share: float, seconds: float) -> int:
    load = workload(seed)
    books = MostInSystem()
    simulate(
        device=make_device(),
        models=[ModelAdded(table) for table in load.tables],
        policy=policy_swapped(policy),
        make_policy=make_policy,
        source=load.arrivals(share * load.bound.scale, seconds, declared=True),
        recorder=books,
    )
    return books.most


def test_at_92_percent_of_the_bound_the_queue_stays_short() -> None:
    assert most_in_system("price_aware", 100, 0.92, 1.5) <= 24
    assert most_in_system("shortest_expected_latency", 100, 0.92, 0.6) > 48


@pytest.mark.slow
@pytest.mark.parametrize("seed", [101, 102])
def test_at_96_percent_of_the_bound_it_is_stable(seed: int) -> None:
    assert most_in_system("price_aware", seed, 0.96, 4) <= 32
