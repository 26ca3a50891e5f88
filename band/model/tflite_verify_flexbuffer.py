"""Walks a FlexBuffer, the form in which some ops keep their options, before a kernel does.

Kernels follow its offsets without looking: a flipped byte there is a read outside the file. Format:
https://flatbuffers.dev/internals/ (FlexBuffers). Values refer backwards; a packed type is
``type << 2 | log2(width)``; a map is a sorted vector of keys and a vector of values.
"""

from collections.abc import Mapping
from struct import Struct
from typing import Final

_NULL, _INT, _UINT, _FLOAT, _KEY, _STRING = range(6)
_INDIRECT: Final = {6: _INT, 7: _UINT, 8: _FLOAT}
_MAP, _VECTOR = 9, 10
_TYPED: Final = {11: _INT, 12: _UINT, 13: _FLOAT, 14: _KEY, 36: 26}
_FIXED: Final = range(16, 25)  # two, three and four of each number type
_BLOB, _BOOL = 25, 26
_INLINE: Final = frozenset({_NULL, _INT, _UINT, _FLOAT, _BOOL})
_UNSIGNED: Final = {1: Struct("<B"), 2: Struct("<H"), 4: Struct("<I"), 8: Struct("<Q")}
_SIGNED: Final = {1: Struct("<b"), 2: Struct("<h"), 4: Struct("<i"), 8: Struct("<q")}
_REAL: Final = {2: Struct("<e"), 4: Struct("<f"), 8: Struct("<d")}
LONGEST_BYTES: Final = 1 << 16
_VALUES: Final = 4_096
_DEPTH: Final = 8

Number = int | float


class _BrokenError(Exception):
    """The bytes are no FlexBuffer."""


def read_flexbuffer(data: bytes) -> Mapping[str, Number] | None:
    """Walk a whole FlexBuffer whose root is a map.

    Args:
        data: its bytes.

    Returns:
        The numbers of the root map by key; None if anything in the buffer is broken, if its root
        is no map, or if it is larger than options are.
    """
    if not 3 <= len(data) <= LONGEST_BYTES:
        return None
    try:
        return _Walk(data).root()
    except _BrokenError:
        return None


class _Walk:
    """One walk; every read is checked against the bytes."""

    __slots__ = ("_data", "_left")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._left = _VALUES

    def root(self) -> Mapping[str, Number]:
        width, packed = self._data[-1], self._data[-2]
        if packed >> 2 != _MAP or width not in _UNSIGNED:
            raise _BrokenError
        target = self._behind(len(self._data) - 2 - width, width)
        return self._map(target, 1 << (packed & 3), 0)

    def _value(self, at: int, width: int, packed: int, depth: int) -> Number | None:
        """Check one value stored at a place; return it if it is a number."""
        self._left -= 1
        kind, own = packed >> 2, 1 << (packed & 3)
        if self._left < 0 or depth > _DEPTH:
            raise _BrokenError
        if kind in _INLINE:
            return self._number(at, width, kind)
        target = self._behind(at, width)
        if kind in _INDIRECT:
            return self._number(target, own, _INDIRECT[kind])
        if kind == _KEY:
            self._key(target)
        elif kind in {_STRING, _BLOB}:
            self._inside(target, self._unsigned(target - own, own) + 1)
        elif kind == _MAP:
            self._map(target, own, depth + 1)
        elif kind == _VECTOR:
            self._vector(target, own, depth + 1)
        elif kind in _TYPED:
            self._typed(target, own, _TYPED[kind])
        elif kind in _FIXED:
            self._inside(target, own * (2 + (kind - _FIXED.start) // 3))
        else:
            raise _BrokenError
        return None

    def _map(self, target: int, width: int, depth: int) -> Mapping[str, Number]:
        keys = self._behind(target - 3 * width, width)
        key_width = self._unsigned(target - 2 * width, width)
        length = self._unsigned(target - width, width)
        if key_width not in _UNSIGNED or self._unsigned(keys - key_width, key_width) != length:
            raise _BrokenError
        self._inside(keys, length * key_width)
        names = [self._key(self._behind(keys + i * key_width, key_width)) for i in range(length)]
        values = self._vector(target, width, depth)
        return {n: v for n, v in zip(names, values, strict=True) if v is not None}

    def _vector(self, target: int, width: int, depth: int) -> list[Number | None]:
        length = self._unsigned(target - width, width)
        self._inside(target, length * width + length)
        types = target + length * width
        return [
            self._value(target + i * width, width, self._data[types + i], depth)
            for i in range(length)
        ]

    def _typed(self, target: int, width: int, kind: int) -> None:
        length = self._unsigned(target - width, width)
        self._inside(target, length * width)
        if kind == _KEY:
            for i in range(length):
                self._key(self._behind(target + i * width, width))

    def _number(self, at: int, width: int, kind: int) -> Number:
        if kind == _FLOAT:
            self._inside(at, width)
            if width not in _REAL:
                raise _BrokenError
            real: float = _REAL[width].unpack_from(self._data, at)[0]
            return real
        if kind == _INT:
            self._inside(at, width)
            signed: int = _SIGNED[width].unpack_from(self._data, at)[0]
            return signed
        return 0 if kind == _NULL else self._unsigned(at, width)

    def _key(self, at: int) -> str:
        self._left -= 1
        end = self._data.find(0, at)
        if self._left < 0 or end < 0:
            raise _BrokenError
        return self._data[at : min(end, at + 256)].decode("utf-8", errors="replace")

    def _behind(self, at: int, width: int) -> int:
        """Return the place that the offset stored at a place refers back to."""
        target = at - self._unsigned(at, width)
        if not 0 <= target <= at:  # an empty vector ends where it is referred to
            raise _BrokenError
        return target

    def _unsigned(self, at: int, width: int) -> int:
        self._inside(at, width)
        value: int = _UNSIGNED[width].unpack_from(self._data, at)[0]
        return value

    def _inside(self, at: int, size: int) -> None:
        if at < 0 or at + size > len(self._data):
            raise _BrokenError
