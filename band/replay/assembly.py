"""Puts what a live replay saw on the time line and the numbers of its trace."""

from collections.abc import Sequence

from band.metrics.records import RequestRecord, TaskRecord
from band.replay.open_loop import Sent
from band.scheduler.commands import JobOutcome


def assemble(
    sent: Sequence[Sent], never_issued: Sequence[RequestRecord], offset_us: int
) -> tuple[tuple[RequestRecord, ...], tuple[TaskRecord, ...]]:
    """Return request and task records in the numbers of the trace and in its time.

    A request without parents arrives when the trace wants it, a child when its last parent
    finished; what the replay itself lost on the way counts as waiting.

    Args:
        sent: every request that was sent.
        never_issued: records of the others.
        offset_us: the target's time at the start of the trace.
    """
    numbers = {s.ended.record.request: s.request.request for s in sent if s.ended.record}
    finished_us = {
        s.request.request: s.ended.record.finished_us - offset_us for s in sent if s.ended.record
    }
    requests = [_request(s, finished_us, offset_us) for s in sent]
    tasks: dict[int, TaskRecord] = {}
    for task in (task for s in sent for task in s.ended.tasks):
        tasks[task.task] = task._replace(
            jobs=tuple(numbers[job] for job in task.jobs if job in numbers),
            dispatched_us=max(0, task.dispatched_us - offset_us),
            finished_us=max(0, task.finished_us - offset_us),
        )
    in_order = sorted((*requests, *never_issued), key=lambda r: (r.finished_us, r.request))
    return tuple(in_order), tuple(sorted(tasks.values(), key=lambda t: (t.finished_us, t.task)))


def latest_send_us(sent: Sequence[Sent]) -> int:
    """Return by how much the request that left latest was late."""
    return max((s.sent_us - s.wanted_us for s in sent if s.wanted_us is not None), default=0)


def _request(sent: Sent, finished_us: dict[int, int], offset_us: int) -> RequestRecord:
    request, record = sent.request, sent.ended.record
    if sent.wanted_us is not None:
        arrived_us = sent.wanted_us
    else:
        known = [finished_us[p] for p in request.parents if p in finished_us]
        arrived_us = max(0, max(known, default=sent.sent_us))
    ended_us = sent.sent_us if record is None else record.finished_us - offset_us
    queue_us = None
    if record is not None and record.queue_us is not None:
        queue_us = max(0, record.arrived_us + record.queue_us - offset_us - arrived_us)
    return RequestRecord(
        request=request.request,
        model=request.model,
        stream=request.stream,
        frame=request.frame,
        parents=request.parents,
        priority=request.priority if record is None else record.priority,
        arrived_us=arrived_us,
        deadline_us=request.deadline_us,
        queue_us=queue_us,
        finished_us=max(arrived_us, ended_us),
        outcome=JobOutcome.FAILED.value if record is None else record.outcome,
        reason=sent.ended.reason if record is None else record.reason,
        tasks=() if record is None else record.tasks,
        processors=() if record is None else record.processors,
    )
