"""ageing and fair_share: bounds that hold over whole runs, on the simulator."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest

from band.metrics.records import RequestRecord
from band.plan.table import PlanTable
from band.scheduler.commands import JobOutcome
from band.scheduler.events import ModelAdded, RequestArrived
from band.scheduler.loader import make_policy, policy_swapped
from band.scheduler.policy import Dispatch, Policy
from band.sim.simulator import SimRun, simulate
from band.testing.arrivals import FixedArrivals
from band.testing.fixed_view import FixedView, make_job
from band.testing.tables import make_device, whole

MS = 1000
Arrivals = Sequence[tuple[int, RequestArrived]]


def run(
    policy: str, tables: Sequence[PlanTable], arrivals: Arrivals, params: Mapping[str, object]
) -> SimRun:
    played = simulate(
        device=make_device(),
        models=[ModelAdded(table) for table in tables],
        policy=policy_swapped(policy, params),
        make_policy=make_policy,
        source=FixedArrivals(arrivals),
    )
    assert not played.policy_reports
    assert {request.outcome for request in played.requests} == {JobOutcome.COMPLETED}
    return played


def started_us(request: RequestRecord) -> int:
    assert request.queue_us is not None
    return request.arrived_us + request.queue_us


def urgent_flood(count: int) -> list[tuple[int, RequestArrived]]:
    """Return jobs of class 1 that alone fill the only processor, and two of them at the start."""
    times = [0, 0, *(n * MS for n in range(1, count))]
    return [(at, RequestArrived(n, "m", priority=1)) for n, at in enumerate(times)]


@pytest.mark.parametrize("class_us", [2 * MS, 5 * MS])
def test_ageing_starts_a_job_of_the_worst_class_within_its_bound(class_us: int) -> None:
    """Class 9 waits for those of class 1 that come within 8 x class_us, and no longer.

    Under strict classes it waits for the end of the flood.
    """
    flood = [*urgent_flood(100), (5 * MS, RequestArrived(999, "m", priority=9))]
    tables = [whole("m", cpu=MS)]

    def wait_us(policy: str, **params: object) -> int:
        requests = run(policy, tables, flood, params).requests
        (poor,) = [r for r in requests if r.request == 999]
        assert poor.queue_us is not None
        return poor.queue_us

    queued_us = 2 * MS
    assert 8 * class_us <= wait_us("ageing", class_us=class_us) <= 8 * class_us + queued_us
    assert wait_us("fcfs") > 90 * MS


@pytest.mark.parametrize("seed", range(5))
def test_ageing_lets_nobody_pass_who_came_too_late_for_his_class(seed: int) -> None:
    """Whoever starts while another waits has arrived before its turn: the bound for any load."""
    rng, class_us, arrivals, at_us = random.Random(seed), 3 * MS, [], 0
    for number in range(150):
        at_us += int(rng.expovariate(1 / (0.9 * MS)))
        request = RequestArrived(number, "m", priority=rng.randint(1, 9))
        arrivals.append((at_us, request))
    requests = run("ageing", [whole("m", cpu=MS)], arrivals, {"class_us": class_us}).requests
    overtaken = 0
    for waiting in requests:
        for other in requests:
            if waiting.arrived_us <= started_us(other) < started_us(waiting):
                lead_us = (waiting.priority - other.priority) * class_us
                assert other.arrived_us <= waiting.arrived_us + lead_us
                overtaken += other.arrived_us > waiting.arrived_us
    assert overtaken > 50, "better classes do go first"


def test_ageing_tells_how_many_it_raised() -> None:
    policy = make_policy(policy_swapped("ageing", {"class_us": 10}))
    jobs = [make_job(0, priority=2)._replace(arrived_us=95), make_job(1, priority=9)]
    view = FixedView([whole("m", cpu=5)], jobs, now_us=100)
    (decision,) = policy.plan(view)
    assert isinstance(decision, Dispatch)
    assert decision.tasks[0].jobs == (1,)
    assert policy.statistics() == {"raised": 1}  # type: ignore[attr-defined]


def both(count: int) -> list[tuple[int, RequestArrived]]:
    """Return jobs of two apps, alternating, that are all there at the start."""
    return [
        (0, RequestArrived(n, "ab"[n % 2], app=("one", "two")[n % 2])) for n in range(2 * count)
    ]


def given_us(played: SimRun, until_us: int) -> Counter[str]:
    """Return the processor time that each model was given until some time."""
    given: Counter[str] = Counter()
    for task in played.tasks:
        end_us = min(task.finished_us, until_us)
        given[task.model] += max(0, end_us - task.dispatched_us)
    return given


@pytest.mark.parametrize("weight", [1.0, 3.0, 0.5])
def test_apps_get_processor_time_by_weight_whatever_their_jobs_take(weight: float) -> None:
    """Within one task of each app, at every moment while both have jobs."""
    tables = [whole("a", cpu=900), whole("b", cpu=1700)]
    played = run("fair_share", tables, both(100), {"weights": {"one": weight}})
    for until_us in (10 * MS, 40 * MS, 90 * MS):
        given = given_us(played, until_us)
        assert abs(given["a"] / weight - given["b"]) <= 900 / weight + 1700


def test_shares_hold_on_several_processors_in_the_long_run() -> None:
    tables = [whole(name, cpu=900, gpu=400, dsp=700, npu=300) for name in "ab"]
    played = run("fair_share", tables, both(120), {"weights": {"one": 2.0}})
    given = given_us(played, 15 * MS)
    assert given["a"] / given["b"] == pytest.approx(2.0, rel=0.1)


def test_an_app_that_was_away_gets_no_credit_for_it() -> None:
    """App two comes back after 50 ms and takes turns; it does not catch up on 50 ms."""
    alone = [(n * MS, RequestArrived(n, "a", app="one")) for n in range(90)]
    back = [(50 * MS, RequestArrived(100 + n, "b", app="two")) for n in range(20)]
    early = [(0, RequestArrived(99, "b", app="two"))]
    tables = [whole("a", cpu=MS), whole("b", cpu=MS)]
    played = run("fair_share", tables, [*early, *alone, *back], {})
    given = given_us(played, 70 * MS)
    before = given_us(played, 50 * MS)
    assert abs((given["a"] - before["a"]) - (given["b"] - before["b"])) <= 2 * MS


def fair(**params: object) -> Policy:
    return make_policy(policy_swapped("fair_share", params))


def test_classes_order_the_jobs_of_one_app_only() -> None:
    def job(number: int, app: str, priority: int) -> object:
        return make_job(number, priority=priority)._replace(app=app)

    policy = fair()
    table = whole("m", cpu=10)
    jobs = [job(0, "one", 1), job(1, "one", 2), job(2, "two", 9)]
    started = []
    while jobs:
        (decision,) = policy.plan(FixedView([table], jobs))  # type: ignore[arg-type]
        assert isinstance(decision, Dispatch)
        started += [spec.jobs[0] for spec in decision.tasks]
        jobs = [job for job in jobs if job.job not in started]  # type: ignore[attr-defined]
    assert started == [0, 2, 1]


def test_apps_that_are_gone_are_forgotten() -> None:
    policy = fair()
    table = whole("m", cpu=10)
    for number in range(500):
        policy.plan(FixedView([table], [make_job(number)._replace(app=f"app{number}")]))
    assert len(policy.statistics()) <= 257  # type: ignore[attr-defined]
