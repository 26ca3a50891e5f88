"""How far a plan that was searched offline gets, beside policies that decide while it runs.

Objective ``load``, all simulated: the highest pace at which 99 % of the deadlines are met, as a
share of the capacity bound. Two kinds of load:

- random workloads (``band.testing.workloads``: six models on four processors, nothing noisy). The
  plan is searched on the first seconds and judged, as the policies are, on a longer trace;
- the committed scenario ``demo_generated`` with seed 1 on the emulated snapdragon_8gen3, with its
  noise; searched on seed 1, judged on seed 2.

    python benchmarks/search.py --json -
"""

import sys
import time
from collections.abc import Iterator
from statistics import fmean
from typing import Any

from rounds import document, main

from band.config.device import load_device
from band.plan.capacity import capacity_bound
from band.replay.replay import sim_runner
from band.scheduler.events import ModelAdded, PolicySwapped
from band.scheduler.loader import policy_swapped
from band.search.genetic import SearchSettings
from band.search.objective import Objective
from band.search.search import search, static_policy
from band.search.under_core import SearchProblem, sustained_under_core
from band.testing.tables import make_device
from band.testing.workloads import RATES_PER_S, Workload, workload
from band.trace.contents import contents
from band.trace.generator import generate
from band.trace.scenario import load_scenario
from band.trace.schema import Frame, Header, Node, Trace, TraceModel

SEEDS = range(3)
SEARCHED_S = 2.0
JUDGED_S = 6.0
POLICIES = ("price_aware", "shortest_expected_latency")
SETTINGS = SearchSettings(generations=40, population=32, patience=12, finalists=2)


def trace_of(load: Workload, seconds: float) -> Trace:
    """Return the requests of a workload at scale 1, each a frame of its own."""
    frames = []
    for at_us, request in load.arrivals(1.0, seconds).roots():
        node = Node(id="job", model=request.model, deadline_us=request.deadline_us)
        frames.append(Frame(at_us=at_us, stream=request.stream, frame=request.frame, nodes=(node,)))
    header = Header(
        scenario=f"workload {load.seed}",
        seed=load.seed,
        seconds=seconds,
        models=tuple(TraceModel(name=name) for name in RATES_PER_S),
    )
    return Trace(header=header, frames=tuple(frames))


def problems() -> Iterator[tuple[str, float, SearchProblem, SearchProblem]]:
    """Yield name, capacity bound, the problem to search and the one to judge on."""
    for seed in SEEDS:
        load = workload(seed)
        models = [ModelAdded(table) for table in load.tables]
        short, long = (
            SearchProblem(trace=trace_of(load, s), device=make_device(), models=models)
            for s in (SEARCHED_S, JUDGED_S)
        )
        yield f"workload{seed}", load.bound.scale, short, long
    scenario, _ = load_scenario("demo_generated")
    first, second = (generate(scenario, seconds=JUDGED_S, seed=seed) for seed in (1, 2))
    holds = contents(second)
    runner = sim_runner(first, contents(first), load_device("snapdragon_8gen3"))
    models = [prepared.added for prepared in runner.prepared]
    bound = capacity_bound((p.usable for p in runner.prepared), holds.rates_per_s)
    yield (
        "demo_generated",
        bound.scale,
        SearchProblem(trace=first, device=runner.device, models=models, noise_seed=1),
        SearchProblem(trace=second, device=runner.device, models=models, noise_seed=2),
    )


def judged(problem: SearchProblem, policy: PolicySwapped, bound: float) -> float:
    """Return the highest load in real time as a share of the bound."""
    return sustained_under_core(problem, policy, bound / 2) / bound


def run(rounds: int) -> dict[str, Any]:
    """Return the document of the benchmark; the search has one result, however many rounds."""
    del rounds
    metrics: dict[str, float] = {}
    wins: dict[str, list[float]] = {policy: [] for policy in POLICIES}
    for name, bound, short, long in problems():
        start_s = time.process_time()
        found = search(short, Objective.LOAD, SETTINGS)
        metrics[f"{name}_search_cpu_s"] = time.process_time() - start_s
        metrics[f"{name}_simulations"] = found.plays
        metrics[f"{name}_bound"] = bound
        metrics[f"{name}_searched_share"] = found.load / bound
        share = metrics[f"{name}_static_plan_share"] = judged(
            long, static_policy(found.plan), bound
        )
        for policy in POLICIES:
            other = metrics[f"{name}_{policy}_share"] = judged(long, policy_swapped(policy), bound)
            wins[policy].append(share / other)
        told = {key: round(value, 3) for key, value in metrics.items() if key.startswith(name)}
        print(told, file=sys.stderr)
    ratios = {f"static_plan_over_{policy}": fmean(found) for policy, found in wins.items()}
    return document("search", metrics, ratios)


if __name__ == "__main__":
    main(run)
