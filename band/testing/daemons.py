"""Daemons for tests: on loopback, with real engines, and with runs that a test can hold.

Models are built, not read from anywhere.
"""

import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import yaml

from band.config.daemon import DaemonConfig, ModelConfig
from band.model.builder import GraphBuilder
from band.rpc.daemon import Daemon
from band.scheduler.commands import Command
from band.scheduler.events import Event
from band.testing import models

WAIT_S: Final = 30.0
BIG_SIDE: Final = 1100
"""The model ``big`` takes and gives 1100 x 1100 floats: 4.8 MB, more than gRPC's own limit."""


def write_models(folder: Path) -> None:
    """Write a few small models, and a wide one, into a folder."""
    made = [models.chain(), models.two_outputs(), models.late_input(), models.control_flow("IF")]
    wide = GraphBuilder("big")
    made.append(wide.build(wide.activation(wide.input("image", (1, BIG_SIDE, BIG_SIDE, 1)))))
    for model in made:
        (folder / f"{model.graph.name}.tflite").write_bytes(model.content)


def device_file(
    folder: Path, *, backend: str = "cpu", processors: int = 1, refused_ops: tuple[str, ...] = ()
) -> str:
    """Write a device of equal CPUs ``cpu0``, ``cpu1`` ...; return its path.

    Args:
        folder: to write it to.
        backend: of all processors.
        processors: how many.
        refused_ops: what one processor more, ``poor``, does not take; empty for no such processor.
    """
    guess = {"mark": "hypothesis", "source": "made for a test"}
    cost = {"dispatch_us": {"value": 100, **guess}, "us_per_gmac": {"value": 1000, **guess}}
    cpu = {"kind": "cpu", "backend": backend, "costs": {"float32": cost}}
    poor = {"source": "made for a test", "refused_ops": list(refused_ops)}
    device = {
        "name": f"made_{backend}",
        "version": "1",
        "description": "made for a test",
        "memory_budget_mib": 256,
        "processors": [
            {"name": "cpu", "count": processors, **cpu},
            *([{"name": "poor", "support": poor, **cpu}] if refused_ops else ()),
        ],
    }
    path = folder / f"{backend}.yaml"
    path.write_text(yaml.safe_dump(device))
    return str(path)


def daemon_config(model_dir: Path, *names: str, **settings: Any) -> DaemonConfig:
    """Return the configuration of a daemon with models of the folder."""
    served = tuple(ModelConfig(path=model_dir / f"{name}.tflite") for name in names)
    return DaemonConfig(**{"address": "127.0.0.1:0", "models": served, **settings})


class Gate:
    """Holds one run on the scripted processor until it is opened."""

    def __init__(self) -> None:
        self._entered = threading.Event()
        self._opened = threading.Event()

    def hold(self) -> None:
        """Be the step of a script: wait until opened."""
        self._entered.set()
        assert self._opened.wait(WAIT_S)

    def wait_entered(self) -> None:
        """Return once the run is held."""
        assert self._entered.wait(WAIT_S)

    def open(self) -> None:
        """Let the run go on."""
        self._opened.set()


class Seen:
    """A Recorder with which a test waits for events of the core.

    Args:
        daemon: whose core; everything from now on counts.
    """

    def __init__(self, daemon: Daemon) -> None:
        self._kinds: Counter[type[Event]] = Counter()
        self._changed = threading.Condition()
        daemon.recorders.add(self)

    def record(self, now_us: int, event: Event, commands: Sequence[Command]) -> None:
        """Count one event."""
        del now_us, commands
        with self._changed:
            self._kinds[type(event)] += 1
            self._changed.notify_all()

    def wait(self, kind: type[Event], count: int = 1) -> None:
        """Return once so many events of a kind have been handled."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._kinds[kind] >= count, WAIT_S)


class Scripted:
    """Makes daemons with one processor, ``cpu0``, whose runs a test can hold or break."""

    def __init__(
        self, model_dir: Path, folder: Path, scripted: ModuleType, stack: ExitStack
    ) -> None:
        self.script = scripted.SCRIPTS["cpu0"]
        self._model_dir = model_dir
        self._device = device_file(folder, backend="scripted")
        self._stack = stack

    def serve(self, *models: str, **settings: Any) -> Daemon:
        """Return a daemon that serves models of the folder; it is closed with the test."""
        config = daemon_config(self._model_dir, *models, device=self._device, **settings)
        return self._stack.enter_context(Daemon(config))

    def hold_next(self) -> Gate:
        """Hold the next run; the gate opens with the end of the test at the latest."""
        gate = Gate()
        self._stack.callback(gate.open)
        self.script.runs.append(gate.hold)
        return gate
