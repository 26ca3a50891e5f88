"""Admission as clients meet it: quotas, superseded frames, deadlines that cannot be made."""

from collections.abc import Callable

import numpy as np
import pytest

from band.config.scheduler import AdmissionConfig
from band.errors import BandError, ErrorCode
from band.rpc.client import Client
from band.scheduler.events import RequestArrived
from band.testing.daemons import WAIT_S, Scripted, Seen

INPUTS = {"image": np.zeros((1, 16, 16, 3), np.float32)}
ADMISSION = AdmissionConfig(at_arrival=True, quotas={"greedy": 1})


def test_refusals_reach_the_client_with_their_reason_and_status(scripted: Scripted) -> None:
    daemon = scripted.serve("chain", admission=ADMISSION)
    gate, seen = scripted.hold_next(), Seen(daemon)
    with Client(daemon.address) as client:
        running = client.infer_async("chain", INPUTS, app="greedy")
        gate.wait_entered()
        old = client.infer_async("chain", INPUTS, stream="s", frame=0, supersede=True)
        seen.wait(RequestArrived, 2)
        new = client.infer_async("chain", INPUTS, stream="s", frame=1, supersede=True)
        expected: dict[str, tuple[ErrorCode, Callable[[], object]]] = {
            "superseded": (ErrorCode.SUPERSEDED, lambda: old.result(WAIT_S)),
            "quota": (ErrorCode.QUOTA, lambda: client.infer("chain", INPUTS, app="greedy")),
            "deadline_unreachable": (
                ErrorCode.DEADLINE_EXCEEDED,
                lambda: client.infer("chain", INPUTS, slo_us=1),
            ),
        }
        for reason, (code, call) in expected.items():
            with pytest.raises(BandError) as caught:
                call()
            assert (caught.value.code, caught.value.fields["reason"]) == (code, reason)
        gate.open()
        outcomes = {future.result(WAIT_S).record.outcome for future in (running, new)}
        assert outcomes == {"completed"}
        assert client.stats().dropped == dict.fromkeys(expected, 1)


def test_a_superseded_frame_is_aborted_on_the_wire(scripted: Scripted) -> None:
    daemon = scripted.serve("chain")
    gate, seen = scripted.hold_next(), Seen(daemon)
    with Client(daemon.address) as client:
        running = client.infer_async("chain", INPUTS)
        gate.wait_entered()
        old = client.infer_async("chain", INPUTS, stream="s", supersede=True)
        seen.wait(RequestArrived, 2)
        new = client.infer_async("chain", INPUTS, stream="s", supersede=True)
        error = old.exception(WAIT_S)
        assert isinstance(error, BandError)
        assert error.outcome.status == "ABORTED"
        gate.open()
        assert running.result(WAIT_S).record.outcome == new.result(WAIT_S).record.outcome
