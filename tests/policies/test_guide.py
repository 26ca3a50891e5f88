"""The policies of docs/policy-guide.md run as they stand there."""

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from band.scheduler.commands import Command, JobOutcome
from band.scheduler.events import AdviceReady, Event, ModelAdded, RequestArrived, StreamLoad
from band.scheduler.loader import make_policy, policy_swapped
from band.sim.simulator import simulate
from band.testing.arrivals import FixedArrivals, periodic
from band.testing.fixed_view import FixedView, make_job
from band.testing.tables import make_device, make_table, whole

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "policy-guide.md"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    codes = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    for name, code in zip(("shortest_first", "try_both"), codes, strict=True):
        (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    return tmp_path


def test_the_policy_of_the_guide_runs_a_trace(folder: Path) -> None:
    split = make_table("split", {"cpu": {(0, 0): 300, (1, 1): 90}, "gpu": {(0, 0): 100}})
    run = simulate(
        device=make_device(noise_sigma=0.1),
        models=[ModelAdded(split), ModelAdded(whole("m", cpu=400, gpu=250))],
        policy=policy_swapped("shortest_first", policy_dirs=[folder]),
        make_policy=partial(make_policy, policy_dirs=[folder]),
        source=periodic({"split": 800.0, "m": 900.0}, 0.2),
    )
    assert {request.outcome for request in run.requests} == {JobOutcome.COMPLETED}
    assert not run.policy_reports


def test_the_policy_of_the_guide_takes_the_shortest_job(folder: Path) -> None:
    policy = make_policy(policy_swapped(str(folder / "shortest_first.py")))
    tables = [whole("long", cpu=90), whole("short", cpu=10)]
    view = FixedView(tables, [make_job(0, "long"), make_job(1, "short")])
    ((dispatch,),) = [policy.plan(view)]
    assert dispatch.tasks[0].jobs == (1,)  # type: ignore[union-attr]


class Books:
    """Notes the advice that reached the core."""

    def __init__(self) -> None:
        self.payloads: list[object] = []

    def record(self, now_us: int, event: Event, commands: Sequence[Command]) -> None:
        """Note one call of the core."""
        if isinstance(event, AdviceReady):
            assert event.reason == ""
            self.payloads.append(event.payload)


@pytest.mark.parametrize(("period_us", "expected"), [(2000, "shortest"), (4000, "deadline")])
def test_the_advised_policy_of_the_guide_takes_the_better_order(
    folder: Path, period_us: int, expected: str
) -> None:
    """Long jobs are due first. When there is too much to do, their order makes all jobs late."""
    loads = (
        StreamLoad("long", "long", period_us, 0, deadline_us=1600),
        StreamLoad("short", "short", 500, 100, deadline_us=2500),
    )
    times = sorted(
        (at_us, load.model, at_us + (load.deadline_us or 0))
        for load in loads
        for at_us in range(load.next_us, 200_000, load.period_us)
    )
    books = Books()
    run = simulate(
        device=make_device(["cpu"]),
        models=[
            ModelAdded(make_table(model, {"cpu": {(0, 0): cost_us}}, processors=["cpu"]))
            for model, cost_us in (("long", 1500), ("short", 200))
        ],
        policy=policy_swapped("try_both", policy_dirs=[folder]),
        make_policy=partial(make_policy, policy_dirs=[folder]),
        source=FixedArrivals(
            (
                (at_us, RequestArrived(number, model, model, deadline_us=due_us))
                for number, (at_us, model, due_us) in enumerate(times)
            ),
            streams=loads,
        ),
        recorder=books,
    )
    assert not run.policy_reports
    assert books.payloads[0] == {"order": expected}
