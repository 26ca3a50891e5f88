"""What every policy must keep. Files are found, not listed: a dropped-in one is tested at once.

A policy whose parameters have no defaults ships an ``EXAMPLE = Params(...)``.
"""

import copy
import json
import pickle
import random
import sys
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest

from band.config.params import parse_params
from band.plan.table import PlanTable
from band.scheduler.commands import JobOutcome
from band.scheduler.events import (
    AdviceReady,
    ModelAdded,
    PolicySwapped,
    RequestArrived,
    StreamLoad,
    StreamsDeclared,
    TaskFinished,
)
from band.scheduler.loader import make_policy as load_policy
from band.scheduler.loader import policy_swapped
from band.scheduler.policy import (
    Advisor,
    Decision,
    Dispatch,
    Drop,
    Observed,
    Policy,
    PolicyInfo,
)
from band.scheduler.policy_source import PolicySource, load_file
from band.scheduler.rules import whole_span
from band.scheduler.view import JobView, View
from band.share import share_dir
from band.sim.advise import advice_task, advise, plain
from band.sim.simulator import SimRun, simulate
from band.testing.arrivals import FixedArrivals
from band.testing.core_driver import CoreDriver
from band.testing.fixed_view import FixedView, make_job
from band.testing.shipped import quick
from band.testing.tables import PROCESSORS, chain, make_device, random_table, whole

FILES = sorted(share_dir("policies").glob("*.py"))
ADVISORS = [path for path in FILES if hasattr(load_file(path).policy_type, "advise")]
DIAMOND = (0, 0b0001, 0b0001, 0b0110)


def make(source: PolicySource) -> Policy:
    module = sys.modules[source.policy_type.__module__]
    params = getattr(module, "EXAMPLE", None) if source.needs_params else source.params_type()
    assert params is not None, f"{source.path} has parameters without default and no EXAMPLE"
    policy: Policy = source.policy_type(params)
    return policy


@pytest.fixture(params=FILES, ids=[path.stem for path in FILES])
def source(request: pytest.FixtureRequest) -> PolicySource:
    return load_file(request.param)


class Watched:
    """Checks every pass of the policy it wraps."""

    info: ClassVar = PolicyInfo(name="watched", summary="", source="")

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.params = policy.params  # type: ignore[attr-defined]
        self.passes = 0

    def plan(self, view: View) -> Sequence[Decision]:
        before = (view.now_us, tuple(view.window), tuple(view.processors), view.waits_us)
        twin = copy.deepcopy(self._policy)
        decisions = self._policy.plan(view)
        assert list(decisions) == list(twin.plan(view)), "the same view gave another answer"
        after = (view.now_us, tuple(view.window), tuple(view.processors), view.waits_us)
        assert before == after, "the view has changed"
        check(view, decisions)
        if self._policy.info.work_conserving:
            check_work_conserving(view, decisions)
        self.passes += 1
        return decisions


def check(view: View, decisions: Sequence[Decision]) -> None:
    """Check that each decision is about one job of the window that may do this now."""
    window = {job.job: job for job in view.window}
    taken: set[int] = set()
    used: set[int] = set()
    for decision in decisions:
        if isinstance(decision, Drop):
            assert not window[decision.job].running
            assert decision.job not in taken
            taken.add(decision.job)
        for spec in decision.tasks if isinstance(decision, Dispatch) else ():
            assert not taken & set(spec.jobs), "a job twice in one pass"
            taken.update(spec.jobs)
            assert view.waits_us[spec.processor] == 0, "the processor is not idle"
            assert spec.processor not in used, "a processor twice in one pass"
            used.add(spec.processor)
            for number in spec.jobs:
                check_units(view, window[number], spec.slice.units, spec.processor)


def check_units(view: View, job: JobView, units: int, processor: int) -> None:
    table = view.table(job.model)
    first, last = (units & -units).bit_length() - 1, units.bit_length() - 1
    assert table.find(first, last, processor) is not None, "the slice is not loaded there"
    assert not units & (job.finished | job.running), "units that are finished or running"
    for unit in range(first, last + 1):
        assert not table.dependencies[unit] & ~(job.finished | units), "an input is missing"
    assert job.processor in {-1, processor}, "pinned elsewhere"


def check_work_conserving(view: View, decisions: Sequence[Decision]) -> None:
    """Check that no processor is left idle that could run a waiting job to its end."""
    specs = [s for d in decisions if isinstance(d, Dispatch) for s in d.tasks]
    ended = {d.job for d in decisions if isinstance(d, Drop)}
    busy = {spec.processor for spec in specs}
    left = [
        job
        for job in view.window
        if job.job not in ended and all(job.job not in spec.jobs for spec in specs)
    ]
    for processor, wait_us in enumerate(view.waits_us):
        if wait_us == 0 and processor not in busy:
            for job in left:
                span = whole_span(view.table(job.model), job, processor)
                assert span is None or job.processor not in {-1, processor}, "it sits idle"


def random_tables(rng: random.Random) -> list[PlanTable]:
    shapes = [(1, None), (3, None), (4, DIAMOND), (5, chain(5)), (3, (0, 0, 0b11))]
    return [
        random_table(
            rng, f"m{number}", units, dependencies=dependencies, move_us=rng.choice([0, 40])
        )
        for number, (units, dependencies) in enumerate(shapes)
    ]


def play(policy: Policy, seed: int) -> SimRun:
    """Play 120 random requests that overload the device now and then."""
    rng = random.Random(seed)
    tables = random_tables(rng)
    at_us, arrivals = 0, []
    for number in range(120):
        at_us += int(rng.expovariate(1 / 450))
        arrivals.append(
            (
                at_us,
                RequestArrived(
                    number,
                    rng.choice(tables).model,
                    priority=rng.choice([0, 0, 1, 5]),
                    deadline_us=rng.choice([None, at_us + 4000]),
                    expires_us=rng.choice([None, None, at_us + 9000]),
                    processor=rng.choice([None] * 6 + [*PROCESSORS]),
                ),
            )
        )

    def make_policy(event: PolicySwapped) -> Policy:
        return policy if event.name == "watched" else load_policy(event)

    return simulate(
        device=make_device(noise_sigma=0.2),
        models=[ModelAdded(table) for table in tables],
        policy=PolicySwapped("watched", ""),
        make_policy=make_policy,
        source=FixedArrivals(arrivals),
        seed=seed,
    )


@pytest.mark.parametrize("seed", range(4))
def test_every_decision_is_valid_and_every_request_ends(source: PolicySource, seed: int) -> None:
    watched = Watched(make(source))
    run = play(watched, seed)
    assert run.policy_reports == ()
    assert sorted(r.request for r in run.requests) == list(range(120))
    assert sum(r.outcome == JobOutcome.COMPLETED for r in run.requests) > 40
    assert watched.passes > 100


@pytest.mark.parametrize("seed", range(2))
def test_it_takes_over_and_hands_over_in_the_middle_of_a_run(
    source: PolicySource, seed: int
) -> None:
    """Jobs wait, some have finished units, tasks run: none is lost and none run twice."""
    rng = random.Random(seed)
    tables = random_tables(rng)
    watched = Watched(make(source))
    driver = CoreDriver(*tables, policies={"watched": lambda: watched})
    swaps = {20: "watched", 40: "shortest_expected_latency", 60: "watched", 80: "heft"}
    for number in range(100):
        driver.now_us += rng.randrange(300)
        deadline_us = rng.choice([None, driver.now_us + 4000])
        priority = rng.choice([0, 2])
        driver.request(rng.choice(tables).model, priority=priority, deadline_us=deadline_us)
        if number in swaps:
            driver.send(PolicySwapped(swaps[number], ""))
        while len(driver.running) > 2:
            driver.finish(min(driver.running))
    driver.finish_all()
    assert sorted(driver.ended) == list(range(100))
    assert watched.passes > 20
    assert not driver.core.status().reports
    units = Counter((job, task.slice) for task in driver.started for job in task.jobs)
    assert set(units.values()) == {1}


def test_its_statistics_are_numbers_and_asking_changes_nothing(source: PolicySource) -> None:
    policy = make(source)
    if not isinstance(policy, Observed):
        assert not hasattr(policy, "statistics")
        return
    play(Watched(policy), 1)
    before = pickle.dumps(policy)
    first, second = dict(policy.statistics()), dict(policy.statistics())
    assert first == second
    assert all(isinstance(value, int | float) for value in first.values())
    assert first
    assert pickle.dumps(policy) == before
    assert json.loads(json.dumps(first)) == first


def test_its_parameters_as_a_daemon_tells_them_put_it_in_force_again(source: PolicySource) -> None:
    swapped = partial(policy_swapped, source.name, parse=parse_params, sha256=source.sha256)
    event = swapped(dict(quick(source).params))
    assert swapped(json.loads(json.dumps(dict(event.params)))) == event


def advise_once(source: PolicySource) -> AdviceReady:
    """Return the advice for declared streams, made with three simulations at most."""
    tables = random_tables(random.Random(3))
    driver = CoreDriver(*tables, policy=source.name)
    loads = [
        StreamLoad(f"s{n}", table.model, 4000 + 500 * n, 0, deadline_us=6000)
        for n, table in enumerate(tables)
    ]
    driver.send(StreamsDeclared(tuple(loads)))
    left = iter([True] * 3)
    task = advice_task(driver.core, source.name, driver.now_us)
    return advise(task, in_time=lambda: next(left, False))


@pytest.mark.parametrize("source", ADVISORS, ids=[path.stem for path in ADVISORS], indirect=True)
def test_the_same_core_gives_the_same_advice(source: PolicySource) -> None:
    ready = advise_once(source)
    assert ready.reason == ""
    assert ready.payload is not None
    assert ready == advise_once(source)
    assert plain(json.loads(json.dumps(ready.payload))) == ready.payload


@pytest.mark.parametrize("source", ADVISORS, ids=[path.stem for path in ADVISORS], indirect=True)
def test_an_advised_policy_keeps_all_this_too(source: PolicySource) -> None:
    policy = make(source)
    assert isinstance(policy, Advisor)
    policy.advised(advise_once(source).payload)
    run = play(Watched(policy), 3)
    assert run.policy_reports == ()
    assert len(run.requests) == 120


def test_the_same_trace_gives_the_same_run(source: PolicySource) -> None:
    assert play(Watched(make(source)), 7) == play(Watched(make(source)), 7)


def test_an_empty_window_gives_nothing(source: PolicySource) -> None:
    assert list(make(source).plan(FixedView([whole("m", cpu=5)], []))) == []


def test_busy_processors_get_nothing(source: PolicySource) -> None:
    view = FixedView([whole("m", cpu=5)], [make_job(0), make_job(1)], waits_us=[1, 2, 3, 4])
    assert not [d for d in make(source).plan(view) if isinstance(d, Dispatch)]


def test_a_job_that_no_processor_can_run_is_never_dispatched_and_stops_no_other(
    source: PolicySource,
) -> None:
    """The core drops such a job before a policy sees it; a policy must not spin or fail on it."""
    nowhere = make_job(0, "m", processor=3)
    view = FixedView([whole("m", cpu=5)], [nowhere, make_job(1)])
    decisions = make(source).plan(view)
    tasks = [s for d in decisions if isinstance(d, Dispatch) for s in d.tasks]
    assert [spec.jobs for spec in tasks] == [(1,)]


def test_a_request_that_no_processor_can_run_ends_with_a_reason(source: PolicySource) -> None:
    driver = CoreDriver(whole("m", cpu=5), policy=make(source))
    job = driver.request("m", processor="gpu")
    assert driver.ended[job].reason == "no_processor"
    assert not driver.core.status().reports


def test_an_idle_device_and_a_waiting_job_make_progress(source: PolicySource) -> None:
    rng = random.Random(5)
    for table in random_tables(rng):
        decisions = make(source).plan(FixedView([table], [make_job(0, table.model)]))
        assert [d for d in decisions if isinstance(d, Dispatch)]


def test_a_thousand_waiting_jobs_cost_no_more_than_a_window_of_them(source: PolicySource) -> None:
    searches = []
    for count in (100, 1000):
        driver = Counting(make(source), count)
        searches.append(driver.searches)
    assert searches[0] == searches[1] <= 2 * 16**2


class Counting:
    """Counts the best plans that one pass asks for while many jobs wait."""

    info: ClassVar = PolicyInfo(name="counting", summary="", source="")

    def __init__(self, policy: Policy, count: int) -> None:
        self._policy = policy
        self.params = policy.params  # type: ignore[attr-defined]
        self.searches = 0
        driver = CoreDriver(whole("m", cpu=5, gpu=6), policies={"counting": lambda: self})
        for number in range(count):
            driver.core.handle(RequestArrived(number, "m"), 0)  # the driver's checks cost O(queue)
        driver.send(PolicySwapped("counting", ""))
        driver.core.handle(TaskFinished(0, 5), 0)

    def plan(self, view: View) -> Sequence[Decision]:
        counted = CountedView(view)
        decisions = self._policy.plan(counted)
        self.searches = max(self.searches, counted.searches)
        return decisions


class CountedView:
    """Hands a view through and counts its searches."""

    def __init__(self, view: View) -> None:
        self._view = view
        self.searches = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._view, name)

    def best_plan(self, job: JobView, waits_us: Sequence[int] | None = None) -> Any:
        self.searches += 1
        return self._view.best_plan(job, waits_us)

    def first_step(self, job: JobView, waits_us: Sequence[int] | None = None) -> Any:
        self.searches += 1
        return self._view.first_step(job, waits_us)


def test_a_better_class_starts_first(source: PolicySource) -> None:
    driver = CoreDriver(whole("m", cpu=10), policy=make(source))
    for priority in (8, 9, 2, 5, 2):
        driver.request("m", priority=priority)
    driver.finish_all()
    assert [task.jobs[0] for task in driver.started] == [0, 2, 4, 3, 1]
    assert not driver.core.status().reports


def test_a_policy_declares_itself(source: PolicySource) -> None:
    assert source.info.summary
    assert source.info.source
    assert source.params_type.__doc__
    documented = sys.modules[source.policy_type.__module__].__doc__ or ""
    for heading in ("Formula:", "Parameters:", "Good ", "Bad ", "Source:"):
        assert heading in documented, f"the docstring has no {heading}"


HEADINGS = (
    "Idea", "Formula", "Parameters", "Good for", "Bad for", "Guarantees", "Production ready?",
    "Source",
)  # fmt: skip


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_a_policy_has_its_section_in_the_readme(path: Path) -> None:
    readme = (share_dir("policies") / "README.md").read_text(encoding="utf-8")
    sections = readme.split("\n## ")[1:]
    section = next((s for s in sections if s.splitlines()[0].strip() == path.stem), None)
    assert section is not None, f"policies/README.md has no section {path.stem}"
    for heading in HEADINGS:
        assert f"**{heading}**" in section, f"{path.stem}: no {heading}"
