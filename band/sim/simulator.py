"""The simulator: the scheduler core on a virtual clock, deterministic to the microsecond.

It is a heap of (time, kind, number) around ``Core.handle``. It knows nothing about scheduling:
a task takes what its model's table says, times noise drawn from the seed, and longer where the
device says that processors slow each other or grow hot. What the core has learnt meanwhile changes
its plans, never how long a task really takes.
"""

import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from band.device.profile import Device
from band.errors import BandError, ErrorCode
from band.metrics.recorder import Recorder
from band.metrics.records import RequestRecord, TaskRecord
from band.plan.task import Task
from band.scheduler.commands import Advise, Command, Evict, Finish, Load, Run, WakeAt
from band.scheduler.core import Core
from band.scheduler.events import (
    Event,
    ModelAdded,
    PolicySwapped,
    RequestArrived,
    SliceEvicted,
    SliceLoaded,
    StreamsDeclared,
    TaskFinished,
    Tick,
    WorkerUp,
)
from band.scheduler.options import CoreOptions, PolicyReport
from band.scheduler.policy import Policy
from band.sim.advise import advice_task, advise
from band.sim.collector import rare_collections
from band.sim.intrusions import Intrusions, count_intrusions
from band.sim.ledger import Ledger
from band.sim.pace import Due, Pace, pace_of
from band.sim.true_costs import TrueCosts
from band.trace.arrivals import Arrival, ArrivalSource, DeclaredSource

WORD: Final = "simulated"

_OPENING, _FINISHED, _MOVED, _ARRIVED, _TICK = range(5)
"""Order of events at the same microsecond: a processor is freed before anything asks for it."""

_new: Final = tuple.__new__  # a NamedTuple's own constructor takes twice as long


class SimRun(NamedTuple):
    """What a simulation returns.

    Attributes:
        requests: one record per request, issued or not, in order of their end.
        tasks: one record per task, in order of their end.
        duration_us: time of the last event.
        policy_reports: policies that the core replaced, and why.
        intrusions: what ran into reserved slots; None if there are none.
        notes: what the policy has to say of it, each a sentence.
    """

    requests: tuple[RequestRecord, ...]
    tasks: tuple[TaskRecord, ...]
    duration_us: int
    policy_reports: tuple[PolicyReport, ...]
    intrusions: Intrusions | None = None
    notes: tuple[str, ...] = ()


def simulate(
    *,
    device: Device,
    models: Sequence[ModelAdded],
    policy: PolicySwapped,
    make_policy: Callable[[PolicySwapped], Policy],
    source: ArrivalSource,
    options: CoreOptions | None = None,
    seed: int = 0,
    recorder: Recorder | None = None,
) -> SimRun:
    """Play a trace on a virtual clock that starts at 0, until every request has ended.

    Args:
        device: its available processors run tasks, with its noise, contention and heat.
        models: what is registered before the first request. If they tell the memory for slices,
            the core loads and evicts within it, as in an engine; here that takes no time.
        policy: the policy in force.
        make_policy: makes it; see ``band.scheduler.loader.make_policy``.
        source: the trace; one that knows its load beforehand declares it to the core.
        options: settings of the core.
        seed: of the noise; the same seed gives the same run.
        recorder: is given every event with its commands.

    Raises:
        BandError: INTERNAL, requests are left that even the default policy does not run.
    """
    options = options or CoreOptions()
    core = Core(make_policy=make_policy, options=options)
    ledger = Ledger(device, options.default_priority, WORD)
    costs = TrueCosts(models, device, seed)
    simulation = _Simulation(core, source, ledger, costs, recorder, pace_of(device))
    with rare_collections():
        simulation.run(_opening(device, models, policy, source))
    status = core.status()
    if status.jobs:
        raise BandError(
            ErrorCode.INTERNAL,
            f"policy {status.policy!r} leaves {status.jobs} requests waiting for ever",
        )
    tasks, slots = ledger.tasks(), options.reservations
    return SimRun(
        (*ledger.requests, *source.never_issued()),
        tasks,
        simulation.now_us,
        status.reports,
        count_intrusions(tasks, ledger.apps, slots) if slots else None,
        status.notes,
    )


def _opening(
    device: Device,
    models: Sequence[ModelAdded],
    policy: PolicySwapped,
    source: ArrivalSource,
) -> Iterator[Event]:
    """Return the events that make an inbox self-contained: policy, workers, models, load."""
    yield policy
    for p in device.processors:
        if p.available:
            yield WorkerUp(
                p.index, p.name, p.kind.value, device.memory_budget_bytes, WORD, p.cold_after_us
            )
    yield from models
    if isinstance(source, DeclaredSource) and source.streams:
        yield StreamsDeclared(source.streams)


class _Simulation:
    """One run: the heap, the clock and the books."""

    def __init__(
        self,
        core: Core,
        source: ArrivalSource,
        ledger: Ledger,
        costs: TrueCosts,
        recorder: Recorder | None,
        pace: Pace | None,
    ) -> None:
        self._open = 0
        self._core = core
        self._source = source
        self._ledger = ledger
        self._costs = costs
        self._recorder = recorder
        self._pace = pace
        self._places: dict[int, int] = {}
        self._roots = iter(source.roots())
        self._root: Arrival | None = None
        self._heap: list[tuple[int, int, int, Event]] = []
        self._numbers = itertools.count()
        self.now_us = 0

    def run(self, opening: Iterable[Event]) -> None:
        """Handle the opening events at time 0, then play the trace until nothing is left."""
        for event in opening:
            self._push(0, _OPENING, event)
        self._push_root()
        heap, core, recorder, pace = self._heap, self._core, self._recorder, self._pace
        while heap:
            now_us, kind, _, event = heapq.heappop(heap)
            if kind >= _MOVED and not self._open and self._root is None:
                continue  # no request is left: loading goes on to no purpose
            if kind == _FINISHED and pace and not self._really_ended(pace, event, now_us):
                continue  # it goes on more slowly, or has ended sooner
            self.now_us = now_us
            if kind == _ARRIVED:
                self._arrived(event)
            commands = core.handle(event, now_us)
            if recorder is not None:
                recorder.record(now_us, event, commands)
            for command in commands:
                if isinstance(command, Run):
                    self._run(command.task)
                elif isinstance(command, Finish):
                    self._finished(command)
                elif isinstance(command, WakeAt):
                    self._push(command.at_us, _TICK, Tick())
                else:
                    self._seldom(command)

    def _seldom(self, command: Command) -> None:
        """Obey one of the commands that take no time here."""
        if isinstance(command, Load):
            size = self._costs.load_bytes(*command)
            self._push(self.now_us, _MOVED, SliceLoaded(*command, size))
        elif isinstance(command, Evict):
            self._push(self.now_us, _MOVED, SliceEvicted(*command))
        elif isinstance(command, Advise):
            advice = advise(advice_task(self._core, command.policy, self.now_us))
            self._push(self.now_us, _OPENING, advice)

    def _arrived(self, event: Event) -> None:
        assert isinstance(event, RequestArrived)
        self._ledger.arrived(event, self.now_us)
        if self._root is not None and event is self._root.request:
            self._push_root()

    def _finished(self, finish: Finish) -> None:
        self._open -= 1
        self._ledger.finished(finish, self.now_us)
        for child in self._source.finished(finish.job, finish.outcome, self.now_us):
            self._push(self.now_us, _ARRIVED, child)

    def _run(self, task: Task) -> None:
        """Let a task take its time: transfers in full, the run with its noise."""
        run_us, transfer_us = self._costs.run_us(task), task.transfer_us
        place = self._ledger.dispatched(task, self.now_us, run_us)
        if self._pace is not None:
            self._places[task.id] = place
            times = {"transfer_us": transfer_us, "run_us": run_us}
            self._foresee(self._pace.start(task.id, task.processor, self.now_us, **times))
            return
        finished = _new(TaskFinished, (task.id, run_us, transfer_us))
        at_us = self.now_us + transfer_us + run_us
        heapq.heappush(self._heap, (at_us, _FINISHED, next(self._numbers), finished))

    def _really_ended(self, pace: Pace, event: Event, at_us: int) -> bool:
        """Return whether a task ends as was foreseen; if so, the others go on at a new speed."""
        assert isinstance(event, TaskFinished)
        if not pace.ends(event.task, at_us):
            return False
        self._ledger.took(self._places.pop(event.task), at_us, event.run_us)
        self._foresee(pace.end(event.task, at_us))
        return True

    def _foresee(self, ends: Iterable[Due]) -> None:
        """Expect tasks to end; what was expected of them before is void."""
        for task, at_us, run_us, transfer_us in ends:
            self._push(at_us, _FINISHED, TaskFinished(task, run_us, transfer_us))

    def _push(self, at_us: int, kind: int, event: Event) -> None:
        self._open += kind == _ARRIVED
        heapq.heappush(self._heap, (at_us, kind, next(self._numbers), event))

    def _push_root(self) -> None:
        """Put the next request without parents on the heap; one at a time keeps it small."""
        self._root = next(self._roots, None)
        if self._root is not None:
            self._push(max(self._root.at_us, self.now_us), _ARRIVED, self._root.request)
