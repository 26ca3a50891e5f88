"""Counts per model as the statistics extension of the inference protocol wants them.

The stages add up: of a completed request, ``compute_input`` is the time spent moving tensors
between processors, ``compute_infer`` the execution, and ``queue`` all the rest of its latency.
Durations are device time.
"""

import threading
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from band.clock import unix_time_ms
from band.metrics.records import RequestRecord, TaskRecord
from band.rpc import wire

_NS_PER_US = 1_000


@dataclass(slots=True)
class _Counts:
    completed: int = 0
    ended_badly: int = 0
    latency_us: int = 0
    bad_latency_us: int = 0
    transfer_us: int = 0
    run_us: int = 0
    last_ms: int = 0


class ModelCounts:
    """What ended, counted per model."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: defaultdict[str, _Counts] = defaultdict(_Counts)

    def add(self, record: RequestRecord, tasks: Iterable[TaskRecord]) -> None:
        """Take one request that ended, with its tasks."""
        with self._lock:
            counts = self._counts[record.model]
            counts.last_ms = unix_time_ms()
            if record.outcome != "completed":
                counts.ended_badly += 1
                counts.bad_latency_us += record.latency_us
                return
            counts.completed += 1
            counts.latency_us += record.latency_us
            for task in tasks:
                counts.transfer_us += task.transfer_us
                counts.run_us += task.run_us

    def message(self, model: str) -> wire.ModelStatistics:
        """Return the counts of a model since the daemon started."""
        with self._lock:
            counts = self._counts[model]
            # Two tasks of one request may run at once, so the rest can come out below zero.
            queue_us = max(0, counts.latency_us - counts.transfer_us - counts.run_us)
            done = counts.completed
            return wire.ModelStatistics(
                name=model,
                version="1",
                last_inference=counts.last_ms,
                inference_count=done,
                execution_count=done,
                inference_stats=wire.InferStatistics(
                    success=_duration(done, counts.latency_us),
                    fail=_duration(counts.ended_badly, counts.bad_latency_us),
                    queue=_duration(done, queue_us),
                    compute_input=_duration(done, counts.transfer_us),
                    compute_infer=_duration(done, counts.run_us),
                    compute_output=_duration(done, 0),
                ),
            )


def _duration(count: int, us: int) -> wire.StatisticDuration:
    return wire.StatisticDuration(count=count, ns=us * _NS_PER_US)
