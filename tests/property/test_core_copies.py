"""A copy of the core plays on exactly as the core would, and never disturbs it."""

import pickle
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from band.scheduler.commands import Command, Finish, Run, WakeAt
from band.scheduler.core import Core
from band.scheduler.events import (
    Cancelled,
    Event,
    ModelAdded,
    PolicySwapped,
    RequestArrived,
    TaskFailed,
    TaskFinished,
    Tick,
    WorkerDown,
    WorkerUp,
)
from band.scheduler.invariants import check_invariants
from band.scheduler.loader import make_policy
from band.scheduler.options import AdmissionOptions, CoreOptions
from band.scheduler.policy import Policy
from band.scheduler.policy_source import load_file
from band.share import share_dir
from band.testing.tables import PROCESSORS, random_table

DIAMOND = (0, 0b0001, 0b0001, 0b0110)
POLICIES = ("shortest_expected_latency", "heft_reserved", "least_slack_first", "rehearsal")
FORGETFUL = ("shortest_expected_latency", "heft", "least_slack_first")
"""Policies without a state of their own: a new instance goes on as the old one would."""

OPTIONS = (
    CoreOptions(),
    CoreOptions(gather=True),
    CoreOptions(admission=AdmissionOptions(at_arrival=True, while_waiting=True, default_quota=20)),
)


class Player:
    """Feeds one core with what is drawn, and its own tasks' ends."""

    def __init__(self, core: Core, now_us: int, request: int) -> None:
        self.core = core
        self.now_us = now_us
        self.request = request
        self.tasks: dict[int, Run] = {}
        self.jobs: set[int] = set()
        self.wakes: list[int] = []
        self.log: list[tuple[int, list[Command]]] = []

    def send(self, event: Event) -> None:
        commands = self.core.handle(event, self.now_us)
        self.log.append((self.now_us, commands))
        if isinstance(event, TaskFinished | TaskFailed):
            self.tasks.pop(event.task, None)
        for command in commands:
            if isinstance(command, Run):
                self.tasks[command.task.id] = command
            elif isinstance(command, Finish):
                self.jobs.discard(command.job)
            elif isinstance(command, WakeAt):
                self.wakes.append(command.at_us)

    def step(self, rng: random.Random, *, plays: bool) -> None:
        """Do one random thing; a copy only plays."""
        self.now_us += rng.choice([0, 0, 50, 400])
        for at_us in [at_us for at_us in self.wakes if at_us <= self.now_us]:
            self.wakes.remove(at_us)
            self.send(Tick())
        what = rng.random()
        if what < 0.5:
            self.request += 1
            self.jobs.add(self.request)
            self.send(
                RequestArrived(
                    self.request,
                    rng.choice(["m0", "m1", "m2"]),
                    stream="s",
                    frame=self.request,
                    priority=rng.choice([0, 3]),
                    deadline_us=rng.choice([None, self.now_us + 3000]),
                    expires_us=rng.choice([None, self.now_us + 2500]),
                )
            )
        elif what < 0.85 and self.tasks:
            task = self.tasks[rng.choice(sorted(self.tasks))].task
            run_us = task.predicted_us - task.transfer_us
            self.send(TaskFinished(task.id, run_us if plays else run_us * rng.randint(1, 3)))
        elif what < 0.9 and self.jobs:
            self.send(Cancelled(rng.choice(sorted(self.jobs))))
        elif what < 0.93 and self.tasks:
            self.send(TaskFailed(rng.choice(sorted(self.tasks)), "broken"))
        elif not plays and what < 0.96:
            self.send(WorkerDown(2, "gone"))
        elif not plays:
            self.send(WorkerUp(2, PROCESSORS[2], "dsp", 1 << 30))

    def twin(self, core: Core) -> "Player":
        twin = Player(core, self.now_us, self.request)
        twin.tasks, twin.jobs, twin.wakes = self.tasks.copy(), self.jobs.copy(), self.wakes.copy()
        return twin


def started(seed: int, policy: str, options: CoreOptions) -> Player:
    rng = random.Random(seed)
    core = Core(make_policy=make_policy, options=options)
    player = Player(core, 0, 0)
    player.send(PolicySwapped(policy, ""))
    for index, name in enumerate(PROCESSORS):
        player.send(WorkerUp(index, name, "cpu", 1 << 30))
    for number, dependencies in enumerate([None, DIAMOND, None]):
        units = 4 if dependencies else rng.randint(1, 4)
        table = random_table(rng, f"m{number}", units, dependencies=dependencies, move_us=25)
        player.send(ModelAdded(table))
    return player


def fresh(policy: str) -> Policy:
    source = load_file(share_dir("policies") / f"{policy}.py")
    made: Policy = source.policy_type(source.params_type())
    return made


SEEDS, STEPS = st.integers(0, 1 << 32), st.integers(0, 30)
SHORT = settings(max_examples=40, deadline=None, derandomize=True)


@SHORT
@given(SEEDS, st.sampled_from(FORGETFUL), st.sampled_from(OPTIONS), STEPS)
def test_a_copy_does_what_the_core_does_from_there_on(
    seed: int, policy: str, options: CoreOptions, before: int
) -> None:
    player = started(seed, policy, options)
    rng = random.Random(seed)
    for _ in range(before):
        player.step(rng, plays=True)
    copied = player.core.copy(fresh(policy))
    twin = player.twin(copied)
    again = random.Random(seed + 1)
    for _ in range(25):
        twin.step(again, plays=True)
        check_invariants(copied._state)
    again = random.Random(seed + 1)
    player.log.clear()
    for _ in range(25):
        player.step(again, plays=True)
    assert [entry for _, entry in twin.log] == [
        [command for command in entry if type(command).__name__ != "Advise"]
        for _, entry in player.log
    ]


@SHORT
@given(SEEDS, st.sampled_from(POLICIES), st.sampled_from(OPTIONS), STEPS, st.booleans())
def test_copies_that_play_never_disturb_the_core(
    seed: int, policy: str, options: CoreOptions, before: int, apart: bool
) -> None:
    watched, alone = started(seed, policy, options), started(seed, policy, options)
    first, second = random.Random(seed), random.Random(seed)
    for step in range(before + 20):
        watched.step(first, plays=False)
        alone.step(second, plays=False)
        if step % 5 == 0:
            base = watched.core.copy()
            if apart:  # as it goes to another process
                base = pickle.loads(pickle.dumps(base))
            twin = watched.twin(base.copy(fresh(policy)))
            playing = random.Random(step)
            for _ in range(15):
                twin.step(playing, plays=True)
            watched.core.check_invariants()
    assert watched.log == alone.log
    assert watched.core.status() == alone.core.status()
