"""Random events on the core: every job ends exactly once, no unit runs twice, nothing contradicts.

The machine plays a careless driver: it also sends late results, unknown ids, models and
processors that come and go, and swaps policies. The core's invariants hold after every event.
"""

import random
from collections import Counter
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from band.plan.table import PlanTable
from band.plan.task import SliceKey, Task
from band.scheduler.codec import options_from_json, options_to_json
from band.scheduler.commands import (
    Abandon,
    Command,
    DropReason,
    Evict,
    Finish,
    JobOutcome,
    Load,
    Run,
    WakeAt,
)
from band.scheduler.core import Core
from band.scheduler.events import (
    Cancelled,
    Event,
    ModelAdded,
    ModelRemoved,
    PolicyOverran,
    PolicySwapped,
    RequestArrived,
    SliceBudget,
    SliceEvicted,
    SliceLoaded,
    TaskFailed,
    TaskFinished,
    Tick,
    WorkerDown,
    WorkerUp,
)
from band.scheduler.loader import list_policies, make_policy
from band.scheduler.options import AdmissionOptions, CoreOptions, Margin, Reservation
from band.testing.inboxes import KeptInbox
from band.testing.tables import random_table

POLICIES = tuple(source.name for source in list_policies() if not source.needs_params)
PROCESSORS = ("cpu", "gpu", "npu")
SHAPES: dict[str, tuple[int, ...]] = {"one": (0,), "chain": (0, 1, 2), "diamond": (0, 1, 1, 6)}
OTHER_SHAPE = (0, 1, 3)
MODELS = st.sampled_from(sorted(SHAPES))
PROCESSOR = st.integers(0, len(PROCESSORS) - 1)


@cache
def table(model: str, seed: int) -> PlanTable:
    """Return one of four tables of a model; the last one has other units."""
    shape = OTHER_SHAPE if seed == 3 else SHAPES[model]
    made = random_table(
        random.Random(seed),
        model,
        len(shape),
        processors=PROCESSORS,
        dependencies=shape,
        move_us=30 * (seed % 2),
    )
    sized = (s._replace(load_bytes=1000 * (1 + s.last - s.first)) for s in made.spans)
    return replace(made, spans=tuple(sized))


class CoreMachine(RuleBasedStateMachine):
    """Plays events and keeps its own books of what must be true."""

    options = CoreOptions(queue_limit=12)

    def __init__(self) -> None:
        super().__init__()
        self.core = Core(make_policy=make_policy, options=self.options)
        self.shed: set[int] = set()
        self.now_us = 0
        self.sent = 0
        self.open: dict[int, list[Task]] = {}
        self.ended: dict[int, JobOutcome] = {}
        self.running: dict[int, Task] = {}
        self.wanted: set[int] = set()
        self.wakes: list[int] = []
        self.versions = dict.fromkeys(SHAPES, 1)
        self.up: set[int] = set()
        self.limit_bytes: int | None = None
        self.asked: list[Load | Evict] = []
        self.send(PolicySwapped("shortest_expected_latency", ""))
        for index in range(len(PROCESSORS)):
            self.processor_up(index)
        for model in SHAPES:
            self.send(ModelAdded(table(model, 1)))

    def send(self, event: Event) -> None:
        for command in self.handle(event):
            if isinstance(command, Run):
                self.started(command.task)
            elif isinstance(command, Finish):
                self.finished(command)
            elif isinstance(command, Abandon):
                self.wanted.remove(command.task)
            elif isinstance(command, WakeAt):
                assert command.at_us > self.now_us
                assert command.at_us not in self.wakes, "asked for twice"
                self.wakes.append(command.at_us)
            elif isinstance(command, Load):
                assert self.core.status().slices_bytes <= (self.limit_bytes or 0)
                self.asked.append(command)
            elif isinstance(command, Evict):
                assert all(
                    (task.slice, task.processor) != (command.slice, command.processor)
                    for task in self.running.values()
                ), "a slice is evicted while a task runs on it"
                self.asked.append(command)

    def handle(self, event: Event) -> list[Command]:
        return self.core.handle(event, self.now_us)

    def started(self, task: Task) -> None:
        assert task.processor in self.up
        assert all(other.processor != task.processor for other in self.running.values())
        assert set(task.predecessors).isdisjoint(self.running), "it reads an unfinished task"
        self.running[task.id] = task
        self.wanted.add(task.id)
        for job in task.jobs:
            self.open[job].append(task)

    def finished(self, finish: Finish) -> None:
        assert finish.job not in self.ended, "a job ended twice"
        tasks = self.open.pop(finish.job)
        self.ended[finish.job] = finish.outcome
        if finish.reason == DropReason.DEADLINE_UNREACHABLE:
            self.shed.add(finish.job)
        assert bool(finish.reason) == (finish.outcome in {JobOutcome.DROPPED, JobOutcome.FAILED})
        if finish.outcome is JobOutcome.COMPLETED:
            assert tasks
            assert not [t for t in tasks if t.id in self.wanted], "it completed while it runs"

    @rule(models=st.lists(MODELS, min_size=2, max_size=5))
    def crowd(self, models: list[str]) -> None:
        for model in models:
            self.arrive(model, 0, None, None, None)

    @rule(
        model=MODELS,
        priority=st.integers(0, 3),
        slo_us=st.none() | st.integers(0, 4000),
        patience_us=st.none() | st.integers(0, 3000),
        processor=st.none() | st.sampled_from([*PROCESSORS, "nowhere"]),
    )
    def arrive(
        self,
        model: str,
        priority: int,
        slo_us: int | None,
        patience_us: int | None,
        processor: str | None,
    ) -> None:
        number = self.sent
        self.sent += 1
        self.open[number] = []
        self.send(
            RequestArrived(
                number,
                model,
                priority=priority,
                deadline_us=None if slo_us is None else self.now_us + slo_us,
                expires_us=None if patience_us is None else self.now_us + patience_us,
                processor=processor,
            )
        )

    def take(self, pick: int) -> Task:
        return self.running.pop(sorted(self.running)[pick % len(self.running)])

    @precondition(lambda self: self.running)
    @rule(pick=st.integers(0, 9), percent=st.integers(50, 250))
    def finish(self, pick: int, percent: int) -> None:
        task = self.take(pick)
        self.wanted.discard(task.id)
        run_us = max(1, (task.predicted_us - task.transfer_us) * percent // 100)
        self.now_us += run_us // 4
        self.send(TaskFinished(task.id, run_us, task.transfer_us))

    @precondition(lambda self: self.running)
    @rule(pick=st.integers(0, 9))
    def fail(self, pick: int) -> None:
        task = self.take(pick)
        wanted = task.id in self.wanted
        self.wanted.discard(task.id)
        self.send(TaskFailed(task.id, "broken"))
        if wanted:
            assert all(self.ended.get(job) is not None for job in task.jobs)

    @rule(number=st.integers(0, 60))
    def cancel(self, number: int) -> None:
        was_open = number in self.open
        self.send(Cancelled(number))
        assert not was_open or self.ended[number] is JobOutcome.CANCELLED

    @rule(processor=PROCESSOR, back=st.booleans())
    def processor_goes(self, processor: int, back: bool) -> None:
        self.lose(processor)
        self.up.discard(processor)
        self.send(WorkerDown(processor, "gone"))
        if back:
            self.processor_up(processor)

    def processor_up(self, processor: int) -> None:
        self.lose(processor)
        self.up.add(processor)
        self.send(WorkerUp(processor, PROCESSORS[processor], "cpu", 1 << 30))

    @rule()
    def all_processors_come_up(self) -> None:
        for processor in range(len(PROCESSORS)):
            if processor not in self.up:
                self.processor_up(processor)

    def lose(self, processor: int) -> None:
        for task in [t for t in self.running.values() if t.processor == processor]:
            del self.running[task.id]
            self.wanted.discard(task.id)

    @rule(slices_bytes=st.integers(0, 60_000))
    def budget(self, slices_bytes: int) -> None:
        self.limit_bytes = slices_bytes
        open_before, able = set(self.open), self.able()
        self.send(SliceBudget(slices_bytes))
        assert open_before - set(self.open) <= self.shed, "a job ended for want of memory"
        assert able <= self.able(), "a model lost its last complete plan"

    def able(self) -> set[str]:
        """Return the models that can run from start to end on the processors that are up."""
        models = self.core._state.models.values()
        return {model.name for model in models if model.plans.can_finish(0, -1)}

    @precondition(lambda self: self.asked)
    @rule(pick=st.integers(0, 9), works=st.booleans(), size=st.integers(500, 9000))
    def answer(self, pick: int, works: bool, size: int) -> None:
        command = self.asked.pop(pick % len(self.asked))
        open_before, able = set(self.open), self.able()
        if isinstance(command, Load) and works:
            self.send(SliceLoaded(command.slice, command.processor, size, size // 10))
        else:
            self.send(SliceEvicted(command.slice, command.processor))
        assert set(self.open) <= open_before
        over = open_before - set(self.open) - self.shed
        kept = all(self.ended[job] is JobOutcome.COMPLETED for job in over)
        assert kept, "a job was dropped because a slice came or went"
        assert able <= self.able(), "a model lost its last complete plan"

    @rule(model=MODELS, seed=st.integers(0, 3), remove=st.booleans())
    def change_model(self, model: str, seed: int, remove: bool) -> None:
        if remove:
            self.send(ModelRemoved(model))
        self.versions[model] += 1
        fresh = table(model, seed)
        loaded = tuple((s.first, s.last, s.processor) for s in fresh.spans) if seed else None
        self.send(ModelAdded(fresh.with_costs({}, self.versions[model]), loaded))

    @rule(model=MODELS, pick=st.integers(0, 99), load=st.booleans())
    def change_slice(self, model: str, pick: int, load: bool) -> None:
        spans = table(model, pick % 4).spans
        span = spans[pick % len(spans)]
        key = SliceKey(model, span.units)
        self.asked = [c for c in self.asked if (c.slice, c.processor) != (key, span.processor)]
        self.send(SliceEvicted(key, span.processor))
        if load:
            self.send(SliceLoaded(key, span.processor, 1000))

    @rule(policy=st.sampled_from([*POLICIES, "no_such_policy"]), overrun=st.booleans())
    def swap(self, policy: str, overrun: bool) -> None:
        self.send(PolicySwapped(policy, ""))
        if overrun:
            self.send(PolicyOverran(policy, 900))

    @rule(step_us=st.integers(1, 2000))
    def tick(self, step_us: int) -> None:
        self.now_us += step_us
        self.wakes = [at_us for at_us in self.wakes if at_us > self.now_us]
        self.send(Tick())

    @rule(task=st.integers(0, 99))
    def late_result(self, task: int) -> None:
        if task not in self.running:
            self.send(TaskFinished(task, 10))

    @invariant()
    def the_core_agrees_with_itself_and_with_the_books(self) -> None:
        self.core.check_invariants()
        status = self.core.status()
        assert status.jobs == len(self.open)
        assert status.running == len(self.running)
        assert len(self.open) + len(self.ended) == self.sent
        assert sum(status.ended.values()) == len(self.ended)
        for task in self.wanted:
            assert any(job in self.open for job in self.running[task].jobs), "not abandoned"

    def teardown(self) -> None:
        """Let everything that runs end: then every request has ended, and exactly once."""
        while self.running:
            self.finish(0, 100)
        while self.open and self.wakes:
            self.now_us = max(self.now_us, min(self.wakes))
            self.tick(0)
            while self.running:
                self.finish(0, 100)
        assert not self.open, "requests wait though nothing will ever happen"
        for report in self.core.status().reports:
            assert "unknown policy" in report.reason or "time budget" in report.reason


class StrictMachine(CoreMachine):
    """The same with all that stands in front of a policy; the record decides alike at the end."""

    options = CoreOptions(
        queue_limit=12,
        strict_classes=True,
        admission=AdmissionOptions(
            at_arrival=True,
            while_waiting=True,
            margin=Margin.P95,
            window=4,
            quotas={"game": 3},
            default_quota=8,
            model_queue_limits={"diamond": 5},
            stream_queue_limits={"camera": 2},
        ),
        reservations=(
            Reservation(processor="gpu", period_us=4000, length_us=900, app="game"),
            Reservation(processor="npu", period_us=2500, length_us=1200, offset_us=300),
        ),
    )

    def __init__(self) -> None:
        self.inbox = KeptInbox()
        super().__init__()

    def handle(self, event: Event) -> list[Command]:
        commands = super().handle(event)
        self.inbox.record(self.now_us, event, commands)
        return commands

    def processor_up(self, processor: int) -> None:
        self.lose(processor)
        self.up.add(processor)
        cold_after_us = (None, 500, 2000)[processor]
        name = PROCESSORS[processor]
        self.send(WorkerUp(processor, name, "cpu", 1 << 30, "", cold_after_us))

    @rule(
        model=MODELS,
        app=st.sampled_from(["", "game", "call"]),
        stream=st.sampled_from(["camera", "microphone"]),
        frame=st.none() | st.integers(0, 9),
        slo_us=st.none() | st.integers(0, 9000),
        supersede=st.booleans(),
    )
    def arrive_from_an_app(
        self,
        model: str,
        app: str,
        stream: str,
        frame: int | None,
        slo_us: int | None,
        supersede: bool,
    ) -> None:
        number = self.sent
        self.sent += 1
        self.open[number] = []
        deadline_us = None if slo_us is None else self.now_us + slo_us
        self.send(
            RequestArrived(
                number,
                model,
                stream=stream,
                frame=frame,
                deadline_us=deadline_us,
                app=app,
                supersede=supersede,
            )
        )

    @invariant()
    def no_app_exceeds_its_quota(self) -> None:
        apps = Counter(job.request.app for job in self.core._state.jobs.values())
        assert apps["game"] <= 3
        assert apps["call"] <= 8
        assert apps[""] <= 8

    def teardown(self) -> None:
        super().teardown()
        self.inbox.check(invariants=False, options=options_from_json(options_to_json(self.options)))


SHORT = settings(
    max_examples=80,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)


def test_random_events_never_break_the_core() -> None:
    run_state_machine_as_test(CoreMachine, settings=SHORT)


def test_random_events_never_break_a_core_with_all_its_rules_on() -> None:
    run_state_machine_as_test(StrictMachine, settings=settings(SHORT, max_examples=40))


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_many_random_events_never_break_a_core_with_all_its_rules_on() -> None:
    longer = settings(SHORT, max_examples=200, stateful_step_count=60)
    run_state_machine_as_test(StrictMachine, settings=longer)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_many_random_events_never_break_the_core() -> None:
    longer = settings(SHORT, max_examples=300, stateful_step_count=60)
    run_state_machine_as_test(CoreMachine, settings=longer)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_a_million_random_events_never_break_the_core() -> None:
    """Not derandomised: each soak tries other sequences; a failure prints how to repeat it."""
    soak = settings(SHORT, max_examples=12_500, stateful_step_count=80, derandomize=False)
    run_state_machine_as_test(CoreMachine, settings=soak)
