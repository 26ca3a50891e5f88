"""``band serve`` and ``band infer``, as a person runs them."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from band.cli.main import main
from band.errors import BandError, ErrorCode
from band.rpc.client import Client
from band.rpc.daemon import Daemon
from band.rpc.reply import ReplyFuture
from band.testing.daemons import WAIT_S, device_file
from band.trace.inbox import read_inbox
from band.trace.reader import read_trace

INPUTS = {"image": np.linspace(0, 1, 16 * 16 * 3, dtype=np.float32).reshape(1, 16, 16, 3)}


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


Band = Callable[..., Ended]


@pytest.fixture
def band(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Band:
    """Run a command in this process."""

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["band", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        captured = capsys.readouterr()
        return Ended(int(caught.value.code or 0), captured.out, captured.err)

    return run


# The scripted processor reads the pipe before each run once the other file is there, so a test
# decides when a run ends.
SERVE = """
import sys
from pathlib import Path
from band.cli.main import main
from band.testing.backends import known_backends
hold, gate = Path(sys.argv.pop(1)), Path(sys.argv.pop(1))
with known_backends() as scripted:
    runs = scripted.SCRIPTS["cpu0"].runs
    def step():
        runs.append(step)
        if hold.exists():
            gate.read_bytes()
    runs.append(step)
    main()
"""


class Served:
    """A daemon in a process of its own.

    Args:
        folder: of its socket.
        arguments: of ``band serve``.
    """

    def __init__(self, folder: Path, *arguments: object) -> None:
        self.address = f"unix://{folder}/band.sock"
        self._hold, self._gate = folder / "hold", folder / "gate"
        os.mkfifo(self._gate)
        files = (str(self._hold), str(self._gate))
        options = ("--address", self.address, *map(str, arguments))
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE, *files, "serve", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "Served":
        assert self.process.stderr is not None
        self.ready_line = self.process.stderr.readline().strip()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def hold_runs(self) -> None:
        """From now on a run does not end before ``open_gate``."""
        self._hold.touch()

    def open_gate(self) -> None:
        """Let the run that is held go on, and all that follow."""
        self._hold.unlink()
        self._gate.write_bytes(b"")

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.process.send_signal(signal.SIGTERM)

    def end(self) -> Ended:
        """Wait for its end."""
        out, err = self.process.communicate(timeout=WAIT_S)
        return Ended(self.process.returncode, out, err)


def _running(client: Client) -> ReplyFuture:
    """Start a request; return once the daemon has it."""
    future = client.infer_async("chain", INPUTS)
    while not client.stats().in_flight:
        assert not future.done()
    return future


def _wait_not_serving(address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        answers = stub.Watch(health_pb2.HealthCheckRequest(), timeout=WAIT_S)
        next(a for a in answers if a.status == health_pb2.HealthCheckResponse.NOT_SERVING)


def test_serve_says_when_it_is_ready_and_records_a_run(
    band: Band, model_dir: Path, tmp_path: Path
) -> None:
    model, records = model_dir / "chain.tflite", tmp_path / "records"
    device = device_file(tmp_path, backend="emulated")
    arguments = ("--model", model, "--device", device, "--policy", "heft", "--record", records)
    with Served(tmp_path, *arguments) as daemon:
        assert daemon.ready_line == (
            f"serving at {daemon.address}: device made_emulated (emulated), policy heft, "
            "models chain"
        )
        with Client(daemon.address) as client:
            assert client.infer("chain", INPUTS).word == "emulated"
        daemon.terminate()
        ended = daemon.end()
    assert ended.code == 0
    assert ended.out == ""
    assert "draining signal=SIGTERM" in ended.err
    assert [f.nodes[0].model for f in read_trace(records / "trace.jsonl").frames] == ["chain"]
    inbox = records / "serve.inbox.jsonl"
    kinds = [type(entry.event).__name__ for entry in read_inbox(inbox)]
    heard = [kind for kind in kinds if kind != "Tick"]  # on a slow machine one comes before the end
    assert heard == ["PolicySwapped", "WorkerUp", "ModelAdded", "RequestArrived", "TaskFinished"]
    assert band("decisions", inbox).code == 0


@pytest.fixture
def held(model_dir: Path, tmp_path: Path) -> Iterator[tuple[Served, Client, ReplyFuture]]:
    """A daemon with a request whose run is held."""
    device = device_file(tmp_path, backend="scripted")
    with (
        Served(tmp_path, "--model", model_dir / "chain.tflite", "--device", device) as daemon,
        Client(daemon.address) as client,
    ):
        assert daemon.ready_line.startswith("serving at"), daemon.end()
        daemon.hold_runs()
        yield daemon, client, _running(client)


def test_sigterm_drains_what_runs_is_finished_and_nothing_new_is_taken(
    held: tuple[Served, Client, ReplyFuture], tmp_path: Path
) -> None:
    daemon, client, running = held
    daemon.terminate()
    _wait_not_serving(daemon.address)
    with pytest.raises(BandError) as caught:
        client.infer("chain", INPUTS)
    assert caught.value.code is ErrorCode.DRAINING
    daemon.open_gate()
    assert running.result(WAIT_S).record.outcome == "completed"
    assert daemon.end().code == 0
    assert not (tmp_path / "band.sock").exists()


def test_a_second_sigterm_cancels(held: tuple[Served, Client, ReplyFuture]) -> None:
    daemon, _, running = held
    daemon.terminate()
    _wait_not_serving(daemon.address)
    daemon.terminate()
    with pytest.raises(BandError) as caught:
        running.result(WAIT_S)
    assert caught.value.code is ErrorCode.CANCELLED
    daemon.open_gate()
    assert daemon.end().code == 0


@pytest.mark.parametrize(
    ("config", "code", "part"),
    [
        ("adress: 127.0.0.1:0\n", 2, "daemon.yaml:1: unknown key 'adress'; did you mean 'address'"),
        ("models:\n  - path: absent.tflite\n", 2, "absent.tflite"),
        ("models:\n  - path: daemon.yaml\n", 2, "daemon.yaml"),
        ("policy: hefty\n", 2, "hefty"),
        ("policy:\n  name: heft\n  params:\n    windw: 3\n", 2, "daemon.yaml:3"),
        ("device: pixel44\n", 2, "did you mean 'pixel4'?"),
        ("address: nowhere\n", 2, "'nowhere' is no address"),
    ],
    ids=["key", "missing", "no_model", "policy", "parameter", "device", "address"],
)
def test_serve_refuses_a_bad_configuration_with_one_sentence(
    band: Band, tmp_path: Path, config: str, code: int, part: str
) -> None:
    path = tmp_path / "daemon.yaml"
    path.write_text(config)
    ended = band("serve", "--config", path)
    assert ended.code == code
    assert part in ended.err.splitlines()[-1]
    assert ended.err.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in ended.err
    assert ended.out == ""


def test_serve_refuses_an_address_in_use(band: Band, daemon: Daemon) -> None:
    ended = band("serve", "--address", daemon.address)
    assert ended.code == 2
    assert f"error: cannot listen at {daemon.address}" in ended.err


def test_serve_warns_of_an_address_that_others_can_reach(band: Band) -> None:
    ended = band("serve", "--address", "192.0.2.1:8001")
    assert "warning: whoever reaches 192.0.2.1:8001 can use this daemon" in ended.err


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image.npy"
    np.save(path, INPUTS["image"])
    return path


def test_infer_prints_and_saves_the_outputs(
    band: Band, daemon: Daemon, image: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out" / "put"
    ended = band(
        *("infer", "two_outputs", "--input", f"image={image}"),
        *("--address", daemon.address, "--output", folder),
    )
    assert ended.code == 0, ended.err
    expected = daemon.engine.infer("two_outputs", INPUTS).outputs
    saved = [np.load(path) for path in folder.glob("*.npy")]
    assert {a.tobytes() for a in saved} == {a.tobytes() for a in expected.values()}
    for array in expected.values():
        assert "x".join(map(str, array.shape)) in ended.out
        assert f"{array.max():g}" in ended.out
    assert "shortest_expected_latency" in ended.err


def test_infer_reports_what_is_wrong_with_its_inputs(
    band: Band, daemon: Daemon, image: Path, tmp_path: Path
) -> None:
    junk, several = tmp_path / "junk.npy", tmp_path / "several.npz"
    junk.write_text("no array")
    np.savez(several, a=INPUTS["image"])
    wrong = tmp_path / "wrong.npy"
    np.save(wrong, INPUTS["image"][0])
    pickled = tmp_path / "pickled.npy"
    np.save(pickled, np.array([{}], dtype=object), allow_pickle=True)
    cases = [
        ([], 2, "lacks input 'image'"),
        ([f"{image}"], 2, "is not of the form NAME=FILE.npy"),
        ([f"image={image}", f"image={image}"], 2, "given twice"),
        (["image=/absent.npy"], 2, "there is no input file /absent.npy"),
        ([f"image={tmp_path}"], 2, "is not an array of numpy"),
        ([f"image={junk}"], 2, "is not an array of numpy"),
        ([f"image={pickled}"], 2, "is not an array of numpy"),
        ([f"image={several}"], 2, "holds several arrays"),
        ([f"image={wrong}"], 2, "expected float32 of shape [1, 16, 16, 3]"),
        ([f"imag={image}"], 2, "did you mean 'image'?"),
    ]
    for inputs, code, part in cases:
        options = [text for name in inputs for text in ("--input", name)]
        ended = band("infer", "chain", *options, "--address", daemon.address)
        assert ended.code == code, ended
        assert part in ended.err
        assert ended.err.startswith("error: ")
        assert ended.err.count("\n") == 1
        assert ended.out == ""


def test_infer_has_the_exit_code_of_the_error(
    band: Band, daemon: Daemon, image: Path, tmp_path: Path
) -> None:
    given = ("--input", f"image={image}", "--address")
    ended = band("infer", "absent", *given, daemon.address)
    assert ended.code == 2
    assert "Request for unknown model" in ended.err
    ended = band("infer", "chain", *given, f"unix://{tmp_path}/nobody.sock")
    assert ended.code == 5
    assert "start one with `band serve" in ended.err
    ended = band("infer", "chain", *given, daemon.address, "--output", "/dev/null/x")
    assert ended.code == 2
    assert "cannot write to /dev/null/x" in ended.err


def test_the_verbs_are_listed(band: Band) -> None:
    ended = band("--help")
    assert {"serve", "infer"} <= set(ended.out.split())
