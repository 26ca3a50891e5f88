"""One account for the memory of a device: loaded slices and boundary buffers together."""

import threading
from collections import defaultdict
from math import prod

import numpy as np

from band.errors import BandError, ErrorCode
from band.runtime.backends.protocol import Array
from band.units import format_bytes


class MemoryAccount:
    """Counts reserved bytes against a budget. Safe to use from any thread.

    Args:
        budget_bytes: the limit.
    """

    def __init__(self, budget_bytes: int) -> None:
        self.budget_bytes = budget_bytes
        self._used_bytes = 0
        self._lock = threading.Condition()

    @property
    def used_bytes(self) -> int:
        """Return what is reserved now."""
        return self._used_bytes

    @property
    def free_bytes(self) -> int:
        """Return what may still be reserved; negative after a forced reservation."""
        return self.budget_bytes - self._used_bytes

    def reserve(self, byte_count: int) -> bool:
        """Reserve bytes; return False, changing nothing, if the budget has no room for them."""
        with self._lock:
            if byte_count > self.budget_bytes - self._used_bytes:
                return False
            self._used_bytes += byte_count
            return True

    def force(self, byte_count: int) -> None:
        """Reserve bytes that are taken already, such as a slice larger than was planned."""
        with self._lock:
            self._used_bytes += byte_count

    def release(self, byte_count: int) -> None:
        """Give bytes back."""
        with self._lock:
            self._used_bytes -= byte_count
            self._lock.notify_all()

    def wait_free(self, byte_count: int, timeout_s: float) -> bool:
        """Wait until so many bytes are free; return False if that takes longer than the time."""
        with self._lock:
            return self._lock.wait_for(lambda: byte_count <= self.free_bytes, timeout_s)

    def __repr__(self) -> str:
        return f"<MemoryAccount {self._used_bytes} of {self.budget_bytes} B>"


class BufferPool:
    """Boundary tensors between tasks: byte buffers that are used again, never beyond the budget.

    Workers take, the driver gives back.

    Args:
        account: where every buffer, in use or kept, is counted.

    Attributes:
        allocations: buffers allocated so far.
        in_use_bytes: bytes that are taken now.
        total_bytes: bytes of all its buffers, those kept for later included.
    """

    def __init__(self, account: MemoryAccount) -> None:
        self.allocations = 0
        self.in_use_bytes = 0
        self.total_bytes = 0
        self.account = account
        self._kept: defaultdict[int, list[Array]] = defaultdict(list)
        self._lock = threading.Lock()

    def take(self, shape: tuple[int, ...], dtype: "np.dtype[np.generic]") -> Array:
        """Return an uninitialised array over a pooled buffer.

        Raises:
            BandError: OUT_OF_MEMORY if the budget has no room for it.
        """
        size = prod(shape) * dtype.itemsize  # numpy's own takes ten times as long
        with self._lock:
            kept = self._kept[size]
            buffer = kept.pop() if kept else self._new(size)
            self.in_use_bytes += size
        return buffer.view(dtype).reshape(shape)

    def give_back(self, array: Array) -> None:
        """Take back an array of :meth:`take`; the caller must not touch it afterwards."""
        buffer = array.reshape(-1).view(np.uint8)
        with self._lock:
            self._kept[array.nbytes].append(buffer)
            self.in_use_bytes -= array.nbytes

    def trim(self) -> None:
        """Free every buffer that is not in use."""
        with self._lock:
            self._free_kept()

    def _new(self, size: int) -> Array:
        if not self.account.reserve(size):
            self._free_kept()
            if not self.account.reserve(size):
                raise BandError(
                    ErrorCode.OUT_OF_MEMORY,
                    f"a boundary tensor of {format_bytes(size)} does not fit: "
                    f"{format_bytes(self.account.used_bytes)} of the memory budget of "
                    f"{format_bytes(self.account.budget_bytes)} are in use",
                    needed_bytes=size,
                    budget_bytes=self.account.budget_bytes,
                )
        self.allocations += 1
        self.total_bytes += size
        return np.empty(size, np.uint8)

    def _free_kept(self) -> None:
        freed = sum(size * len(buffers) for size, buffers in self._kept.items())
        self._kept.clear()
        self.total_bytes -= freed
        self.account.release(freed)
