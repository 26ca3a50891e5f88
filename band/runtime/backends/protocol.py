"""The contract of a backend, the code that executes slices on one processor.

A backend is one file in this folder with a frozen dataclass ``Options`` and a class ``Backend``.
One instance serves one worker and is never called from two threads at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy.typing as npt

from band.analysis.partition import Unsupported
from band.device.profile import Processor
from band.model.graph import Graph

Array = npt.NDArray[Any]


class LoadedSlice(NamedTuple):
    """Handle of a slice that is loaded and ready to run.

    Attributes:
        handle: the backend's own number for it.
        load_bytes: memory it took, measured or estimated from the file.
    """

    handle: int
    load_bytes: int


class RunResult(NamedTuple):
    """Outputs and times of one run.

    Attributes:
        outputs: original tensor id -> array that the caller owns.
        run_us: device time of the execution.
        transfer_us: device time of bringing the inputs in.
        overrun_us: device time by which real computation exceeded an emulated profile, else 0.
    """

    outputs: Mapping[int, Array]
    run_us: int
    transfer_us: int
    overrun_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendInfo:
    """What executes, for reports and profile keys.

    Attributes:
        word: "emulated" or "software" if every figure must carry that word, else "".
    """

    name: str
    runtime: str
    runtime_version: str
    detail: str
    word: str


class Backend(Protocol):
    """Executes slices on one processor."""

    def __init__(self, processor: Processor, options: Any) -> None: ...

    def info(self) -> BackendInfo:
        """Return what executes."""
        ...

    def probe(self, graph: Graph) -> tuple[Unsupported, ...]:
        """Return the ops that this backend cannot run, each with its reason."""
        ...

    def shapes(self, content: bytes) -> Mapping[int, tuple[int, ...]]:
        """Return the shape of every tensor after allocating the whole model.

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
        self, handle: int, inputs: Mapping[int, Array], transfer_us: int, predicted_us: int
    ) -> RunResult:
        """Run a loaded slice.

        Args:
            handle: of the loaded slice.
            inputs: original tensor id -> array.
            transfer_us: device time that an emulated processor charges for its inputs.
            predicted_us: device time that an emulated processor takes for the run itself.

        Raises:
            BandError: BACKEND_FAILED if the run fails.
        """
        ...

    def unload(self, handle: int) -> None:
        """Free a loaded slice."""
        ...

    def close(self) -> None:
        """Free everything."""
        ...


__all__ = ["Array", "Backend", "BackendInfo", "LoadedSlice", "RunResult"]
