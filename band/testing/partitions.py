"""Explained partitions: one with refusals, cuts and a processor that is down, and random ones."""

import random
from functools import cache
from typing import NamedTuple

from band.analysis.analyze import analyze
from band.analysis.partition import Partition
from band.device.profile import Device
from band.model.graph import Graph
from band.plan.build import build_table
from band.plan.explain import Explanation, explain
from band.report.picture import Picture, picture
from band.testing.graphs import device_for, make_graph, random_graph


class Case(NamedTuple):
    """An explained model."""

    graph: Graph
    device: Device
    partition: Partition
    explanation: Explanation

    @property
    def picture(self) -> Picture:
        """Return its picture."""
        return picture(self.graph, self.device, self.partition, self.explanation)


def explained(graph: Graph, device: Device) -> Case:
    """Return the explanation of a graph in cost mode."""
    partition = analyze(graph, device)
    table = build_table(graph, device, partition, name=graph.name)
    return Case(graph, device, partition, explain(graph, device, partition, table))


def small_case() -> Case:
    """Return six ops: the GPU refuses the third, the NPU is down; the plan is gpu, cpu0, gpu."""
    graph = make_graph([[0], [1], [2], [3], [4], [5]], name="small", sizes={2: 500, 3: 250})
    device = device_for(graph, {"cpu0": (), "gpu": (2,), "npu": ()}, down=["npu"], sync_us=3)
    return explained(graph, device)


@cache
def long_case(op_count: int = 700, seed: int = 3) -> Case:
    """Return a model of many ops that its processors take in runs."""
    rng = random.Random(seed)
    graph = random_graph(rng, op_count, constant_ops=False)
    refused = {name: _runs(rng, op_count) for name in ("gpu", "npu", "dsp")}
    return explained(graph, device_for(graph, {"cpu0": (), **refused}, sync_us=2))


def _runs(rng: random.Random, op_count: int) -> set[int]:
    found: set[int] = set()
    start = 0
    while start < op_count:
        end = start + rng.randint(3, 40)
        if rng.random() < 0.5:
            found.update(range(start, min(op_count, end)))
        start = end
    return found
