"""What is kept once however often it is used: parsed models, and the contents of slices.

A runtime reads the weights of a slice from the bytes it is given and copies none of them, so one
``bytes`` object serves all interpreters of equal content: on several processors, of one file
registered under several names, and of files that share a part.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from band.model.graph import Graph
from band.model.model import Model
from band.model.slice import Slice
from band.model.tflite_writer import write_slice, write_whole
from band.runtime.memory import MemoryAccount


class ModelStore:
    """Parsed models by the digest of their file; each is kept while somebody has it."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Model, int]] = {}
        self._lock = threading.Lock()

    def keep(self, model: Model) -> Model:
        """Return the model to use in place of a model of the same content."""
        digest = model.graph.sha256
        with self._lock:
            first, users = self._kept.get(digest, (model, 0))
            self._kept[digest] = first, users + 1
        if first is model or first.graph.name == model.graph.name:
            return first
        return replace(first, graph=replace(first.graph, name=model.graph.name), path=model.path)

    def drop(self, model: Model) -> None:
        """Give up a model that ``keep`` returned."""
        digest = model.graph.sha256
        with self._lock:
            first, users = self._kept.pop(digest)
            if users > 1:
                self._kept[digest] = first, users - 1

    def __len__(self) -> int:
        return len(self._kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceCounts:
    """How models and slices are shared.

    Attributes:
        models: distinct files that are kept parsed.
        contents: distinct files in memory.
        content_bytes: what they take.
        used_bytes: what they would take if every user had its own.
        written: how often a slice was cut.
        hits: how often it was there already.
    """

    models: int
    contents: int
    content_bytes: int
    used_bytes: int
    written: int
    hits: int


class _Key(NamedTuple):
    model: str
    shapes: str
    ops: tuple[int, ...]


class _Shared:
    """Content with the number of entries that have it."""

    __slots__ = ("content", "users")

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.users = 0


class _Entry:
    __slots__ = ("digest", "part", "users")

    def __init__(self, part: Slice, digest: str) -> None:
        self.part = part
        self.digest = digest
        self.users = 0


class SliceStore:
    """Slices by the model's digest and their ops; equal contents are one object.

    Args:
        account: what is kept without a user is counted there.
        unused_bytes: contents that may stay without a user, the last used ones.
    """

    def __init__(self, account: MemoryAccount, unused_bytes: int = 0) -> None:
        self._account = account
        self._limit_bytes = unused_bytes
        self._entries: dict[_Key, _Entry] = {}
        self._contents: dict[str, _Shared] = {}
        self._unused: OrderedDict[_Key, int] = OrderedDict()
        self._lock = threading.Lock()
        self._written = self._hits = 0

    def take(self, model: Model, ops: Sequence[int]) -> Slice:
        """Return the slice of some compute ops, cut if nobody has it; give it back after use.

        Args:
            model: with its shapes filled in.
            ops: compute ops, ascending; all of them stand for the whole model.

        Raises:
            BandError: what ``write_slice`` raises.
        """
        graph = model.graph
        key = _Key(graph.sha256, _shapes(graph), tuple(ops))
        found = self._take(key, None)
        if found is not None:
            return found
        whole = key.ops == graph.compute_ops
        made = write_whole(model) if whole else write_slice(model, key.ops)
        return self._take(key, lambda: made) or made

    def give_back(self, model: Model, ops: Sequence[int]) -> None:
        """Give back what ``take`` returned for the same arguments."""
        key = _Key(model.graph.sha256, _shapes(model.graph), tuple(ops))
        with self._lock:
            entry = self._entries[key]
            entry.users -= 1
            if entry.users:
                return
            size = len(entry.part.content)
            if size <= self._limit_bytes and self._account.reserve(size):
                self._unused[key] = size
                while self.unused_bytes > self._limit_bytes:
                    self._forget(*self._unused.popitem(last=False))
            else:
                self._drop(key)

    def trim(self) -> None:
        """Free everything that nobody uses."""
        with self._lock:
            while self._unused:
                self._forget(*self._unused.popitem(last=False))

    @property
    def unused_bytes(self) -> int:
        """Return the bytes of contents that are kept without a user."""
        return sum(self._unused.values())

    def counts(self, models: int = 0) -> SliceCounts:
        """Return how slices are shared, beside a number of parsed models."""
        with self._lock:
            return SliceCounts(
                models=models,
                contents=len(self._contents),
                content_bytes=sum(len(shared.content) for shared in self._contents.values()),
                used_bytes=sum(len(e.part.content) * e.users for e in self._entries.values()),
                written=self._written,
                hits=self._hits,
            )

    def _take(self, key: _Key, make: Callable[[], Slice] | None) -> Slice | None:
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                self._hits += 1
                kept = self._unused.pop(key, None)
                if kept is not None:
                    self._account.release(kept)
            elif make is None:
                return None
            else:
                self._written += 1
                entry = self._entries[key] = self._shared(make())
            entry.users += 1
            return entry.part

    def _shared(self, part: Slice) -> _Entry:
        digest = part.sha256
        shared = self._contents.setdefault(digest, _Shared(part.content))
        shared.users += 1
        return _Entry(replace(part, content=shared.content), digest)

    def _forget(self, key: _Key, size: int) -> None:
        self._account.release(size)
        self._drop(key)

    def _drop(self, key: _Key) -> None:
        digest = self._entries.pop(key).digest
        shared = self._contents[digest]
        shared.users -= 1
        if not shared.users:
            del self._contents[digest]


def _shapes(graph: Graph) -> str:
    """Return a digest of all shapes: a file that lacks some may be cut with several fillings."""
    shapes = repr([tensor.shape for tensor in graph.tensors])
    return hashlib.sha256(shapes.encode()).hexdigest()
