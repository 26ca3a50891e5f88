"""The contract of a backend, the code that executes slices on one processor.

A backend is one file in this folder with a frozen dataclass ``Options`` and a class ``Backend``.
One instance serves one worker and is never called from two threads at once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from band.analysis.partition import Unsupported
from band.clock import Clock
from band.device.profile import Device, Processor
from band.model.graph import Graph

Array = npt.NDArray[Any]

Allocate = Callable[[int, tuple[int, ...], "np.dtype[Any]"], Array]
"""Original tensor id, shape, dtype -> an uninitialised array for that output."""


class WorkerLostError(Exception):
    """The processor itself is gone; its task must run elsewhere and the worker be made anew."""


class LoadedSlice(NamedTuple):
    """Handle of a slice that is loaded and ready to run.

    Attributes:
        handle: the backend's own number for it.
        load_bytes: memory it took, measured or estimated from the file.
    """

    handle: int
    load_bytes: int


class Pace(NamedTuple):
    """What an emulated processor needs to know of a run, in device time; others ignore it.

    Attributes:
        dispatched_us: when the scheduler dispatched the task.
        transfer_us: the time it charges for bringing the inputs in.
        predicted_us: the time of the run itself according to the device profile.
    """

    dispatched_us: int
    transfer_us: int
    predicted_us: int


class RunResult(NamedTuple):
    """Outputs and times of one run.

    Attributes:
        outputs: original tensor id -> array that the caller owns.
        run_us: device time of the execution.
        transfer_us: device time of bringing the inputs in.
        overrun_us: device time by which real computation exceeded an emulated profile, else 0.
        cpu_us: processor time of the execution, None if the backend cannot tell: it computes
            elsewhere or with several threads, or paces an emulated processor.
    """

    outputs: Mapping[int, Array]
    run_us: int
    transfer_us: int
    overrun_us: int
    cpu_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendContext:
    """What a backend may know of the rest.

    Attributes:
        device: the device that its processor belongs to.
        clock: device time.
        seed: of everything random that it does.
    """

    device: Device
    clock: Clock
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendInfo:
    """What executes, for reports and profile keys.

    Attributes:
        word: "emulated" or "software" if every figure must carry that word, else "".
        delegate: what takes ops from the runtime's own kernels, "" for nothing.
        threads: that one run uses.
    """

    name: str
    runtime: str
    runtime_version: str
    detail: str
    word: str
    delegate: str = ""
    threads: int = 1


class Backend(Protocol):
    """Executes slices on one processor.

    Attributes:
        loads: how many slices it has loaded so far; a run must not change it.
    """

    loads: int

    def __init__(self, processor: Processor, options: Any, context: BackendContext) -> None: ...

    def info(self) -> BackendInfo:
        """Return what executes."""
        ...

    def probe(self, graph: Graph) -> tuple[Unsupported, ...]:
        """Return the ops that this backend cannot run, each with its reason."""
        ...

    def shapes(
        self, source: bytes | Path, inputs: Mapping[int, tuple[int, ...]]
    ) -> Mapping[int, tuple[int, ...]]:
        """Return the shape of every tensor that has one before the model runs.

        A tensor whose shape only a run tells is left out.

        Args:
            source: the whole model: its bytes, or the path of a large file.
            inputs: original tensor id -> shape that this input of the model is to have.

        Raises:
            BandError: BACKEND_FAILED if the runtime refuses the model.
        """
        ...

    def load(
        self, content: bytes, inputs: tuple[int, ...], outputs: tuple[int, ...]
    ) -> LoadedSlice:
        """Load and allocate a slice.

        Args:
            content: the slice file.
            inputs: original tensor ids of its inputs, in the order of the file.
            outputs: the same for its outputs.

        Raises:
            BandError: BACKEND_FAILED if the runtime refuses the slice.
        """
        ...

    def run(
        self, handle: int, inputs: Mapping[int, Array], pace: Pace, allocate: Allocate
    ) -> RunResult:
        """Run a loaded slice.

        Args:
            handle: of the loaded slice.
            inputs: original tensor id -> array.
            pace: the times that an emulated processor keeps to.
            allocate: gives the array that an output is copied into.

        Raises:
            BandError: BACKEND_FAILED if the run fails; the slice stays usable.
            WorkerLostError: the processor is gone.
        """
        ...

    def unload(self, handle: int) -> None:
        """Free a loaded slice."""
        ...

    def close(self) -> None:
        """Free everything."""
        ...


__all__ = [
    "Allocate",
    "Array",
    "Backend",
    "BackendContext",
    "BackendInfo",
    "LoadedSlice",
    "Pace",
    "RunResult",
    "WorkerLostError",
]
