"""A rehearsal is exact: what it says of a declared load is what the simulator then does."""

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, ClassVar

import pytest

from band.plan.table import PlanTable
from band.scheduler.advice import EndedRequest, Rehearsed, Simulate, Snapshot
from band.scheduler.commands import JobOutcome
from band.scheduler.events import AdviceReady, Json, ModelAdded, PolicySwapped, StreamLoad
from band.scheduler.options import CoreOptions
from band.scheduler.policy import Decision, Policy, PolicyInfo
from band.scheduler.policy_source import load_file
from band.scheduler.view import View
from band.share import share_dir
from band.sim.advise import plain
from band.sim.decisions import compare_decisions
from band.sim.simulator import SimRun, simulate
from band.testing.inboxes import KeptInbox
from band.testing.tables import chain, make_device, random_table, whole
from band.trace.frames import FrameTracker
from band.trace.schema import Frame, Header, Node, Trace

MS = 1000


class Played(FrameTracker):
    """Frames that are declared."""

    def __init__(self, trace: Trace, streams: tuple[StreamLoad, ...]) -> None:
        super().__init__(trace)
        self.streams = streams


class Curious:
    """Decides as a shipped policy does, and keeps what a rehearsal said when it was advised."""

    info: ClassVar = PolicyInfo(name="curious", summary="", source="", work_conserving=False)
    said: ClassVar[list[Rehearsed | None]] = []
    budget: ClassVar[int] = 1

    def __init__(self, params: Any) -> None:
        self.params = params
        source = load_file(share_dir("policies") / "least_slack_first.py")
        self._inner: Policy = source.policy_type(source.params_type())

    def plan(self, view: View) -> Sequence[Decision]:
        return self._inner.plan(view)

    def advise(self, snapshot: Snapshot, params: Any, simulate: Simulate, budget: int) -> Json:
        self.said.append(simulate({"a": [1, 2]}))
        return {"a": [1, 2]}

    def advised(self, payload: Json) -> None:
        assert payload == {"a": (1, 2)}, "lists come as tuples"


class Horizon:
    """Parameters of the curious policy."""

    horizon_us = 400 * MS
    simulations = 1
    window = 16


def frames_of(loads: Sequence[StreamLoad]) -> Trace:
    """Return the trace that loads declare."""
    found: list[Frame] = []
    by_stream: dict[str, list[StreamLoad]] = defaultdict(list)
    for load in loads:
        by_stream[load.stream].append(load)
    for stream, members in by_stream.items():
        root = members[0]
        assert root.frames is not None
        for index in range(root.frames):
            at_us = root.next_us + index * root.period_us
            nodes = tuple(
                Node(
                    id=load.model,
                    model=load.model,
                    count=int((index + 1) * load.copies) - int(index * load.copies),
                    parents=load.parents,
                    deadline_us=None if load.deadline_us is None else at_us + load.deadline_us,
                    expires_us=None if load.expires_us is None else at_us + load.expires_us,
                )
                for load in members
            )
            found.append(Frame(at_us=at_us, stream=stream, frame=index, nodes=nodes))
    found.sort(key=lambda frame: frame.at_us)
    return Trace(header=Header(scenario="t", seed=0, seconds=1, models=()), frames=tuple(found))


def play(
    loads: tuple[StreamLoad, ...], tables: Sequence[PlanTable], inbox: KeptInbox | None = None
) -> tuple[SimRun, Rehearsed]:
    """Return a run and what the rehearsal at its start had said."""
    Curious.said.clear()
    run = simulate(
        device=make_device(),
        models=[ModelAdded(table) for table in tables],
        policy=PolicySwapped("curious", ""),
        make_policy=lambda _: Curious(Horizon),
        source=Played(frames_of(loads), loads),
        options=CoreOptions(advise_pause_us=1 << 50),
        recorder=inbox,
    )
    assert not run.policy_reports
    (said,) = Curious.said
    assert said is not None
    return run, said


def ended(run: SimRun) -> list[tuple[Any, ...]]:
    return sorted(
        (r.finished_us, r.model, r.stream, r.frame or 0, str(r.outcome), r.reason)
        for r in run.requests
    )


def foretold(said: Rehearsed) -> list[tuple[Any, ...]]:
    return sorted(
        (r.finished_us, r.model, r.stream, r.frame or 0, str(r.outcome), str(r.reason))
        for r in said.requests
    )


def random_loads(rng: random.Random) -> tuple[tuple[StreamLoad, ...], list[PlanTable]]:
    tables = [
        random_table(rng, f"m{n}", units, dependencies=chain(units), move_us=rng.choice([0, 30]))
        for n, units in enumerate([1, 3, 4, 2, 5])
    ]
    loads = []
    for stream, members in enumerate([("m0", "m1"), ("m2",), ("m3", "m4")]):
        period_us = rng.randint(1_500, 6_000)
        deadline_us = rng.choice([None, 900, period_us, 2 * period_us])
        loads += [
            StreamLoad(
                stream=f"s{stream}",
                model=model,
                period_us=period_us,
                next_us=137 * stream,
                deadline_us=deadline_us,
                parents=members[:place],
                copies=rng.choice([1.0, 2.0, 0.5]) if place else 1.0,
                frames=200 * MS // period_us,
                expires_us=None if deadline_us is None else deadline_us + rng.choice([1, 500]),
            )
            for place, model in enumerate(members)
        ]
    return tuple(loads), tables


def test_a_rehearsal_of_a_declared_load_foretells_exactly_what_happens() -> None:
    reasons: Counter[str] = Counter()
    for seed in range(12):
        loads, tables = random_loads(random.Random(seed))
        run, said = play(loads, tables)
        assert foretold(said) == ended(run)
        assert said.open == ()
        reasons.update(r.reason for r in run.requests)
    assert reasons[""]
    assert reasons["deadline_unreachable"]
    assert reasons["parent_dropped"]


def test_decisions_replay_without_a_simulation() -> None:
    loads, tables = random_loads(random.Random(1))
    inbox = KeptInbox()
    play(loads, tables, inbox)
    assert any(isinstance(event, AdviceReady) for event in inbox.events())
    Curious.said.clear()
    compared = compare_decisions(
        inbox.records,
        make_policy=lambda _: Curious(Horizon),
        options=CoreOptions(advise_pause_us=1 << 50),
    )
    assert compared.difference is None
    assert compared.events == len(inbox.records)
    assert Curious.said == []


def test_new_requests_come_within_the_horizon_and_are_played_to_their_end() -> None:
    loads = (StreamLoad("s", "m", 100 * MS, 0, frames=50),)
    _, said = play(loads, [whole("m", cpu=70 * MS)])
    assert [request.arrived_us for request in said.requests] == [0, 100 * MS, 200 * MS, 300 * MS]
    assert said.requests[-1].finished_us == 370 * MS


def test_a_play_ends_after_twice_the_horizon_with_the_rest_open() -> None:
    loads = (StreamLoad("s", "m", 10 * MS, 0, frames=40),)
    _, said = play(loads, [whole("m", cpu=100 * MS)])
    assert len(said.requests) == 8
    assert said.open == (("m", 32),)


def test_energy_is_that_of_the_tasks_and_children_of_the_dropped_are_dropped() -> None:
    table = whole("m", cpu=10 * MS)
    table = type(table)(
        **{
            **{name: getattr(table, name) for name in table.__slots__},
            "spans": tuple(span._replace(energy_uj=700) for span in table.spans),
        }
    )
    loads = (
        StreamLoad("s", "m", 20 * MS, 0, deadline_us=15 * MS, frames=1),
        StreamLoad("s", "n", 20 * MS, 0, deadline_us=15 * MS, frames=1, parents=("m",)),
        StreamLoad("t", "n", 20 * MS, 0, deadline_us=15 * MS, frames=1),
        StreamLoad("t", "k", 20 * MS, 0, deadline_us=15 * MS, frames=1, parents=("n",)),
    )
    run, said = play(loads, [table, whole("n", cpu=20 * MS), whole("k", cpu=1 * MS)])
    found = {(r.stream, r.model): r for r in said.requests}
    assert found["s", "m"].energy_uj == 700
    assert found["t", "n"].outcome is JobOutcome.DROPPED
    assert found["t", "k"].reason == "parent_dropped"
    assert foretold(said) == ended(run)


def test_a_payload_is_plain_data_or_an_error() -> None:
    assert plain({"a": [1, (2.5, None)], "b": True}) == {"a": (1, (2.5, None)), "b": True}
    for bad in ({1: 2}, {"a": float("nan")}, object(), {"a": {1, 2}}):
        with pytest.raises(TypeError, match="a payload holds a"):
            plain(bad)


def test_the_fields_of_an_ended_request_are_as_documented() -> None:
    loads = (StreamLoad("s", "m", 20 * MS, 0, deadline_us=15 * MS, frames=1),)
    _, said = play(loads, [whole("m", cpu=10 * MS)])
    assert said.requests == (
        EndedRequest("m", "s", 0, 0, 15 * MS, 10 * MS, JobOutcome.COMPLETED, "", 0),
    )
