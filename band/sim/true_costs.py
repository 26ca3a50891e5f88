"""What a slice really takes in the simulator: its time, drawn, and its memory.

What the core has learnt meanwhile changes its plans, never this.
"""

from collections.abc import Sequence
from random import Random

from band.device.profile import Device
from band.plan.task import SliceKey, Task
from band.scheduler.events import ModelAdded
from band.sim.noise import draw, noise_of


class TrueCosts:
    """Times and memory of slices.

    Args:
        models: whose tables say them.
        device: whose noise is drawn.
        seed: of the draws. Processors with a noise of their own have a stream of their own, so
            that the noise of one changes no time of another; all others share one.
    """

    def __init__(self, models: Sequence[ModelAdded], device: Device, seed: int) -> None:
        self._cost_us: dict[tuple[SliceKey, int], int] = {
            (added.table.slice_key(span), span.processor): span.cost_us
            for added in models
            for span in added.table.spans
        }
        self._load_bytes: dict[tuple[SliceKey, int], int] = {
            (added.table.slice_key(span), span.processor): span.load_bytes
            for added in models
            for span in added.table.spans
        }
        shared = Random(seed)
        self._noise = {
            p.index: (noise, shared if p.noise is None else Random(f"{seed}/{p.name}"))
            for p in device.processors
            if (noise := noise_of(p, device)) is not None
        }

    def run_us(self, task: Task) -> int:
        """Return the time that a task takes without transfers, at least 1."""
        cost_us = self._cost_us[task.slice, task.processor]
        noise = self._noise.get(task.processor)
        if noise is None:
            return cost_us
        return max(1, round(cost_us * draw(*noise)))

    def load_bytes(self, key: SliceKey, processor: int) -> int:
        """Return what a loaded slice takes."""
        return self._load_bytes[key, processor]
