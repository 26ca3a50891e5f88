"""What the core learns from noisy runs changes its plans, never how long a task really takes."""

from dataclasses import replace
from statistics import geometric_mean

import pytest

from band.scheduler.events import ModelAdded
from band.scheduler.loader import make_policy, policy_swapped
from band.sim.simulator import simulate
from band.testing.arrivals import periodic
from band.testing.devices import make_device, make_processor
from band.testing.tables import whole

COST_US = 1_000


@pytest.mark.parametrize("seed", range(4))
def test_runs_do_not_drift_away_from_the_cost_of_the_table(seed: int) -> None:
    table = replace(whole("m", cpu=COST_US), processors=("cpu",), transfer_us=(((0,),),) * 2)
    run = simulate(
        device=make_device(make_processor("cpu"), noise_sigma=0.3),
        models=[ModelAdded(table)],
        policy=policy_swapped("shortest_expected_latency"),
        make_policy=make_policy,
        source=periodic({"m": 100.0}, 20.0),
        seed=seed,
    )
    last = [task.run_us for task in run.tasks[-1000:]]
    assert len(last) == 1000
    assert geometric_mean(last) == pytest.approx(COST_US, rel=0.04)
