"""The backend ``emulated``: real outputs, computed on the CPU, at the pace of a device profile.

A run ends when the profile says so, counted from its dispatch, in device time. Where the real
computation takes longer than that, the difference is reported as an overrun.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass

from band.device.dynamics import LogNormal
from band.device.profile import Processor
from band.runtime.backends.interpreter import DELEGATE, InterpreterBackend
from band.runtime.backends.protocol import (
    Allocate,
    Array,
    BackendContext,
    BackendInfo,
    Pace,
    RunResult,
)
from band.sim.noise import draw, noise_of

WORD = "emulated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options of the backend ``emulated``.

    Attributes:
        noise_sigma: standard deviation of the natural logarithm of the run time; negative means
            the noise that the device file declares.
    """

    noise_sigma: float = -1.0


class Backend(InterpreterBackend):
    """Computes each slice for real and holds the result until the profile's time has passed.

    Args:
        processor: whose ``runtime`` and ``threads`` compute the outputs.
        options: the noise of its run times.
        context: device clock, noise of the device, seed.

    Raises:
        BandError: BACKEND_FAILED if the runtime cannot be used.
    """

    def __init__(self, processor: Processor, options: Options, context: BackendContext) -> None:
        super().__init__(processor)
        self._device = context.device
        self._clock = context.clock
        self._noise = noise_of(processor, context.device)
        if options.noise_sigma >= 0:
            self._noise = LogNormal(sigma=options.noise_sigma)
        self._random = random.Random(f"{context.seed}/{processor.name}")

    def info(self) -> BackendInfo:
        """Return what executes, with the profile's name and version."""
        return BackendInfo(
            name=WORD,
            runtime=self.runtime.name,
            runtime_version=self.runtime.version,
            detail=f"profile {self._device.name} {self._device.version}",
            word=WORD,
            delegate=DELEGATE,
            threads=self.processor.threads,
        )

    def run(
        self, handle: int, inputs: Mapping[int, Array], pace: Pace, allocate: Allocate
    ) -> RunResult:
        """Run a loaded slice; return when the profile's time has passed since its dispatch."""
        model = self.slices[handle]
        model.set_inputs(inputs)
        model.invoke()
        outputs = model.copy_outputs(allocate)
        factor = 1.0 if self._noise is None else draw(self._noise, self._random)
        run_us = max(1, round(pace.predicted_us * factor))
        end_us = pace.dispatched_us + pace.transfer_us + run_us
        overrun_us = max(0, self._clock.now_us() - end_us)
        self._clock.sleep_until(end_us)
        return RunResult(outputs, run_us, pace.transfer_us, overrun_us)
