"""How the memory of a device is divided: what slices may take, as the core is told."""

from collections.abc import Callable
from typing import Final

from band.errors import BandError, ErrorCode
from band.runtime.memory import BufferPool
from band.runtime.registration import memory_for_slices
from band.runtime.stores import SliceStore
from band.scheduler.events import Event, SliceBudget
from band.units import format_bytes

WAIT_S: Final = 30.0
"""How long a registration waits for other models' slices to make room."""


class Room:
    """Divides the memory budget between slices, boundary buffers and a model that is coming.

    The core is told what the slices of registered models may take: the budget less the buffers
    there are, less one job's boundary tensors per processor that may be wanted at any moment, less
    the contents kept without a user, less what a registration under way has claimed.

    Args:
        pool: of the boundary buffers.
        store: of the slices' contents.
        processors: how many there are.
        tell: lets an event happen to the core.
        reclaimable: asks the core what evicting could free.
    """

    def __init__(
        self,
        pool: BufferPool,
        store: SliceStore,
        processors: int,
        tell: Callable[[Event], None],
        reclaimable: Callable[[], int],
    ) -> None:
        self._account = pool.account
        self._pool = pool
        self._store = store
        self._processors = processors
        self._tell = tell
        self.reclaimable = reclaimable
        self._boundaries: dict[str, int] = {}
        self._claimed_bytes = 0
        self._told_bytes: int | None = None

    @property
    def free_bytes(self) -> int:
        """Return what is free now, whoever may take it."""
        return self._account.free_bytes

    def slices_bytes(self) -> int:
        """Return what the slices of registered models may take together."""
        taken = self._pool.total_bytes + self._store.unused_bytes + self._claimed_bytes
        left = self._account.budget_bytes - taken
        self._told_bytes = memory_for_slices(left, self._boundaries.values(), self._processors)
        return self._told_bytes

    def change(self) -> SliceBudget | None:
        """Return what to tell the core, None if what it knows is still so, or it knows nothing."""
        told = self._told_bytes
        if told is None or self.slices_bytes() == told:
            return None
        return SliceBudget(self.slices_bytes())

    def claim(self, byte_count: int, model: str) -> None:
        """Claim memory for a model that is coming; others' slices make room for it.

        Raises:
            BandError: OUT_OF_MEMORY if they do not in time.
        """
        self._claimed_bytes = byte_count
        self._tell_change()
        if not self._account.wait_free(byte_count, WAIT_S):
            raise BandError(
                ErrorCode.OUT_OF_MEMORY,
                f"model {model!r} needs {format_bytes(byte_count)} for its slices, and the slices "
                f"that could make room for it are in use without a pause; try again, or raise "
                "memory_budget_mib of the device",
                model=model,
                needed_bytes=byte_count,
                free_bytes=self._account.free_bytes,
            )

    def claim_more(self, byte_count: int) -> None:
        """Claim more than before: a slice has turned out larger."""
        self._claimed_bytes += byte_count
        self._tell_change()

    def release(self) -> None:
        """Give up the claim: the model does not come."""
        self._claimed_bytes = 0
        self._tell_change()

    def admit(self, model: str, boundary_bytes: int) -> int:
        """End the claim of a model that has come; return what slices may take from now on."""
        self._claimed_bytes = 0
        self._boundaries[model] = boundary_bytes
        return self.slices_bytes()

    def dismiss(self, model: str) -> None:
        """Forget a model that is gone."""
        self._boundaries.pop(model, None)
        self._tell_change()

    def _tell_change(self) -> None:
        event = self.change()
        if event is not None:
            self._tell(event)

    def __repr__(self) -> str:
        return f"<Room told={self._told_bytes} claimed={self._claimed_bytes}>"
