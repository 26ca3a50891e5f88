"""The backend ``cpu``: the TFLite interpreter on this machine's cores."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from band.clock import thread_cpu_ns
from band.device.profile import Processor
from band.errors import BandError, ErrorCode
from band.runtime.backends.interpreter import DELEGATE, InterpreterBackend
from band.runtime.backends.protocol import (
    Allocate,
    Array,
    BackendContext,
    BackendInfo,
    Pace,
    RunResult,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options of the backend ``cpu``.

    Attributes:
        cores: numbers of the cores that the worker may use, such as ``"0"`` or ``"2,3"``; empty
            for any. Pin only to cores that nothing else uses: on a shared machine it stops the
            kernel from moving the worker off a busy core.
    """

    cores: str = ""


class Backend(InterpreterBackend):
    """Runs slices in TFLite interpreters, one for each loaded slice.

    Variables of a stateful model live in the interpreter of their slice from run to run.

    Args:
        processor: whose ``runtime`` and ``threads`` it uses.
        options: where it may run.
        context: the clock that times the runs.

    Raises:
        BandError: BACKEND_FAILED if the runtime cannot be used; INVALID_CONFIG for bad cores.
    """

    def __init__(self, processor: Processor, options: Options, context: BackendContext) -> None:
        super().__init__(processor)
        self._clock = context.clock
        self._pin(options.cores)

    def info(self) -> BackendInfo:
        """Return what executes."""
        return BackendInfo(
            name="cpu",
            runtime=self.runtime.name,
            runtime_version=self.runtime.version,
            detail=f"{self.processor.threads} thread(s)",
            word="",
            delegate=DELEGATE,
            threads=self.processor.threads,
        )

    def run(
        self, handle: int, inputs: Mapping[int, Array], pace: Pace, allocate: Allocate
    ) -> RunResult:
        """Run a loaded slice as fast as it goes."""
        del pace
        model = self.slices[handle]
        start_us = self._clock.now_us()
        model.set_inputs(inputs)
        ready_us, start_ns = self._clock.now_us(), thread_cpu_ns()
        model.invoke()
        outputs = model.copy_outputs(allocate)
        run_us = max(1, self._clock.now_us() - ready_us)
        # The threads of the interpreter's own pool are not this thread.
        alone = self.processor.threads == 1
        cpu_us = max(1, round((thread_cpu_ns() - start_ns) / 1_000)) if alone else None
        return RunResult(outputs, run_us, ready_us - start_us, 0, cpu_us)

    def _pin(self, cores: str) -> None:
        if not cores:
            return
        pin: Any = getattr(os, "sched_setaffinity", None)
        if pin is None:
            raise self._not_pinned(cores, "this system cannot pin threads")
        try:
            # 0 is the calling thread: the worker; its interpreters' threads inherit the cores.
            pin(0, {int(core) for core in cores.split(",")})
        except (ValueError, OSError) as error:
            raise self._not_pinned(cores, str(error)) from error

    def _not_pinned(self, cores: str, why: str) -> BandError:
        return BandError(
            ErrorCode.INVALID_CONFIG,
            f"processor {self.processor.name!r} cannot be pinned to cores {cores!r}: {why}",
            processor=self.processor.name,
        )
