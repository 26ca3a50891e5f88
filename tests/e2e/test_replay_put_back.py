"""After ``band replay --on ADDRESS`` the daemon runs what it ran before, and the runs say all."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from band.cli.main import INTERRUPTED_EXIT_CODE, main
from band.config.policy import PolicyConfig
from band.errors import OUTCOMES, BandError, ErrorCode
from band.replay.in_force import NotPutBackError, policy_put_back
from band.rpc.client import Client, PolicyInForce
from band.rpc.daemon import Daemon
from band.scheduler.events import RequestArrived
from band.testing.ctrl_c import heeded_ctrl_c
from band.testing.daemons import Seen, daemon_config, device_file, write_models
from band.testing.policy_files import write_policy
from band.trace.schema import Frame, Header, Node, Trace, TraceModel
from band.trace.writer import write_trace

PERIOD_US = 20_000

FAILS = 'raise RuntimeError("boom")'
DECIDES = """
from band.scheduler.rules import longest_that_can_start, one_by_one
return one_by_one(view, longest_that_can_start)
"""

Replay = Callable[..., tuple[int, str, str]]


def write_mine(folder: Path, plan: str = DECIDES, init: str = "self.params = params") -> Path:
    params = "window: int = 16; seen: int = 0"
    return write_policy(folder, "mine", plan, params=params, init=init)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with models and a short and a long trace of one of them."""
    write_models(tmp_path)
    for name, count in (("short", 5), ("long", 3_000)):
        header = Header(
            scenario="toy",
            seconds=count * PERIOD_US / 1e6,
            models=(TraceModel(name="chain", path="chain.tflite"),),
        )
        frames = tuple(
            Frame(at_us=i * PERIOD_US, stream="s", frame=i, nodes=(Node(id="n", model="chain"),))
            for i in range(count)
        )
        write_trace(Trace(header=header, frames=frames), tmp_path / f"{name}.jsonl")
    return tmp_path


@pytest.fixture
def replay(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Replay:
    """Replay the short trace on a daemon; return exit code, stdout and stderr."""

    def run(daemon: Daemon, *arguments: str) -> tuple[int, str, str]:
        line = ["band", "replay", str(folder / "short.jsonl"), "--on", daemon.address, *arguments]
        monkeypatch.setattr(sys, "argv", line)
        with pytest.raises(SystemExit) as ended:
            main()
        written = capsys.readouterr()
        return int(ended.value.code or 0), written.out, written.err

    return run


def serve(folder: Path, **settings: Any) -> Daemon:
    return Daemon(daemon_config(folder, "chain", device=device_file(folder), **settings))


def in_force(daemon: Daemon) -> PolicyInForce:
    with Client(daemon.address) as client:
        return client.policy_in_force()


def reports(out: str) -> list[list[str]]:
    return [
        [said for said in run.get("reports", ()) if "policy" in said]
        for run in json.loads(out)["runs"]
    ]


def test_a_policy_keeps_its_parameters(folder: Path, replay: Replay) -> None:
    policy = PolicyConfig(name="sjf", params={"shed": True, "placement": "earliest_finish"})
    with serve(folder, policy=policy) as daemon:
        before = in_force(daemon)
        code, out, _ = replay(daemon, "--policy", "heft", "--policy", "edf", "--json", "-")
        assert code == 0
        assert [run["policy"] for run in json.loads(out)["runs"]] == ["heft", "edf"]
        assert in_force(daemon) == before
    assert (before.policy, before.params["shed"]) == ("sjf", True)
    assert before.params["placement"] == "earliest_finish"


def test_a_policy_that_only_the_operator_may_name_is_put_back(folder: Path, replay: Replay) -> None:
    path = write_mine(folder)
    with serve(folder, policy=PolicyConfig(path=path, params={"seen": 3})) as daemon:
        before = in_force(daemon)
        assert replay(daemon, "--policy", "heft")[0] == 0
        assert in_force(daemon) == before
    assert (before.policy, before.params) == (str(path), {"seen": 3, "window": 16})
    assert len(before.sha256) == 64


def test_a_policy_that_failed_is_not_put_back_but_what_took_over_is(
    folder: Path, replay: Replay
) -> None:
    path = write_mine(folder, FAILS)
    with serve(folder, policy=PolicyConfig(path=path)) as daemon:
        code, out, _ = replay(daemon, "--json", "-")
        assert code == 0
        assert "boom" in reports(out)[0][0]
        assert in_force(daemon).policy == "shortest_expected_latency"
        assert replay(daemon, "--policy", "heft")[0] == 0
        assert in_force(daemon).policy == "shortest_expected_latency"


def test_a_run_tells_that_its_policy_was_replaced_and_the_next_one_does_not(
    folder: Path, replay: Replay
) -> None:
    write_mine(folder / "policies", FAILS)
    with serve(folder, policy_dirs=(folder / "policies",)) as daemon:
        code, out, _ = replay(
            daemon, *("--policy", "mine", "--policy", "heft", "--policy", "mine"), "--json", "-"
        )
        assert code == 0
        mine, heft, again = reports(out)
        assert heft == []
        for (said,) in (mine, again):
            assert "policy mine was replaced by the default one at" in said
            assert "RuntimeError: boom" in said
        code, out, _ = replay(daemon, "--policy", "mine")
        assert "policy mine was replaced by the default one" in " ".join(out.split())


def test_a_policy_that_cannot_be_made_is_an_error_and_the_old_one_is_put_back(
    folder: Path, replay: Replay
) -> None:
    write_mine(folder / "policies", init=FAILS)
    policy = PolicyConfig(name="heft", params={"window": 3})
    with serve(folder, policy=policy, policy_dirs=(folder / "policies",)) as daemon:
        before = in_force(daemon)
        code, _, err = replay(daemon, "--policy", "mine")
        assert code == OUTCOMES[ErrorCode.POLICY_FAILED].exit_code
        assert "boom" in err
        assert in_force(daemon) == before


def test_results_are_shown_when_the_policy_cannot_be_put_back(folder: Path, replay: Replay) -> None:
    path = write_mine(folder)
    with serve(folder, policy=PolicyConfig(path=path)) as daemon:

        class Editor:
            def record(self, now_us: int, event: object, commands: object) -> None:
                del now_us, commands
                if isinstance(event, RequestArrived):
                    path.write_text("", encoding="utf-8")

        daemon.recorders.add(Editor())
        code, out, err = replay(daemon, "--policy", "heft", "--json", "-")
        assert in_force(daemon).policy == "heft"
    assert code == OUTCOMES[ErrorCode.POLICY_FAILED].exit_code
    assert json.loads(out)["runs"][0]["requests"]["completed"] == 5
    said = " ".join(err.split())
    assert said.count("error:") == 1
    assert f"error: could not put policy '{path}' back in the daemon at" in said


def test_an_edited_policy_is_not_put_back_in_place_of_the_old_one(folder: Path) -> None:
    path = write_mine(folder)
    with serve(folder, policy=PolicyConfig(path=path)) as daemon, Client(daemon.address) as client:

        def edited() -> None:
            with policy_put_back(daemon.address):
                client.swap_policy("heft")
                write_mine(folder, FAILS)

        with pytest.raises(NotPutBackError, match="is not the one asked for"):
            edited()
        assert client.policies().current == "heft"


def test_an_error_and_a_failure_to_put_back_are_both_told(folder: Path) -> None:
    path = write_mine(folder)
    with serve(folder, policy=PolicyConfig(path=path)) as daemon, Client(daemon.address) as client:

        def broken(error: BaseException) -> None:
            with policy_put_back(daemon.address):
                client.swap_policy("heft")
                path.unlink(missing_ok=True)
                raise error

        with pytest.raises(BandError, match=r"line 3; and could not put policy") as caught:
            broken(BandError(ErrorCode.INVALID_TRACE, "line 3"))
        assert caught.value.code is ErrorCode.INVALID_TRACE
        write_mine(folder)
        client.swap_policy(str(path))
        with pytest.raises(BandError, match=r"^could not put policy") as caught:
            broken(KeyboardInterrupt())
        assert not isinstance(caught.value, NotPutBackError)


def test_an_interrupted_replay_puts_the_policy_back(folder: Path) -> None:
    policy = PolicyConfig(name="sjf", params={"shed": True})
    with serve(folder, policy=policy) as daemon:
        before, seen = in_force(daemon), Seen(daemon)
        line = ("replay", str(folder / "long.jsonl"), "--on", daemon.address, "--policy", "heft")
        with heeded_ctrl_c():
            process = subprocess.Popen(
                [sys.executable, "-m", "band", *line],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        seen.wait(RequestArrived, 3)
        assert in_force(daemon).policy == "heft"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        # The same to a shell: Python ends itself by the signal if it came within an exec.
        assert process.returncode in (INTERRUPTED_EXIT_CODE, -signal.SIGINT)
        assert "interrupted" in err
        assert in_force(daemon) == before
