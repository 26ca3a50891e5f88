"""How much of its capacity bound a policy sustains: one simulated run judged, and the bisection.

A run is the simulator's own with a recorder (``load_watch``) that ends it as soon as nothing more
can be decided.
"""

import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from load_watch import CRITERIA, GROWTH_LIMIT, MISSED_PERCENT, Enough, Watch

from band.errors import BandError, ErrorCode
from band.plan.on_time import Demand, on_time_bound
from band.scheduler.events import ModelAdded, PolicySwapped
from band.scheduler.loader import make_policy, policy_swapped
from band.scheduler.policy import Policy
from band.sim.simulator import simulate
from band.testing.tables import make_device
from band.testing.workloads import Workload, workload
from band.trace.arrivals import ArrivalSource

_PILOT: Final = 6


class Setting(NamedTuple):
    """What is tried: a policy on one workload.

    Attributes:
        policy: its name.
        seed: of the workload.
        seconds: length of a run.
        declared: the core is told of the streams; else policies that want to know learn them.
    """

    policy: str
    seed: int
    seconds: float
    declared: bool = False


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
    scale = percent / 100 * load.bound.scale
    source = load.arrivals(scale, setting.seconds, declared=setting.declared)
    sent = sum(1 for _ in source.roots())
    watch = Watch(sent, setting.seconds, wanted)
    start_s = time.process_time()
    finished = _played(setting.policy, load, source, watch)
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


def _played(policy: str, load: Workload, source: ArrivalSource, watch: Watch) -> bool:
    """Return whether a run went on to its end; the watch ends it as soon as it has seen enough."""
    made = set()

    def make(event: PolicySwapped) -> Policy:
        made.add(event.name)
        return make_policy(event)

    finished = True
    try:
        simulate(
            device=make_device(),
            models=[ModelAdded(table) for table in load.tables],
            policy=policy_swapped(policy),
            make_policy=make,
            source=source,
            recorder=watch,
        )
    except Enough:
        finished = False
    if made != {policy}:
        message = f"the core had to replace policy {policy!r}"
        raise BandError(ErrorCode.POLICY_FAILED, message, policy=policy)
    return finished


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


def find_limits(
    setting: Setting, path: Path | None = None, *, begin: tuple[int, int] | None = None
) -> Limits:
    """Return the limits of a policy on one workload.

    Args:
        setting: what is tried.
        path: file of verdicts, read and added to.
        begin: where to look first, on time and stable. Without it, a search with runs of a sixth
            of the length says where.
    """
    if begin is not None:
        return _find(setting, path, Limits(*begin, 0, 0.0))
    short = setting._replace(seconds=setting.seconds / _PILOT)
    return _find(setting, path, _find(short, path, Limits(50, 50, 0, 0.0)))


def _find(setting: Setting, path: Path | None, guess: Limits) -> Limits:
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
    stable = highest(partial(passes, "stable"), guess.stable)
    on_time = highest(partial(passes, "on_time"), guess.on_time)
    cpu_s = guess.cpu_s + sum(verdict.cpu_s for verdict in verdicts)
    return Limits(on_time, stable, guess.runs + len(verdicts), cpu_s)


def deadline_limit(seed: int, seconds: float) -> int:
    """Return the highest load, in percent of the bound, that no policy can be proven to miss.

    Beyond it the bound on requests that are on time says that more than 1 % must miss their
    deadlines. Periods shrink with the load, and with them the deadlines, but not the latency.
    """
    load = workload(seed)

    def possible(percent: int) -> bool:
        if not percent:
            return True
        source = load.arrivals(percent / 100 * load.bound.scale, seconds)
        demands = [
            Demand((r.stream, r.model), r.model, 1, at_us, r.deadline_us)
            for at_us, r in source.roots()
        ]
        bound = on_time_bound(load.tables, demands)
        return (bound.due - bound.on_time) * 100 <= bound.due * MISSED_PERCENT

    return highest(possible)


def _known(verdicts: Sequence[Verdict], criterion: str, percent: int) -> bool | None:
    """Return what follows for a load from runs at others: what failed at less fails at more."""
    for verdict in verdicts:
        met: bool | None = getattr(verdict, criterion)
        if met is False and verdict.percent <= percent:
            return False
        if met is True and verdict.percent >= percent:
            return True
    return None


def highest(passes: Callable[[int], bool], guess: int = 50) -> int:
    """Return a number from 0 to 100 that passes while the next one does not, by bisection.

    Args:
        passes: asked at most once for a number; 0 passes unasked.
        guess: where to begin. From there it looks 1, 2, 4, ... further until the answer changes.
    """
    low, high, step, middle = 0, 101, 1, max(1, guess)
    while high - low > 1:
        if passes(middle):
            low = middle
        else:
            high = middle
        if low and high <= 100:
            middle = (low + high) // 2
        else:
            middle = min(100, low + step) if low else max(1, high - step)
            step *= 2
    return low
