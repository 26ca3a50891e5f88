"""The simulators: how much faster than real time, and how they stand against simpy.

Six models at 60, 60, 45, 45, 30 and 30 requests a second, three subgraphs a job, four workers of
which the first runs everything.

``simulated_over_real_time`` is the simulator with the whole scheduler core under the policy
shortest_expected_latency, with records of every request and task; ``ten_minute_trace_cpu_s`` is
its time for ten minutes of that load.

``simulator_over_simpy`` compares equal work: each subgraph joins the queue of the worker that
finishes it first, without policies, classes, deadlines or records. Ours is the flat simulator
under that rule, the peer the same model as one writes it by hand with simpy; every request
finishes at the same microsecond in both. ``core_over_simpy`` says what policies, records and the
rest of the core cost on top of that: there the two do not do the same.

    python benchmarks/simulator.py --json -
"""

import heapq
import random
from collections.abc import Generator
from statistics import fmean as mean
from typing import Any

import simpy
from rounds import compare, document, main, thread_us

from band.plan.table import PlanTable
from band.scheduler.events import ModelAdded
from band.scheduler.loader import make_policy, policy_swapped
from band.sim.flat_earliest import earliest_finish
from band.sim.flat_trace import FlatTrace, flatten_arrivals
from band.sim.simulator import SimRun, simulate
from band.testing.arrivals import FixedArrivals, periodic
from band.testing.tables import PROCESSORS, make_device, make_table

SECONDS = 10.0
LONG_SECONDS = 600.0
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


def run_core(models: list[PlanTable], source: FixedArrivals) -> SimRun:
    """Return a run of the simulator with the whole core."""
    return simulate(
        device=make_device(),
        models=[ModelAdded(table) for table in models],
        policy=policy_swapped("shortest_expected_latency"),
        make_policy=make_policy,
        source=source,
    )


def run_simpy(models: list[PlanTable], source: FixedArrivals) -> list[int]:
    """Return the latencies that the simpy model gives, in the order of the requests."""
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
    latencies: dict[int, int] = {}

    def job(model: str, request: int) -> Generator[simpy.Event, None, None]:
        arrived = environment.now
        for hops in costs[model]:
            finish, worker, cost = min(
                (max(environment.now, free_at[w]) + cost, w, cost) for w, cost in hops
            )
            free_at[worker] = int(finish)
            with workers[worker].request() as turn:
                yield turn
                yield environment.timeout(cost)
        latencies[request] = int(environment.now - arrived)

    def arrivals() -> Generator[simpy.Event, None, None]:
        for arrival in source.roots():
            yield environment.timeout(arrival.at_us - environment.now)
            environment.process(job(arrival.request.model, arrival.request.request))

    environment.process(arrivals())
    environment.run()
    return [latencies[request] for request in sorted(latencies)]


def run_flat(models: list[PlanTable], trace: FlatTrace) -> list[int]:
    """Return the latencies that the flat simulator gives, in the order of the requests."""
    finished_us = earliest_finish(trace, models)
    return [finished_us[request] - at_us for at_us, request in trace.roots]


def run(rounds: int) -> dict[str, Any]:
    """Return the document of the benchmark."""
    models, source = tables(1), streams(SECONDS)
    trace = flatten_arrivals(source.roots())
    core, flat, peer = run_core(models, source), run_flat(models, trace), run_simpy(models, source)
    if flat != peer or len(core.requests) != len(peer):
        message = f"mean latency {mean(flat)}, simpy {mean(peer)}; {len(core.requests)} requests"
        raise AssertionError(message)
    beside_core = compare(
        lambda: run_core(models, source), lambda: run_simpy(models, source), calls=1, rounds=rounds
    )
    beside_flat = compare(
        lambda: run_flat(models, trace), lambda: run_simpy(models, source), calls=1, rounds=rounds
    )
    long = streams(LONG_SECONDS)
    core_us = [record.latency_us for record in core.requests]
    return document(
        "simulator",
        {
            "requests": len(peer),
            "tasks": len(core.tasks),
            "us_per_task": beside_core.ours_us / len(core.tasks),
            "flat_us_per_task": beside_flat.ours_us / len(core.tasks),
            "simpy_us_per_task": beside_flat.peer_us / len(core.tasks),
            "mean_latency_us": mean(core_us),
            "p99_latency_us": heapq.nlargest(len(peer) // 100, core_us)[-1],
            "flat_mean_latency_us": mean(flat),
            "simpy_mean_latency_us": mean(peer),
            "core_over_simpy": beside_core.ratio,
            "ten_minute_trace_cpu_s": thread_us(lambda: run_core(models, long)) / 1e6,
        },
        {
            "simulated_over_real_time": SECONDS * 1e6 / beside_core.ours_us,
            "simulator_over_simpy": beside_flat.ratio,
        },
    )


if __name__ == "__main__":
    main(run)
