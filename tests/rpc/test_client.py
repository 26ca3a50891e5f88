"""The client: replies, futures, many callers at once, and what it says when nobody answers."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from band.errors import BandError, ErrorCode
from band.rpc.client import Client
from band.rpc.daemon import Daemon
from band.rpc.reply import InferReply
from band.testing.daemons import WAIT_S, Scripted

CLIENTS = 8
REQUESTS = 6


def _image(seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(seed).random((1, 16, 16, 3), np.float32)


@pytest.fixture
def closed_address(tmp_path: Path) -> str:
    """An address at which nobody listens."""
    return f"unix://{tmp_path}/nobody.sock"


def test_a_reply_has_outputs_and_how_they_came_about(daemon: Daemon, client: Client) -> None:
    reply = client.infer("chain", {"image": _image(1)}, stream="s", frame=4, parents=(2, 3))
    expected = daemon.engine.infer("chain", {"image": _image(1)}).outputs
    assert list(reply.outputs) == list(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(reply.outputs[name], array)
    record = reply.record
    assert (record.model, record.stream, record.frame, record.parents) == ("chain", "s", 4, (2, 3))
    assert record.tasks == tuple(task.task for task in reply.tasks)
    assert record.arrived_us < reply.tasks[0].finished_us <= record.finished_us
    assert record.priority == 8
    assert (reply.policy, reply.word) == ("shortest_expected_latency", "")


def test_a_client_can_ask_for_one_output(client: Client) -> None:
    (_, second) = client.metadata("two_outputs").outputs
    reply = client.infer("two_outputs", {"image": _image(2)}, outputs=[second.name])
    assert list(reply.outputs) == [second.name]
    assert reply.outputs[second.name].shape == second.shape


def test_a_request_runs_where_it_is_pinned_to(client: Client) -> None:
    for name in ("cpu0", "cpu1"):
        reply = client.infer("chain", {"image": _image(3)}, processor=name)
        assert set(reply.record.processors) == {name}


def test_server_and_model_metadata_are_plain_data(client: Client) -> None:
    server = client.server_metadata()
    assert (server.name, server.time_scale) == ("band", 1.0)
    metadata = client.metadata("chain")
    assert metadata.inputs == (("image", "float32", (1, 16, 16, 3)),)
    assert client.live()
    assert client.ready()
    assert client.ready("chain")
    assert not client.ready("absent")


def test_eight_clients_get_each_their_own_answers(daemon: Daemon) -> None:
    expected = {
        seed: next(iter(daemon.engine.infer("chain", {"image": _image(seed)}).outputs.values()))
        for seed in range(CLIENTS * REQUESTS)
    }

    def work(number: int) -> list[tuple[int, InferReply]]:
        with Client(daemon.address) as client:
            seeds = range(number * REQUESTS, (number + 1) * REQUESTS)
            futures = [(s, client.infer_async("chain", {"image": _image(s)})) for s in seeds]
            return [(seed, future.result(WAIT_S)) for seed, future in futures]

    before = daemon.engine.stats()
    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = [answer for batch in pool.map(work, range(CLIENTS)) for answer in batch]
    for seed, reply in answers:
        (output,) = reply.outputs.values()
        assert output.tobytes() == expected[seed].tobytes()
    assert len({reply.record.request for _, reply in answers}) == CLIENTS * REQUESTS
    after = daemon.engine.stats()
    assert after.completed - before.completed == CLIENTS * REQUESTS
    assert after.in_flight == 0


def test_requests_of_one_client_wait_side_by_side(scripted: Scripted) -> None:
    daemon = scripted.serve("chain")
    gate = scripted.hold_next()
    with Client(daemon.address) as client:
        futures = [client.infer_async("chain", {"image": _image(1)}) for _ in range(100)]
        gate.wait_entered()
        assert client.live()  # a held processor holds no other call
        gate.open()
        assert {future.result(WAIT_S).record.outcome for future in futures} == {"completed"}


def test_nobody_at_the_address_is_one_sentence(closed_address: str) -> None:
    with Client(closed_address) as client:
        for call in (client.live, lambda: client.infer_async("chain", {}).result(WAIT_S)):
            with pytest.raises(BandError, match=f"no daemon answers at {closed_address}") as caught:
                call()
            assert caught.value.code is ErrorCode.UNREACHABLE
            assert caught.value.outcome.exit_code == 5
        with pytest.raises(BandError) as caught:
            client.watch()
        assert caught.value.code is ErrorCode.UNREACHABLE


def test_a_client_waits_no_longer_than_it_was_told(scripted: Scripted) -> None:
    daemon = scripted.serve("chain")
    scripted.hold_next()
    with Client(daemon.address, wait_s=0.2) as client:
        with pytest.raises(BandError) as caught:
            client.infer("chain", {"image": _image(1)})
        assert caught.value.code is ErrorCode.DEADLINE_EXCEEDED


def test_a_dtype_that_the_protocol_lacks_is_refused_before_it_is_sent(client: Client) -> None:
    for array in (np.zeros(2, np.complex64), np.array(["a"])):
        with pytest.raises(BandError, match="cannot carry") as caught:
            client.infer("chain", {"image": array})
        assert caught.value.code is ErrorCode.INVALID_REQUEST


def test_a_message_above_the_clients_limit_is_named(daemon: Daemon) -> None:
    with Client(daemon.address, max_message_mib=1) as client:
        big = np.zeros(client.metadata("big").inputs[0].shape, np.float32)
        with pytest.raises(BandError, match="max_message_mib") as caught:
            client.infer("big", {"image": big})
        assert caught.value.code is ErrorCode.MESSAGE_TOO_LARGE


def test_an_address_of_no_form_is_refused_at_once() -> None:
    with pytest.raises(BandError, match="is no address"):
        Client("somewhere")
