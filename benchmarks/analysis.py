"""The analyzer: how good its cuts are, how many subgraphs it offers, and what it costs.

Random networks of three to seven ops: the gap between the cost plan and the best of all acyclic
partitions, found by brute force. Two real models on the five workers of the golden case, with the
coefficients of its file (all processors alike) and with made-up ones of unequal speed: subgraphs,
predicted latency and CPU time against Band's own analysis with minimum size 1. Every coefficient
is a hypothesis: the figures say something of the analyzer, nothing of a phone.

    BAND_TEST_DATA=FOLDER python benchmarks/analysis.py --json -
"""

import os
import random
import statistics
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from rounds import compare, document, main

from band.analysis.analyze import analyze
from band.analysis.partition import Mode, Partition
from band.config.device import load_device
from band.device.profile import Device, Link
from band.errors import BandError
from band.model.graph import Graph
from band.model.source import open_model
from band.plan.build import build_table
from band.plan.kernel import Kernel
from band.testing.graphs import GUESS
from band.testing.networks import random_network, random_processors
from band.testing.partition_oracles import best_of_all_partitions

NETWORKS: Final = 2_000
GOLDEN: Final = Path(__file__).resolve().parents[1] / "tests" / "golden" / "case_a.yaml"
MODELS: Final = ("style_transfer_int8", "pose_landmark_full")
SLOWNESS: Final = {"cpu": 4.0, "gpu": 2.0, "npu": 1.0, "dsp": 1.0}


def gaps(count: int) -> list[float]:
    """Return how much longer than the best of all partitions the cost plans are, ascending."""
    found = []
    for seed in range(count):
        rng = random.Random(seed)
        graph = random_network(rng, rng.randint(3, 7))
        device = random_processors(rng, graph)
        partition = analyze(graph, device)
        found.append(latency_us(graph, device, partition) / best_of_all_partitions(graph, device))
    return sorted(gap - 1 for gap in found)


def latency_us(graph: Graph, device: Device, partition: Partition) -> int:
    """Return the predicted latency of the best plan when nothing waits."""
    table = build_table(graph, device, partition, name="m")
    best = Kernel(table).best(0, (0,) * len(device.processors))
    assert best is not None, f"{graph.name} cannot run on {device.name}"
    return best[0]


def unequal(device: Device) -> Device:
    """Return the golden device with CPUs four times and a GPU twice as slow as the NPU."""
    processors = tuple(
        replace(
            p,
            costs=tuple(
                replace(
                    cost,
                    dispatch_us=200,
                    per_op_us=20 * SLOWNESS[p.kind],
                    us_per_gmac=cost.us_per_gmac * SLOWNESS[p.kind],
                )
                for cost in p.costs
            ),
        )
        for p in device.processors
    )
    link = Link(ends=(0, 0), sync_us=100, bytes_per_s=5e9, evidence=GUESS)
    return replace(device, processors=processors, default_link=link)


def compared(graph: Graph, device: Device, label: str, rounds: int) -> dict[str, float]:
    """Return the figures of one model on one device, ours and Band's."""

    def ours() -> Partition:
        return analyze(graph, device, minimum_subgraph_size=1)

    def band() -> Partition:
        return analyze(graph, device, mode=Mode.BAND, minimum_subgraph_size=1)

    def with_table() -> None:
        build_table(graph, device, ours(), name="m")

    mine = ours()
    figures = {
        f"{label}_units": float(len(mine.units)),
        f"{label}_subgraphs": float(len(mine.subgraphs)),
        f"{label}_predicted_us": float(latency_us(graph, device, mine)),
    }
    theirs = or_none(band)
    if theirs is not None:
        figures[f"{label}_band_subgraphs"] = float(len(theirs.subgraphs))
        figures[f"{label}_band_predicted_us"] = float(latency_us(graph, device, theirs))
        paired = compare(with_table, band, calls=1, rounds=rounds)
        figures[f"{label}_cpu_ms"] = paired.ours_us / 1e3
        figures[f"{label}_band_cpu_over_ours"] = paired.ratio
    return figures


def or_none(work: Callable[[], Partition]) -> Partition | None:
    """Return what Band's analysis gives, None for a model that it refuses."""
    try:
        return work()
    except BandError:
        return None


def run(rounds: int) -> dict[str, Any]:
    """Return the document of the benchmark."""
    found = gaps(NETWORKS)
    metrics = {
        "networks": float(len(found)),
        "gap_median": statistics.median(found),
        "gap_p95": found[int(0.95 * len(found))],
        "gap_largest": found[-1],
        "optimal_share": sum(gap < 1e-9 for gap in found) / len(found),
    }
    data = os.environ.get("BAND_TEST_DATA")
    if not data:
        return document("analysis", metrics, {}, "real models: BAND_TEST_DATA is not set")
    golden = load_device(str(GOLDEN))
    for name in MODELS:
        graph = open_model(str(Path(data) / "models" / f"{name}.tflite")).graph
        for kind, device in (("alike", golden), ("unequal", unequal(golden))):
            metrics |= compared(graph, device, f"{name}_{kind}", rounds)
    return document("analysis", metrics, {})


if __name__ == "__main__":
    main(run)
