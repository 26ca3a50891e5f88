"""Slices as a service: what keeps, divides, loads and evicts, put together for one engine."""

from collections.abc import Callable, Mapping

from band.clock import MonotonicClock
from band.device.profile import Device
from band.runtime.driver import Driver
from band.runtime.memory import BufferPool
from band.runtime.mover import Mover
from band.runtime.options import EngineOptions
from band.runtime.registrar import Registrar
from band.runtime.registry import Registry
from band.runtime.room import Room
from band.runtime.stores import SliceCounts, SliceStore
from band.runtime.workforce import Post


class SliceService:
    """The models of an engine and their slices.

    Args:
        device: its available processors have a worker each.
        posts: the workers, by processor.
        pool: boundary buffers; its account counts the slices too.
        driver: of the core.
        clock: device time.
        options: of the engine.
        check_open: raises if nothing new may come in.
    """

    def __init__(
        self,
        device: Device,
        posts: Mapping[int, Post],
        pool: BufferPool,
        driver: Driver,
        clock: MonotonicClock,
        options: EngineOptions,
        check_open: Callable[[], None],
    ) -> None:
        self._pool = pool
        self.store = SliceStore(pool.account, options.slice_cache_bytes)
        self.room = Room(
            pool,
            self.store,
            len(posts),
            driver.post,
            lambda: driver.ask(lambda core: core.reclaimable_bytes(clock.now_us())),
        )
        self.mover = Mover(posts, pool.account, self.store, options.profile_runs, driver.post)
        registrar = Registrar(device, posts, pool.account, self.store, self.room, options)
        self.registry = Registry(registrar, driver, self.mover, self.room, self._trim, check_open)

    def counts(self) -> SliceCounts:
        """Return how models and slices are shared."""
        return self.store.counts(self.registry.parsed)

    def close(self) -> None:
        """End the thread; the workers must be closed already."""
        self.mover.close()

    def _trim(self) -> None:
        """Free what is kept for later only."""
        self._pool.trim()
        self.store.trim()
