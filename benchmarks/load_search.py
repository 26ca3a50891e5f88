"""How much of its capacity bound a policy sustains: one simulated run judged, and the bisection.

A run is the simulator's own, with a recorder that counts along and stops it as soon as nothing
more can be decided. Two criteria share every run:

on_time: at most 1 % of the requests sent end late or without a result.
stable: no more than 64 requests ever wait, over the last third of the run there are at most 1.1
    times as many requests in the system as over the third before, and at most 1 % of the requests
    are dropped: a policy that sheds could otherwise call any load stable.
"""

import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from band.errors import BandError, ErrorCode
from band.scheduler.commands import Abandon, Command, Finish, JobOutcome, Run
from band.scheduler.events import Event, ModelAdded, PolicySwapped, RequestArrived, TaskFinished
from band.scheduler.loader import make_policy, policy_swapped
from band.scheduler.options import DEFAULT_POLICY
from band.scheduler.policy import Policy
from band.sim.simulator import simulate
from band.testing.tables import make_device
from band.testing.workloads import Workload, workload
from band.units import US_PER_S

CRITERIA: Final = ("on_time", "stable")
MISSED_PERCENT: Final = 1
QUEUE_LIMIT: Final = 64
GROWTH_LIMIT: Final = 1.1


class Setting(NamedTuple):
    """What is tried: a policy on one workload.

    Attributes:
        policy: its name.
        seed: of the workload.
        seconds: length of a run.
    """

    policy: str
    seed: int
    seconds: float


class Verdict(NamedTuple):
    """What one run showed.

    Attributes:
        percent: the load, in percent of the capacity bound.
        on_time, stable: the criteria; None if the run was stopped before it was decided.
        sent: requests of the whole run.
        missed, dropped: of those, until the run was stopped.
        longest_queue: most requests that waited at a time.
        growth: mean number of requests in the system over the last third, over that of the
            third before; None if the run was stopped.
        cpu_s: what the run took.
    """

    percent: int
    on_time: bool | None
    stable: bool | None
    sent: int
    missed: int
    dropped: int
    longest_queue: int
    growth: float | None
    cpu_s: float


class Enough(Exception):  # noqa: N818 - no error: the run has shown all it can
    """Ends a run from inside its recorder."""


class Watch:
    """A recorder that judges a run while it goes on.

    Args:
        sent: requests of the whole run.
        seconds: length of the run.
        wanted: criteria that somebody waits for; once all of them have failed, the run is ended.
    """

    def __init__(self, sent: int, seconds: float, wanted: Sequence[str] = CRITERIA) -> None:
        self.missed = self.dropped = self.longest_queue = 0
        self._sent, self._wanted = sent, wanted
        self._marks_us = [round(seconds * US_PER_S * part / 3) for part in (1, 2, 3)]
        self._areas = [0]
        self._area = self._open = self._last_us = 0
        self._deadlines: dict[int, int | None] = {}
        self._running: set[int] = set()

    def record(self, now_us: int, event: Event, commands: Sequence[Command]) -> None:
        """Count one call of ``Core.handle``.

        Raises:
            Enough: every wanted criterion has failed.
        """
        if now_us != self._last_us:
            self._pass_time(now_us)
        if isinstance(event, RequestArrived):
            self._open += 1
            self._deadlines[event.request] = event.deadline_us
        elif isinstance(event, TaskFinished):
            self._running.discard(event.task)
        for command in commands:
            if isinstance(command, Run):
                self._running.add(command.task.id)
            elif isinstance(command, Finish):
                self._end(command, now_us)
            elif isinstance(command, Abandon):
                self._running.discard(command.task)
        waiting = self._open - len(self._running)
        if waiting > self.longest_queue:
            self.longest_queue = waiting
            if waiting > QUEUE_LIMIT:
                self._stop_if_hopeless()

    def _pass_time(self, now_us: int) -> None:
        while self._marks_us and now_us >= self._marks_us[0]:
            mark_us = self._marks_us.pop(0)
            self._areas.append(self._area + self._open * (mark_us - self._last_us))
        self._area += self._open * (now_us - self._last_us)
        self._last_us = now_us

    def _end(self, finish: Finish, now_us: int) -> None:
        self._open -= 1
        deadline_us = self._deadlines.pop(finish.job)
        completed = finish.outcome is JobOutcome.COMPLETED
        self.dropped += not completed
        if not completed or (deadline_us is not None and now_us > deadline_us):
            self.missed += 1
            if self._too_many(self.missed):
                self._stop_if_hopeless()

    def _too_many(self, count: int) -> bool:
        return count * 100 > self._sent * MISSED_PERCENT

    def _stop_if_hopeless(self) -> None:
        if all(self.failed(criterion) for criterion in self._wanted):
            raise Enough

    def failed(self, criterion: str) -> bool:
        """Return whether a criterion cannot be met any more."""
        if criterion == "on_time":
            return self._too_many(self.missed)
        return self.longest_queue > QUEUE_LIMIT or self._too_many(self.dropped)

    def growth(self) -> float:
        """Return the growth of the number of requests in the system, at the end of a run."""
        self._pass_time(max([self._last_us, *self._marks_us]))
        _, first, second, third = self._areas
        earlier, later = second - first, third - second
        return later / earlier if earlier else float(later > 0) + 1.0


def judge(
    setting: Setting, load: Workload, percent: int, wanted: Sequence[str] = CRITERIA
) -> Verdict:
    """Return the verdict on one load.

    Args:
        setting: what is tried.
        load: the workload of its seed.
        percent: the load in percent of the capacity bound.
        wanted: the criteria to decide.

    Raises:
        BandError: POLICY_FAILED if the core had to replace the policy.
    """
    source = load.arrivals(percent / 100 * load.bound.scale, setting.seconds)
    sent = sum(1 for _ in source.roots())
    watch = Watch(sent, setting.seconds, wanted)
    finished = True
    start_s = time.process_time()
    try:
        simulate(
            device=make_device(),
            models=[ModelAdded(table) for table in load.tables],
            policy=policy_swapped(setting.policy),
            make_policy=partial(_only, setting.policy),
            source=source,
            recorder=watch,
        )
    except Enough:
        finished = False
    cpu_s = time.process_time() - start_s
    growth = watch.growth() if finished else None
    failed = {criterion: watch.failed(criterion) for criterion in CRITERIA}
    if growth is not None and growth > GROWTH_LIMIT:
        failed["stable"] = True
    decided = {name: False if failed[name] else True if finished else None for name in CRITERIA}
    return Verdict(
        percent=percent,
        on_time=decided["on_time"],
        stable=decided["stable"],
        sent=sent,
        missed=watch.missed,
        dropped=watch.dropped,
        longest_queue=watch.longest_queue,
        growth=growth,
        cpu_s=cpu_s,
    )


def _only(policy: str, event: PolicySwapped) -> Policy:
    if event.name == DEFAULT_POLICY != policy:
        raise BandError(ErrorCode.POLICY_FAILED, f"the core had to replace policy {policy!r}")
    return make_policy(event)


class Record:
    """The verdicts of earlier runs in a file of JSON lines; several processes may add to it.

    A verdict counts again as long as setting and policy file are the same. It does not know of
    changes to the core: begin a new file after one.

    Args:
        path: of the file, None to keep nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def read(self, setting: Setting) -> list[Verdict]:
        """Return the verdicts of a setting."""
        if self._path is None or not self._path.exists():
            return []
        key = self._key(setting)
        with self._path.open(encoding="utf-8") as file:
            found = [json.loads(line) for line in file]
        return [Verdict(**line["verdict"]) for line in found if line["setting"] == key]

    def add(self, setting: Setting, verdict: Verdict) -> None:
        """Append a verdict."""
        if self._path is not None:
            line = {"setting": self._key(setting), "verdict": verdict._asdict()}
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    def _key(self, setting: Setting) -> dict[str, object]:
        return {**setting._asdict(), "sha256": policy_swapped(setting.policy).sha256}


class Limits(NamedTuple):
    """The highest load in percent of the bound that met each criterion, and what finding it took.

    One percent more did not meet it.
    """

    on_time: int
    stable: int
    runs: int
    cpu_s: float


def find_limits(setting: Setting, path: Path | None = None) -> Limits:
    """Return the limits of a policy on one workload.

    Args:
        setting: what is tried.
        path: file of verdicts, read and added to.
    """
    load, record = workload(setting.seed), Record(path)
    verdicts = record.read(setting)

    def passes(criterion: str, percent: int) -> bool:
        known = _known(verdicts, criterion, percent)
        if known is None:
            wanted = [
                name
                for name in CRITERIA
                if name == criterion or _known(verdicts, name, percent) is None
            ]
            verdict = judge(setting, load, percent, wanted)
            record.add(setting, verdict)
            verdicts.append(verdict)
            known = bool(getattr(verdict, criterion))
        return known

    # First the one that is met at higher loads: its runs mostly decide the other one too.
    stable = highest(partial(passes, "stable"))
    on_time = highest(partial(passes, "on_time"))
    return Limits(on_time, stable, len(verdicts), sum(verdict.cpu_s for verdict in verdicts))


def _known(verdicts: Sequence[Verdict], criterion: str, percent: int) -> bool | None:
    """Return what follows for a load from runs at others: what failed at less fails at more."""
    for verdict in verdicts:
        met: bool | None = getattr(verdict, criterion)
        if met is False and verdict.percent <= percent:
            return False
        if met is True and verdict.percent >= percent:
            return True
    return None


def highest(passes: Callable[[int], bool]) -> int:
    """Return a number up to 100 that passes while the next one does not, by bisection from 0."""
    low, high = 0, 101
    while high - low > 1:
        middle = (low + high) // 2
        if passes(middle):
            low = middle
        else:
            high = middle
    return low
