"""Damaged .tflite files from sound ones: seeded, so that a file is known by its number alone.

Half of the mutations are in what describes the model (offsets, vtables, lengths, indices, options,
shapes, small constants), where they do harm; half anywhere, weights included.
"""

from collections.abc import Callable, Sequence
from math import prod, sqrt
from typing import Final, NamedTuple

import numpy as np

from band.model.tflite_schema import pack, schema
from band.model.tflite_verify import verify_bytes
from band.model.tflite_verify_limits import DEFAULT
from band.model.tflite_verify_structure import parse
from band.testing.mutated_values import WEIGHT_BYTES, Random, boundary, change_one, near

_PACKED_BYTES: Final = 400_000  # larger files are not taken apart and put together


class Source(NamedTuple):
    """One sound file and where it is not weights.

    Attributes:
        name: of the model.
        content: the file.
        description: (first, end) of the ranges that are not weights.
        real: it was not made by the builder.
        weight: how often it is taken; quick models of small files more often.
    """

    name: str
    content: bytes
    description: tuple[tuple[int, int], ...]
    real: bool
    weight: float


class Mutation(NamedTuple):
    """One damaged file: how it was made, and its bytes."""

    number: int
    source: str
    kind: str
    content: bytes


def source(name: str, content: bytes, *, real: bool = False) -> Source:
    """Return a sound file, ready to be damaged."""
    model = parse(memoryview(content), name, DEFAULT)
    tensors = [t for s in verify_bytes(content, name).subgraphs for t in s.tensors]
    activations = sum(prod(t.shape) for t in tensors if not t.constant)
    weights = sorted(b.data for b in model.buffers if b.data.length > WEIGHT_BYTES)
    ranges, at = [], 0
    for start, length in weights:
        if start > at:
            ranges.append((at, start))
        at = max(at, start + length)
    ranges.append((at, len(content)))
    return Source(
        name=name,
        content=content,
        description=tuple(r for r in ranges if r[1] > r[0]),
        real=real,
        weight=1 / sqrt(4_000 + len(content) + activations / 4),
    )


def mutated(sources: Sequence[Source], seed: int, number: int) -> Mutation:
    """Return one damaged file; the same arguments always give the same bytes.

    Args:
        sources: sound files; half of the series comes from real ones where there are any.
        seed: of the series.
        number: which one of the series.
    """
    random = np.random.default_rng([seed, number])
    wants_real = bool(random.random() < 0.5) and any(s.real for s in sources)
    group = [s for s in sources if s.real is wants_real]
    weights = np.array([s.weight for s in group])
    chosen = group[int(random.choice(len(group), p=weights / weights.sum()))]
    kinds: Sequence[Callable[[Source, Random], bytes]] = _ANYWHERE
    if number % 2 == 0:
        kinds = _DESCRIPTION if len(chosen.content) > _PACKED_BYTES else _DESCRIPTION_AND_VALUES
    kind = kinds[int(random.integers(len(kinds)))]
    return Mutation(number, chosen.name, kind.__name__.lstrip("_"), kind(chosen, random))


def _place(of: Source, random: Random, width: int) -> int:
    """Return an aligned place in the description of a model."""
    sizes = np.array([end - first for first, end in of.description], dtype=float)
    first, end = of.description[int(random.choice(len(sizes), p=sizes / sizes.sum()))]
    place = int(random.integers(first, end))
    return min(place - place % width, len(of.content) - width)


def _described_bytes(of: Source, random: Random) -> bytes:
    data = bytearray(of.content)
    for _ in range(int(random.integers(1, 4))):
        data[_place(of, random, 1)] ^= int(random.integers(1, 256))
    return bytes(data)


def _described_words(of: Source, random: Random) -> bytes:
    data = bytearray(of.content)
    for _ in range(int(random.integers(1, 3))):
        place = _place(of, random, 4)
        data[place : place + 4] = _word(data[place : place + 4], random)
    return bytes(data)


def _described_halves(of: Source, random: Random) -> bytes:
    data = bytearray(of.content)
    place = _place(of, random, 2)
    data[place : place + 2] = (boundary(random) & 0xFFFF).to_bytes(2, "little")
    return bytes(data)


def _values(of: Source, random: Random) -> bytes:
    """Change numbers of the model and write a file whose structure is sound."""
    tree = schema().ModelT.InitFromObj(schema().Model.GetRootAs(of.content, 0))
    for _ in range(int(random.integers(1, 3))):
        change_one(tree, random)
    try:
        return pack(tree)
    except (TypeError, ValueError, OverflowError, AttributeError):
        return _described_bytes(of, random)  # a value that the writer cannot write


def _flipped_bytes(of: Source, random: Random) -> bytes:
    data = bytearray(of.content)
    for place in random.integers(0, len(data), int(random.integers(1, 9))):
        data[int(place)] ^= int(random.integers(1, 256))
    return bytes(data)


def _truncated(of: Source, random: Random) -> bytes:
    return of.content[: int(random.integers(0, len(of.content)))]


def _spliced(of: Source, random: Random) -> bytes:
    """Remove, repeat or move a block."""
    size = int(random.integers(1, 1 + min(4096, len(of.content) // 4)))
    first, second = (int(p) for p in random.integers(0, len(of.content) - size, 2))
    block, data = of.content[first : first + size], of.content
    how = int(random.integers(3))
    if how == 0:
        return data[:first] + data[first + size :]
    if how == 1:
        return data[:second] + block + data[second:]
    return data[:second] + block + data[second + size :]


def _overwritten_words(of: Source, random: Random) -> bytes:
    data = bytearray(of.content)
    for _ in range(int(random.integers(1, 5))):
        place = 4 * int(random.integers(0, len(data) // 4))
        data[place : place + 4] = _word(data[place : place + 4], random)
    return bytes(data)


def _word(old: bytes | bytearray, random: Random) -> bytes:
    value = near(int.from_bytes(old, "little", signed=True), random)
    return (value & 0xFFFF_FFFF).to_bytes(4, "little")


_DESCRIPTION: Final = (_described_bytes, _described_words, _described_halves)
_DESCRIPTION_AND_VALUES: Final = (*_DESCRIPTION, _values, _values, _values)
_ANYWHERE: Final = (_flipped_bytes, _truncated, _spliced, _overwritten_words)
