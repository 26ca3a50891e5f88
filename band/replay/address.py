"""Replay on a daemon: gRPC requests at the pace of its device, records from its answers."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final

from band.clock import Clock, MonotonicClock
from band.config.suggestion import suggestion
from band.errors import BandError, ErrorCode
from band.metrics.records import RequestRecord
from band.metrics.runs import RunLabel, RunRecords
from band.replay.assembly import assemble, latest_send_us
from band.replay.inputs import random_inputs
from band.replay.open_loop import Ended, Inputs, OpenLoop, Sent
from band.replay.reports import lateness, overruns, replacement, replacements
from band.rpc.client import Client
from band.rpc.reply import InferReply, ReplyFuture
from band.scheduler.events import RequestArrived
from band.scheduler.options import PolicyReport
from band.trace.contents import TraceContents
from band.trace.schema import Header, Trace
from band.v1 import band_pb2

_WAIT_S: Final = 60.0
"""Wall time per unit of time_scale after which a request that got no answer counts as failed."""


OnReply = Callable[[InferReply], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressReplay:
    """Replays a trace on a running daemon.

    The trace is paced by the daemon's time scale. Times of records are those of the daemon's
    device clock; its offset is taken from the request that travelled fastest.

    Attributes:
        contents: of the trace.
        address: of the daemon.
        seed: of inputs.
        wall: report wall-clock figures.
        on_reply: is given every reply that completed, in the thread that received it.
    """

    contents: TraceContents
    address: str
    seed: int = 0
    wall: bool = False
    on_reply: OnReply | None = None

    def run(self, trace: Trace, policy: str | None = None) -> RunRecords:
        """Return the records of the trace.

        Args:
            trace: to play.
            policy: to put in force first, where it stays: see
                :func:`~band.replay.in_force.policy_put_back`. None keeps the one in force.

        Raises:
            BandError: UNREACHABLE; UNKNOWN_MODEL if the daemon does not serve a model of the
                trace; INVALID_TRACE if it serves another file, or for a bad line.
        """
        with Client(self.address, wait_s=_WAIT_S) as client:
            scale = client.server_metadata().time_scale
            self._check_models(client, trace.header)
            before = client.stats()
            name = str(before.policy) if policy is None else client.swap_policy(policy)
            with Client(self.address, wait_s=_WAIT_S * max(1.0, scale)) as sender:
                return self._play(sender, trace, name, scale, len(before.policy_reports))

    def _play(
        self, client: Client, trace: Trace, policy: str, scale: float, reported: int
    ) -> RunRecords:
        inputs = {
            model: random_inputs(model, client.metadata(model).inputs, self.seed)
            for model, count in self.contents.models.items()
            if count
        }
        clock = MonotonicClock(time_scale=scale)
        start_s = perf_counter()
        loop = OpenLoop(trace, _DaemonTarget(client, clock, self.on_reply), inputs, clock)
        never_issued = loop.run()
        elapsed_s = perf_counter() - start_s
        offset_us = _offset_us(loop.sent)
        requests, tasks = assemble(loop.sent, never_issued, offset_us)
        device, stats = client.device(), client.stats()
        reports = _reports(stats, reported, offset_us)
        late_us = latest_send_us(loop.sent)
        overran = [task.overrun_us for task in tasks if task.overrun_us]
        available = [p for p in device.processors if p.available]
        return RunRecords(
            label=RunLabel(
                policy=policy,
                on=self.address,
                device=device.name,
                emulated=any(p.word == "emulated" for p in available),
                word=next((p.word for p in available if p.word), ""),
            ),
            requests=requests,
            tasks=tasks,
            processors=tuple(p.name for p in available),
            reports=(
                *replacements(reports),
                *stats.policy_notes,
                *lateness(late_us),
                *overruns(sum(overran), len(overran)),
            ),
            replaced=replacement(reports),
            wall={"elapsed_s": elapsed_s, "latest_send_us": late_us} if self.wall else None,
        )

    def _check_models(self, client: Client, header: Header) -> None:
        served = {model.name: model.sha256 for model in client.models()}
        for model in header.models:
            if not self.contents.models[model.name]:
                continue
            if model.name not in served:
                raise BandError(
                    ErrorCode.UNKNOWN_MODEL,
                    f"the daemon at {self.address} does not serve model {model.name!r} of the "
                    f"trace; {suggestion(model.name, served, noun='models served')}",
                    model=model.name,
                )
            if model.sha256 is not None and served[model.name] != model.sha256:
                raise BandError(
                    ErrorCode.INVALID_TRACE,
                    f"the daemon at {self.address} serves another file as {model.name!r} than the "
                    "one the trace was made with; restart it with that file or make a new trace",
                    model=model.name,
                )


class _DaemonTarget:
    """Sends requests to a daemon. Limits travel as time left, since clocks differ."""

    def __init__(self, client: Client, clock: Clock, on_reply: OnReply | None) -> None:
        self._client = client
        self._clock = clock
        self._on_reply = on_reply

    def submit(
        self, request: RequestArrived, inputs: Inputs, start_us: int
    ) -> "Future[InferReply]":
        now_us = self._clock.now_us() - start_us
        return self._client.infer_async(
            request.model,
            inputs,
            priority=request.priority,
            slo_us=_left_us(request.deadline_us, now_us),
            timeout_us=_left_us(request.expires_us, now_us),
            stream=request.stream,
            frame=request.frame,
            parents=request.parents,
            processor=request.processor,
            app=request.app,
            supersede=request.supersede,
        )

    def ended(self, future: "Future[Any]") -> Ended:
        assert isinstance(future, ReplyFuture)
        error = future.exception()
        if error is None:
            reply = future.result()
            if self._on_reply is not None:
                self._on_reply(reply)
            return Ended(reply.record, reply.tasks)
        if not isinstance(error, BandError):
            return Ended(None, (), f"{type(error).__name__}: {error}")
        record = error.fields.get("record")
        tasks = error.fields.get("tasks", ())
        if isinstance(record, RequestRecord) and isinstance(tasks, tuple):
            return Ended(record, tasks)
        return Ended(None, (), error.message)


def _left_us(limit_us: int | None, now_us: int) -> int | None:
    """Return the time left until a limit, at least 1: a daemon takes no limit in the past."""
    return None if limit_us is None else max(1, limit_us - now_us)


def _reports(
    stats: band_pb2.StatsResponse, earlier: int, offset_us: int
) -> tuple[PolicyReport, ...]:
    """Return what went wrong with policies after so many earlier reports, in the trace's time."""
    return tuple(
        PolicyReport(r.policy, r.reason, max(0, r.at_us - offset_us), r.replaced)
        for r in stats.policy_reports[earlier:]
    )


def _offset_us(sent: list[Sent]) -> int:
    """Return the daemon's time at the start of the trace.

    Arrival at the daemon minus sending here is that offset plus the way there; the fastest way
    of all requests is the best estimate.
    """
    return min(
        (s.ended.record.arrived_us - s.sent_us for s in sent if s.ended.record is not None),
        default=0,
    )
