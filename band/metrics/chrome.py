"""A timeline of a run in Chrome's trace-event format, for Perfetto (https://ui.perfetto.dev).

One process per stream with one thread per processor, so that it shows which app used what; arrows
lead from each task of a split request to its next one; a process of its own counts the requests
that wait, run and were dropped. Every track of an emulated or simulated run says so in its name.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

from band.metrics.records import RequestRecord, TaskRecord
from band.metrics.summary import RunLabel
from band.scheduler.commands import JobOutcome

Event = dict[str, Any]

_COUNTERS_PID: Final = 0
_NO_STREAM: Final = "requests"


def chrome_trace(
    requests: Sequence[RequestRecord],
    tasks: Sequence[TaskRecord],
    *,
    label: RunLabel,
    processors: Sequence[str],
) -> dict[str, Any]:
    """Return the trace-event document of one run; times count from the start of the trace.

    Args:
        requests: a record of each request.
        tasks: a record of each task.
        label: what was run.
        processors: names of all processors, in the order of the device.
    """
    streams = {name: pid for pid, name in enumerate(sorted({r.stream for r in requests}), start=1)}
    threads = {name: tid for tid, name in enumerate(processors, start=1)}
    by_request = {r.request: r for r in requests}
    placed = {
        task.task: (streams[by_request[task.jobs[0]].stream], threads[task.processor])
        for task in tasks
        if task.jobs[0] in by_request
    }
    by_id = {task.task: task for task in tasks if task.task in placed}
    events: list[Event] = [
        *_names(streams, threads, label.word),
        *(_slice(task, *placed[task.task]) for task in by_id.values()),
        *_arrows(requests, by_id, placed),
        *_counters(requests, label.word),
    ]
    return {
        "traceEvents": events,
        "displayTimeUnit": "ms",
        "otherData": {
            "policy": label.policy,
            "on": label.on,
            "device": label.device,
            "emulated": label.emulated,
            "word": label.word,
        },
    }


def _names(streams: dict[str, int], threads: dict[str, int], word: str) -> Iterator[Event]:
    yield _meta("process_name", _COUNTERS_PID, 0, _marked("scheduler", word))
    for stream, pid in streams.items():
        yield _meta("process_name", pid, 0, _marked(stream or _NO_STREAM, word))
        for processor, tid in threads.items():
            yield _meta("thread_name", pid, tid, _marked(processor, word))


def _meta(name: str, pid: int, tid: int, value: str) -> Event:
    return {"ph": "M", "name": name, "pid": pid, "tid": tid, "args": {"name": value}}


def _slice(task: TaskRecord, pid: int, tid: int) -> Event:
    return {
        "ph": "X",
        "name": f"{task.model} [{units_text(task.units)}]",
        "cat": "task",
        "pid": pid,
        "tid": tid,
        "ts": task.dispatched_us,
        "dur": task.finished_us - task.dispatched_us,
        "args": {
            "task": task.task,
            "requests": list(task.jobs),
            "predicted_us": task.predicted_us,
            "run_us": task.run_us,
            "transfer_us": task.transfer_us,
            "overrun_us": task.overrun_us,
            "ok": task.ok,
            "word": task.word,
        },
    }


def _arrows(
    requests: Sequence[RequestRecord],
    tasks: dict[int, TaskRecord],
    placed: dict[int, tuple[int, int]],
) -> Iterator[Event]:
    number = 0
    for request in requests:
        chain = [tasks[t] for t in request.tasks if t in tasks]
        for before, after in pairwise(chain):
            number += 1
            common = {"name": f"request {request.request}", "cat": "handover", "id": number}
            # An arrow binds to the slice its time lies in, so it leaves just before the end.
            leaves_us = max(before.dispatched_us, before.finished_us - 1)
            pid, tid = placed[before.task]
            yield {"ph": "s", **common, "pid": pid, "tid": tid, "ts": leaves_us}
            pid, tid = placed[after.task]
            arrives_us = max(leaves_us, after.dispatched_us)
            yield {"ph": "f", "bp": "e", **common, "pid": pid, "tid": tid, "ts": arrives_us}


def _counters(requests: Sequence[RequestRecord], word: str) -> Iterator[Event]:
    changes: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
    for r in requests:
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
                "name": _marked(f"{name} requests", word),
                "pid": _COUNTERS_PID,
                "tid": 0,
                "ts": ts,
                "args": {name: level},
            }


def _marked(name: str, word: str) -> str:
    return f"{name} ({word})" if word else name


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
