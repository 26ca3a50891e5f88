"""The backend ``scripted``: the ``cpu`` backend, going wrong where a test says so.

Each processor has a script by its name. What a script holds happens in the worker's thread.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from band.device.profile import Processor
from band.errors import BandError, ErrorCode
from band.runtime.backends import cpu
from band.runtime.backends.protocol import (
    Allocate,
    Array,
    BackendContext,
    LoadedSlice,
    Pace,
    RunResult,
    WorkerLostError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The backend ``scripted`` has no options."""


class Script:
    """What goes wrong on one processor.

    Attributes:
        runs: called one after the other, one before each run; the rest of the runs go well.
        opens: the same for each time that the backend is made.
        refuses_load: tells by input and output tensors whether a slice is refused.
        loads: input tensors of each slice that was loaded.
    """

    def __init__(self) -> None:
        self.runs: deque[Callable[[], object]] = deque()
        self.opens: deque[Callable[[], object]] = deque()
        self.refuses_load: Callable[[tuple[int, ...], tuple[int, ...]], bool] = _takes_all
        self.loads: list[tuple[int, ...]] = []


def _takes_all(inputs: tuple[int, ...], outputs: tuple[int, ...]) -> bool:
    del inputs, outputs
    return False


SCRIPTS: defaultdict[str, Script] = defaultdict(Script)


def fail() -> None:
    """Fail as a runtime does whose invoke fails."""
    raise BandError(ErrorCode.BACKEND_FAILED, "the slice failed to run: scripted")


def lose() -> None:
    """Fail as a processor does that is gone."""
    raise WorkerLostError("scripted loss")


def crash() -> None:
    """Fail as a defect of a backend does."""
    raise ZeroDivisionError("scripted defect")


class Backend(cpu.Backend):
    """Runs slices as ``cpu`` does, after its script."""

    def __init__(self, processor: Processor, options: Options, context: BackendContext) -> None:
        del options
        self._script = SCRIPTS[processor.name]
        if self._script.opens:
            self._script.opens.popleft()()
        super().__init__(processor, cpu.Options(), context)

    def load(
        self, content: bytes, inputs: tuple[int, ...], outputs: tuple[int, ...]
    ) -> LoadedSlice:
        """Load a slice unless the script refuses it."""
        if self._script.refuses_load(inputs, outputs):
            raise BandError(ErrorCode.BACKEND_FAILED, "the slice is refused: scripted")
        self._script.loads.append(inputs)
        return super().load(content, inputs, outputs)

    def run(
        self, handle: int, inputs: Mapping[int, Array], pace: Pace, allocate: Allocate
    ) -> RunResult:
        """Run a slice after the next step of the script."""
        if self._script.runs:
            self._script.runs.popleft()()
        return super().run(handle, inputs, pace, allocate)
