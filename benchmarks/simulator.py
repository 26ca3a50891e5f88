"""The simulator: how much faster than real time, and how it stands against simpy.

Six models at 60, 60, 45, 45, 30 and 30 requests a second, three subgraphs a job, four workers of
which the first runs everything. Ours is the whole scheduler core with the policy
shortest_expected_latency, with records of every request and task. The peer is what one writes by
hand with simpy: each subgraph goes to the worker that finishes it first, without policies, classes,
deadlines or records; the ratio says what all that costs.

    python benchmarks/simulator.py --json -
"""

import heapq
import random
from collections.abc import Generator
from typing import Any

import simpy
from rounds import compare, document, main

from band.plan.table import PlanTable
from band.scheduler.events import ModelAdded
from band.scheduler.loader import make_policy, policy_swapped
from band.sim.simulator import SimRun, simulate
from band.testing.arrivals import FixedArrivals, periodic
from band.testing.tables import PROCESSORS, make_device, make_table

SECONDS = 10.0
RATES_PER_S = {"m0": 60.0, "m1": 60.0, "m2": 45.0, "m3": 45.0, "m4": 30.0, "m5": 30.0}
SUBGRAPHS = 3


def tables(seed: int) -> list[PlanTable]:
    """Return the models: one span a subgraph and worker, about 1 ms, with gaps off worker 0."""
    g = random.Random(seed)
    found = []
    for model in RATES_PER_S:
        costs = {
            worker: {
                (unit, unit): g.randint(600, 1_600) if place == 0 else g.randint(400, 1_300)
                for unit in range(SUBGRAPHS)
                if place == 0 or g.random() < 0.8
            }
            for place, worker in enumerate(PROCESSORS)
        }
        found.append(make_table(model, costs))
    return found


def streams(seconds: float) -> FixedArrivals:
    """Return the arrivals: independent streams, so each starts somewhere in its period."""
    return periodic(RATES_PER_S, seconds, phases=random.Random(3))


def run_ours(models: list[PlanTable], source: FixedArrivals) -> SimRun:
    """Return a run of our simulator."""
    return simulate(
        device=make_device(),
        models=[ModelAdded(table) for table in models],
        policy=policy_swapped("shortest_expected_latency"),
        make_policy=make_policy,
        source=source,
    )


def run_simpy(models: list[PlanTable], source: FixedArrivals) -> list[int]:
    """Return the latencies that the simpy model gives."""
    environment = simpy.Environment()
    workers = [simpy.Resource(environment) for _ in PROCESSORS]
    free_at = [0] * len(PROCESSORS)
    costs: dict[str, list[list[tuple[int, int]]]] = {
        table.model: [
            [(s.processor, s.cost_us) for s in table.spans if s.first == unit]
            for unit in range(SUBGRAPHS)
        ]
        for table in models
    }
    latencies: list[int] = []

    def job(model: str) -> Generator[simpy.Event, None, None]:
        arrived = environment.now
        for hops in costs[model]:
            finish, worker, cost = min(
                (max(environment.now, free_at[w]) + cost, w, cost) for w, cost in hops
            )
            free_at[worker] = int(finish)
            with workers[worker].request() as turn:
                yield turn
                yield environment.timeout(cost)
        latencies.append(int(environment.now - arrived))

    def arrivals() -> Generator[simpy.Event, None, None]:
        for arrival in source.roots():
            yield environment.timeout(arrival.at_us - environment.now)
            environment.process(job(arrival.request.model))

    environment.process(arrivals())
    environment.run()
    return latencies


def run(rounds: int) -> dict[str, Any]:
    """Return the document of the benchmark."""
    models, source = tables(1), streams(SECONDS)
    ours, peer = run_ours(models, source), run_simpy(models, source)
    if len(ours.requests) != len(peer) or len(ours.tasks) != SUBGRAPHS * len(peer):
        message = f"{len(ours.requests)} requests and {len(ours.tasks)} tasks, simpy {len(peer)}"
        raise AssertionError(message)
    paired = compare(
        lambda: run_ours(models, source), lambda: run_simpy(models, source), calls=1, rounds=rounds
    )
    return document(
        "simulator",
        {
            "requests": len(peer),
            "tasks": len(ours.tasks),
            "us_per_task": paired.ours_us / len(ours.tasks),
            "mean_latency_us": sum(r.latency_us for r in ours.requests) / len(peer),
            "p99_latency_us": heapq.nlargest(len(peer) // 100, latencies(ours))[-1],
            "simpy_mean_latency_us": sum(peer) / len(peer),
            "simpy_p99_latency_us": heapq.nlargest(len(peer) // 100, peer)[-1],
        },
        {
            "simulated_over_real_time": SECONDS * 1e6 / paired.ours_us,
            "simulator_over_simpy": paired.ratio,
        },
    )


def latencies(run: SimRun) -> list[int]:
    """Return the latency of each request."""
    return [record.latency_us for record in run.requests]


if __name__ == "__main__":
    main(run)
