"""One scheduling decision, and whole passes: ours against literal ports of Band's.

Six synthetic models of eight units on four workers of which about half are busy, 300 queries.
Every answer is compared with the oracle's, ties included, before anything is timed. The passes are
those of ``decision_passes``; a job "handed out" there is one that Band gives to a worker, though
the worker be busy with another of the same pass.

    python benchmarks/decision.py --json -
"""

import random
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from decision_passes import PASSES, measure
from rounds import Paired, compare, document, main

from band.plan.best import BestPlan
from band.plan.kernel import Kernel
from band.plan.table import PlanTable, Span, zero_transfers
from band.testing.oracles import PortModel, PortPlan, shortest_plan, shortest_plan_with_transfers
from band.testing.tables import chain

MODELS, UNITS, WORKERS, QUERIES = 6, 8, 4, 300


Port = Callable[[PortModel, int, dict[int, int]], PortPlan | None]


class Query(NamedTuple):
    """One question: which model, and how long each worker is busy; from the first unit on."""

    model: int
    waits_us: tuple[int, ...]


def synthetic_table(seed: int, *, transfers: bool) -> PlanTable:
    """Return a model of eight units: worker 0 takes all, the others 70 to 90 % of the units."""
    g = random.Random(seed)
    work = [g.randint(200, 3_000) for _ in range(UNITS)]
    spans = []
    for worker in range(WORKERS):
        share = 1.0 if worker == 0 else g.uniform(0.7, 0.9)
        speed = g.uniform(0.25, 0.9) if worker else 1.0
        takes = [g.random() < share for _ in range(UNITS)]
        dispatch = g.randint(50, 300)
        own = [max(1, round(us * speed * g.uniform(0.8, 1.25))) for us in work]
        spans += [
            Span(first, last, worker, dispatch + sum(own[first : last + 1]))
            for first in range(UNITS)
            for last in range(first, UNITS)
            if all(takes[first : last + 1])
        ]
    moves = zero_transfers(UNITS, WORKERS)
    if transfers:
        rows = [[[0] * WORKERS for _ in range(WORKERS)] for _ in range(UNITS + 1)]
        for boundary in range(1, UNITS):
            us = g.randint(20, 900)
            for a in range(WORKERS):
                for b in range(WORKERS):
                    rows[boundary][a][b] = 0 if a == b else us + 40 * abs(a - b)
        moves = tuple(tuple(tuple(row) for row in boundary) for boundary in rows)
    return PlanTable(
        model=f"synthetic-{seed}",
        version=1,
        processors=tuple(f"worker{w}" for w in range(WORKERS)),
        unit_count=UNITS,
        dependencies=chain(UNITS),
        spans=tuple(sorted(spans)),
        transfer_us=moves,
    )


def queries(seed: int) -> list[Query]:
    """Return the questions: each worker is busy with probability one half, up to 8 ms."""
    g = random.Random(seed)
    return [
        Query(
            model=g.randrange(MODELS),
            waits_us=tuple(g.randint(1, 8_000) if g.random() < 0.5 else 0 for _ in range(WORKERS)),
        )
        for _ in range(QUERIES)
    ]


def check(plan: BestPlan | None, port: PortPlan | None) -> None:
    """Raise unless both plans are the same chain with the same latency."""
    ours = plan and (
        plan.latency_us,
        [(s.span.processor, s.span.first, s.span.last) for s in plan.steps],
    )
    theirs = port and (port.latency_us, [(k.worker, k.first, k.last) for k in port.keys])
    if ours is None or ours != theirs:
        message = f"kernel and port differ: {ours} and {theirs}"
        raise AssertionError(message)


def compared(port: Port, *, transfers: bool, rounds: int) -> tuple[Paired, Paired]:
    """Return the hot form and the full plan of the kernel, each against the port."""
    tables = [synthetic_table(seed, transfers=transfers) for seed in range(MODELS)]
    kernels = [Kernel(table) for table in tables]
    models = [PortModel.of(table) for table in tables]
    asked = queries(7)
    of_kernel = [(kernels[q.model], q.waits_us) for q in asked]
    of_port = [(models[q.model], dict(enumerate(q.waits_us))) for q in asked]
    for (kernel, waits), (model, waiting) in zip(of_kernel, of_port, strict=True):
        plan, found = kernel.plan(0, waits), port(model, 0, waiting)
        check(plan, found)
        best = kernel.best(0, waits)
        if plan is None or best is None or best[0] != plan.latency_us:
            message = f"hot form and plan differ: {best} and {plan}"
            raise AssertionError(message)

    def hot() -> None:
        for kernel, waits in of_kernel:
            kernel.best(0, waits)

    def full() -> None:
        for kernel, waits in of_kernel:
            kernel.plan(0, waits)

    def peer() -> None:
        for model, waiting in of_port:
            port(model, 0, waiting)

    return (
        compare(hot, peer, calls=QUERIES, rounds=rounds),
        compare(full, peer, calls=QUERIES, rounds=rounds),
    )


def percentile_us(transfers: bool) -> float:
    """Return the 99th percentile of single decisions, each timed by itself, clock included."""
    kernels = [Kernel(synthetic_table(seed, transfers=transfers)) for seed in range(MODELS)]
    asked = queries(7)
    taken = []
    for number in range(11):
        for query in asked:
            kernel = kernels[query.model]
            start = time.thread_time_ns()
            kernel.best(0, query.waits_us)
            if number:  # the first time tables are flattened, once per version
                taken.append(time.thread_time_ns() - start)
    return sorted(taken)[len(taken) * 99 // 100] / 1e3


def run(rounds: int) -> dict[str, Any]:
    """Return the document of the benchmark."""
    metrics: dict[str, float] = {}
    ratios: dict[str, float] = {}
    for name, port, transfers in (
        ("best_plan", shortest_plan, False),
        ("best_plan_transfers", shortest_plan_with_transfers, True),
    ):
        hot, full = compared(port, transfers=transfers, rounds=rounds)
        ratios[f"{name}_over_port"] = hot.ratio
        ratios[f"{name}_steps_over_port"] = full.ratio
        metrics[f"{name}_us"] = hot.ours_us
        metrics[f"{name}_steps_us"] = full.ours_us
        metrics[f"{name}_port_us"] = hot.peer_us
        metrics[f"{name}_ratio_p10"] = hot.low
        metrics[f"{name}_ratio_p90"] = hot.high
    metrics["best_plan_p99_us"] = percentile_us(False)
    metrics["best_plan_transfers_p99_us"] = percentile_us(True)
    tables = [synthetic_table(seed, transfers=False) for seed in range(MODELS)]
    for name in PASSES:
        figures = measure(name, tables, max(3, rounds // 2))
        ratios[f"{name}_pass_over_port"] = figures.paired.ratio
        metrics[f"{name}_pass_us"] = figures.paired.ours_us
        metrics[f"{name}_pass_port_us"] = figures.paired.peer_us
        metrics[f"{name}_dispatches_per_pass"] = figures.dispatches
        metrics[f"{name}_us_per_dispatch"] = figures.paired.ours_us / figures.dispatches
        metrics[f"{name}_us_per_handed_out"] = figures.paired.ours_us / figures.handed_out
        metrics[f"{name}_port_us_per_handed_out"] = figures.paired.peer_us / figures.handed_out
    return document("decision", metrics, ratios)


if __name__ == "__main__":
    main(run)
