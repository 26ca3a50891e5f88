import random

import pytest
from simulator import run_flat, run_simpy, tables

from band.scheduler.events import RequestArrived
from band.sim.flat_earliest import earliest_finish, subgraphs
from band.sim.flat_trace import flatten_arrivals
from band.testing.arrivals import FixedArrivals
from band.testing.tables import make_table


@pytest.mark.parametrize("seed", range(20))
def test_every_request_finishes_when_simpy_says_also_if_much_happens_at_once(seed: int) -> None:
    rng = random.Random(seed)
    models = tables(seed)
    grid_us = rng.choice([1, 50, 500])
    at_us = sorted(rng.randint(0, 60_000) // grid_us * grid_us for _ in range(150))
    arrivals = FixedArrivals(
        (time, RequestArrived(number, rng.choice(models).model))
        for number, time in enumerate(at_us)
    )
    trace = flatten_arrivals(arrivals.roots())
    assert run_flat(models, trace) == run_simpy(models, arrivals)


def test_a_subgraph_waits_in_the_queue_of_the_processor_that_would_finish_it_first() -> None:
    table = make_table("m", {"cpu": {(0, 0): 10}, "gpu": {(0, 0): 4}})
    assert subgraphs(table) == (((10, 0), (4, 1)),)
    arrivals = FixedArrivals((0, RequestArrived(number, "m")) for number in range(4))
    assert earliest_finish(flatten_arrivals(arrivals.roots()), [table]) == [4, 8, 10, 12]


def test_no_requests_finish_never() -> None:
    assert earliest_finish(flatten_arrivals(()), [make_table("m", {"cpu": {(0, 0): 10}})]) == []
