"""A timeline of a run in Chrome's trace-event format, for Perfetto (https://ui.perfetto.dev).

One process per stream with one thread per processor, so that it shows which app used what; arrows
lead from each task of a split request to its next one; a process of its own counts the requests
that wait, run and were dropped. Every track of an emulated or simulated run says so in its name.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import count, pairwise
from typing import Any, Final

from band.metrics.runs import RunRecords
from band.scheduler.commands import JobOutcome

Event = dict[str, Any]

_NO_STREAM: Final = "requests"


def chrome_trace(runs: Sequence[RunRecords]) -> dict[str, Any]:
    """Return the trace-event document of some runs; times count from the start of the trace.

    Args:
        runs: shown below each other; with more than one, each process is named after its policy.
    """
    events: list[Event] = []
    arrows = count(1)
    first_pid = 0
    for run in runs:
        prefix = f"{run.label.policy}: " if len(runs) > 1 else ""
        timeline = _Timeline(run, first_pid, prefix)
        events += timeline.names()
        events += timeline.slices()
        events += timeline.arrows(arrows)
        events += timeline.counters()
        first_pid += 1 + len(timeline.streams)
    runs_shown = [
        {
            "policy": run.label.policy,
            "on": run.label.on,
            "device": run.label.device,
            "emulated": run.label.emulated,
            "word": run.label.word,
        }
        for run in runs
    ]
    return {
        "traceEvents": events,
        "displayTimeUnit": "ms",
        "otherData": {"runs": runs_shown},
    }


class _Timeline:
    """The events of one run.

    Args:
        run: its records.
        first_pid: process of its counters; those of its streams follow.
        prefix: of the name of each of its processes.
    """

    def __init__(self, run: RunRecords, first_pid: int, prefix: str) -> None:
        self.streams = sorted({r.stream for r in run.requests})
        self._run = run
        self._word = run.label.word
        self._prefix = prefix
        self._counters_pid = first_pid
        self._pids = {name: first_pid + i for i, name in enumerate(self.streams, start=1)}
        self._tids = {name: tid for tid, name in enumerate(run.processors, start=1)}
        stream_of = {r.request: r.stream for r in run.requests}
        self._tasks = {t.task: t for t in run.tasks if t.jobs[0] in stream_of}
        self._places = {
            task: (self._pids[stream_of[t.jobs[0]]], self._tids[t.processor])
            for task, t in self._tasks.items()
        }

    def names(self) -> Iterator[Event]:
        """Yield the names of processes and threads."""
        yield _meta("process_name", self._counters_pid, 0, self._named(f"{self._prefix}scheduler"))
        for stream, pid in self._pids.items():
            title = self._named(f"{self._prefix}{stream or _NO_STREAM}")
            yield _meta("process_name", pid, 0, title)
            for processor, tid in self._tids.items():
                yield _meta("thread_name", pid, tid, self._named(processor))

    def slices(self) -> Iterator[Event]:
        """Yield one slice per task, on the thread of its processor."""
        for number, task in self._tasks.items():
            pid, tid = self._places[number]
            yield {
                "ph": "X",
                "name": f"{task.model} [{units_text(task.units)}]",
                "cat": "task",
                "pid": pid,
                "tid": tid,
                "ts": task.dispatched_us,
                "dur": task.finished_us - task.dispatched_us,
                "args": {
                    "task": number,
                    "requests": list(task.jobs),
                    "predicted_us": task.predicted_us,
                    "run_us": task.run_us,
                    "transfer_us": task.transfer_us,
                    "overrun_us": task.overrun_us,
                    "ok": task.ok,
                    "word": task.word,
                },
            }

    def arrows(self, numbers: Iterator[int]) -> Iterator[Event]:
        """Yield an arrow from each task of a request to its next one."""
        for request in self._run.requests:
            chain = [self._tasks[t] for t in request.tasks if t in self._tasks]
            for before, after in pairwise(chain):
                name = f"request {request.request}"
                common = {"name": name, "cat": "handover", "id": next(numbers)}
                # An arrow binds to the slice its time lies in, so it leaves just before the end.
                leaves_us = max(before.dispatched_us, before.finished_us - 1)
                pid, tid = self._places[before.task]
                yield {"ph": "s", **common, "pid": pid, "tid": tid, "ts": leaves_us}
                pid, tid = self._places[after.task]
                arrives_us = max(leaves_us, after.dispatched_us)
                yield {"ph": "f", "bp": "e", **common, "pid": pid, "tid": tid, "ts": arrives_us}

    def counters(self) -> Iterator[Event]:
        """Yield how many requests wait, run and were dropped, at each change."""
        changes: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
        for r in self._run.requests:
            started_us = r.finished_us if r.queue_us is None else r.arrived_us + r.queue_us
            changes[r.arrived_us][0] += 1
            changes[started_us][0] -= 1
            changes[started_us][1] += 1
            changes[r.finished_us][1] -= 1
            changes[r.finished_us][2] += r.outcome == JobOutcome.DROPPED
        levels = [0, 0, 0]
        for ts in sorted(changes):
            levels = [level + change for level, change in zip(levels, changes[ts], strict=True)]
            for name, level in zip(("waiting", "running", "dropped"), levels, strict=True):
                yield {
                    "ph": "C",
                    "name": self._named(f"{name} requests"),
                    "pid": self._counters_pid,
                    "tid": 0,
                    "ts": ts,
                    "args": {name: level},
                }

    def _named(self, name: str) -> str:
        return f"{name} ({self._word})" if self._word else name


def _meta(name: str, pid: int, tid: int, value: str) -> Event:
    return {"ph": "M", "name": name, "pid": pid, "tid": tid, "args": {"name": value}}


def units_text(mask: int) -> str:
    """Return a mask of units as ``0-2,5``."""
    units = [i for i in range(mask.bit_length()) if mask >> i & 1]
    runs: list[list[int]] = []
    for unit in units:
        if runs and runs[-1][-1] == unit - 1:
            runs[-1][-1] = unit
        else:
            runs.append([unit, unit])
    return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in runs)
