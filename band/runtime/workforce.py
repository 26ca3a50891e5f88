"""The workers of a device, started and ended together."""

from collections.abc import Callable
from typing import NamedTuple

from band.clock import Clock
from band.device.profile import Device
from band.errors import BandError, ErrorCode
from band.runtime.backends.protocol import BackendContext, BackendInfo
from band.runtime.reports import Report
from band.runtime.worker import Worker
from band.scheduler.events import WorkerUp


class Post(NamedTuple):
    """A worker, what executes there, and the event that says it is up."""

    worker: Worker
    info: BackendInfo
    up: WorkerUp


class Workforce:
    """One worker for each available processor of a device.

    Args:
        device: whose processors.
        clock: device time.
        seed: of emulated noise.
        report: takes what the workers say.

    Attributes:
        posts: by processor.

    Raises:
        BandError: NO_PROCESSOR if none is available; a backend cannot be used.
    """

    def __init__(
        self, device: Device, clock: Clock, seed: int, report: Callable[[Report], None]
    ) -> None:
        self.posts: dict[int, Post] = {}
        context = BackendContext(device=device, clock=clock, seed=seed)
        for processor in device.processors:
            if not processor.available:
                continue
            worker = Worker(processor, context, report)
            try:
                info = worker.start()
            except BaseException:
                worker.close()
                self.close()
                raise
            up = WorkerUp(
                processor.index,
                processor.name,
                processor.kind.value,
                device.memory_budget_bytes,
                info.word,
                processor.cold_after_us,
            )
            self.posts[processor.index] = Post(worker, info, up)
        if not self.posts:
            raise BandError(
                ErrorCode.NO_PROCESSOR,
                f"no processor of device {device.name!r} is available",
                device=device.name,
            )

    def close(self) -> None:
        """End all workers."""
        for post in self.posts.values():
            post.worker.close()
