"""A request that nobody waits for any more is cancelled in the engine, and nothing leaks."""

import contextlib

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from band.errors import BandError, ErrorCode
from band.metrics.records import RequestRecord
from band.rpc.client import Client
from band.rpc.daemon import Daemon
from band.scheduler.events import Cancelled, RequestArrived
from band.testing.daemons import WAIT_S, Scripted, Seen

INPUTS = {"image": np.zeros((1, 16, 16, 3), np.float32)}


def _counts(daemon: Daemon) -> dict[str, int]:
    stats = daemon.engine.stats()
    return {
        "accepted": stats.accepted,
        "completed": stats.completed,
        "cancelled": stats.cancelled,
        "dropped": sum(stats.dropped.values()),
        "in_flight": stats.in_flight,
    }


def test_cancelling_a_waiting_request_cancels_it_in_the_engine(scripted: Scripted) -> None:
    daemon = scripted.serve("chain")
    gate, seen = scripted.hold_next(), Seen(daemon)
    with Client(daemon.address) as client:
        running = client.infer_async("chain", INPUTS)
        gate.wait_entered()
        waiting = client.infer_async("chain", INPUTS)
        seen.wait(RequestArrived, 2)
        assert waiting.cancel()
        seen.wait(Cancelled)
        with pytest.raises(BandError) as caught:
            waiting.result(WAIT_S)
        assert caught.value.code is ErrorCode.CANCELLED
        gate.open()
        assert running.result(WAIT_S).record.outcome == "completed"
    assert _counts(daemon) == {
        "accepted": 2,
        "completed": 1,
        "cancelled": 1,
        "dropped": 0,
        "in_flight": 0,
    }


def test_a_passed_grpc_deadline_cancels_the_request_too(scripted: Scripted) -> None:
    daemon = scripted.serve("chain")
    gate, seen = scripted.hold_next(), Seen(daemon)
    client = triton.InferenceServerClient(daemon.address)
    image = triton.InferInput("image", [1, 16, 16, 3], "FP32")
    image.set_data_from_numpy(INPUTS["image"])
    with pytest.raises(InferenceServerException) as caught:
        client.infer("chain", [image], client_timeout=0.2)
    assert caught.value.status() == "StatusCode.DEADLINE_EXCEEDED"
    seen.wait(Cancelled)
    gate.open()
    client.close()
    assert daemon.engine.drain(WAIT_S)
    assert _counts(daemon)["cancelled"] == 1


def test_a_client_that_vanishes_leaves_nothing_behind(scripted: Scripted) -> None:
    daemon = scripted.serve("chain")
    gate, seen = scripted.hold_next(), Seen(daemon)
    client = Client(daemon.address)
    calls = [client.infer_async("chain", INPUTS) for _ in range(5)]
    seen.wait(RequestArrived, 5)
    client.close()
    for call in calls:
        with pytest.raises(BandError) as caught:
            call.result(WAIT_S)
        assert caught.value.code is ErrorCode.CANCELLED
    seen.wait(Cancelled, 5)
    gate.open()
    assert daemon.engine.drain(WAIT_S)
    assert _counts(daemon) == {
        "accepted": 5,
        "completed": 0,
        "cancelled": 5,
        "dropped": 0,
        "in_flight": 0,
    }


def test_a_request_that_does_not_start_in_its_timeout_is_dropped(scripted: Scripted) -> None:
    daemon = scripted.serve("chain")
    gate = scripted.hold_next()
    with Client(daemon.address) as client:
        running = client.infer_async("chain", INPUTS)
        gate.wait_entered()
        with pytest.raises(BandError) as caught:
            client.infer("chain", INPUTS, timeout_us=20_000)
        gate.open()
        running.result(WAIT_S)
    assert caught.value.code is ErrorCode.DEADLINE_EXCEEDED
    assert caught.value.fields["reason"] == "deadline_passed"
    record = caught.value.fields["record"]
    assert isinstance(record, RequestRecord)
    assert (record.outcome, record.queue_us, record.tasks) == ("dropped", None, ())


def test_a_late_reply_is_still_a_reply(scripted: Scripted) -> None:
    daemon = scripted.serve("chain")
    with Client(daemon.address) as client:
        reply = client.infer("chain", INPUTS, slo_us=1)
    assert reply.record.outcome == "completed"
    assert not reply.record.on_time


def test_priority_decides_who_goes_first(scripted: Scripted) -> None:
    daemon = scripted.serve("chain")
    gate, seen = scripted.hold_next(), Seen(daemon)
    with Client(daemon.address) as client:
        running = client.infer_async("chain", INPUTS)
        gate.wait_entered()
        calls = {}
        for number, priority in enumerate((9, 0, 1), start=2):
            calls[priority] = client.infer_async("chain", INPUTS, priority=priority)
            seen.wait(RequestArrived, number)
        gate.open()
        running.result(WAIT_S)
        finished = {p: call.result(WAIT_S).record.finished_us for p, call in calls.items()}
    assert finished[1] < finished[0] < finished[9]


def test_a_cancelled_stream_cancels_what_it_had_sent(scripted: Scripted) -> None:
    daemon = scripted.serve("chain")
    gate, seen = scripted.hold_next(), Seen(daemon)
    client = triton.InferenceServerClient(daemon.address)
    client.start_stream(lambda result, error: None)
    image = triton.InferInput("image", [1, 16, 16, 3], "FP32")
    image.set_data_from_numpy(INPUTS["image"])
    for _ in range(3):
        client.async_stream_infer("chain", [image])
    seen.wait(RequestArrived, 3)
    with contextlib.suppress(grpc.RpcError):
        client.stop_stream(cancel_requests=True)
    seen.wait(Cancelled, 3)
    gate.open()
    client.close()
    assert daemon.engine.drain(WAIT_S)
    assert _counts(daemon)["cancelled"] == 3
