"""The policy of docs/policy-guide.md runs as it stands there."""

import re
from functools import partial
from pathlib import Path

import pytest

from band.scheduler.commands import JobOutcome
from band.scheduler.events import ModelAdded
from band.scheduler.loader import make_policy, policy_swapped
from band.sim.simulator import simulate
from band.testing.arrivals import periodic
from band.testing.fixed_view import FixedView, make_job
from band.testing.tables import make_device, make_table, whole

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "policy-guide.md"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "shortest_first.py").write_text(code, encoding="utf-8")
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
