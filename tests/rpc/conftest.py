"""Daemons on loopback with real engines."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from band.rpc.client import Client
from band.rpc.daemon import Daemon
from band.testing.backends import known_backends
from band.testing.daemons import Scripted, daemon_config, device_file, write_models


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a few small models, and a wide one."""
    folder = tmp_path_factory.mktemp("models")
    write_models(folder)
    return folder


@pytest.fixture(scope="module")
def daemon(model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with two real CPU processors, shared by the tests of a file."""
    device = device_file(tmp_path_factory.mktemp("device"), processors=2)
    names = ("chain", "two_outputs", "late_input", "control_flow_if", "big")
    with Daemon(daemon_config(model_dir, *names, device=device)) as opened:
        yield opened


@pytest.fixture
def client(daemon: Daemon) -> Iterator[Client]:
    """Our client of the shared daemon."""
    with Client(daemon.address) as opened:
        yield opened


@pytest.fixture
def scripted(model_dir: Path, tmp_path: Path) -> Iterator[Scripted]:
    """Daemons whose only processor does as a test says."""
    with known_backends() as module, ExitStack() as stack:
        yield Scripted(model_dir, tmp_path, module, stack)
