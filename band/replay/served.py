"""A daemon of our own for the length of a replay: ``band serve`` in a process beside this one."""

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import yaml

from band.clock import MonotonicClock
from band.errors import BandError, ErrorCode
from band.rpc.client import Client
from band.units import US_PER_S

_START_S: Final = 120
_POLL_US: Final = 50_000
_STOP_S: Final = 60


class Served(NamedTuple):
    """A daemon that answers.

    Attributes:
        address: its unix socket.
        inbox: where it records its events and commands; complete once it has ended.
    """

    address: str
    inbox: Path


@contextmanager
def served(
    *, device: str, policy: str, models: Mapping[str, str], folder: Path
) -> Iterator[Served]:
    """Run ``band serve`` on a unix socket; end it with SIGTERM, so that it drains.

    Args:
        device: name or path of a device.
        policy: in force.
        models: served name -> zoo name.
        folder: takes the configuration and the recording.

    Raises:
        BandError: UNREACHABLE if it does not start (its own words are in the message), INTERNAL if
            it does not end in order.
    """
    with tempfile.TemporaryDirectory(prefix="band-") as runtime_dir:
        address = f"unix://{runtime_dir}/band.sock"
        config = folder / "daemon.yaml"
        config.write_text(
            yaml.safe_dump(
                {
                    "address": address,
                    "device": device,
                    "policy": policy,
                    "models": [{"name": name, "zoo": ref} for name, ref in models.items()],
                    "record_dir": ".",
                },
                sort_keys=False,
            ),
            encoding="utf-8",
        )
        log_path = Path(runtime_dir) / "log"
        with log_path.open("w+", encoding="utf-8") as log:
            command = [sys.executable, "-m", "band", "serve", "--config", str(config)]
            process = subprocess.Popen(command, stdout=log, stderr=log)
            try:
                _wait_until_ready(process, address, log_path)
                yield Served(address, folder / "serve.inbox.jsonl")
            finally:
                _stop(process)
        if process.returncode != 0:
            raise BandError(
                ErrorCode.INTERNAL,
                f"the daemon ended with exit code {process.returncode}: {_last_line(log_path)}",
            )


def _wait_until_ready(process: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    clock = MonotonicClock()
    give_up_us = clock.now_us() + _START_S * US_PER_S
    with Client(address, wait_s=5) as client:
        while process.poll() is None and clock.now_us() < give_up_us:
            try:
                if client.ready():
                    return
            except BandError:
                pass  # it does not listen yet
            clock.sleep_until(clock.now_us() + _POLL_US)
    raise BandError(ErrorCode.UNREACHABLE, f"the daemon did not start: {_last_line(log)}")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
