"""Files above 2 GiB: the weights lie behind the flatbuffer, which only says where.

FlatBuffers offsets stop at 2 GiB. The schema has a form for larger files: a buffer without data
whose ``offset`` and ``size`` name bytes of the file.
"""

from collections.abc import Iterator
from typing import Any

from band.model import tflite_schema
from band.model.tflite_schema import BUFFER_ALIGNMENT, pack

# Any number that is not zero: the flatbuffer is as long with it as with the real offset.
_SOME_OFFSET = BUFFER_ALIGNMENT


def fits(tree: Any) -> bool:
    """Return whether a ``ModelT`` can be packed with its weights inside the flatbuffer."""
    return tflite_schema.data_bytes(tree) <= tflite_schema.MAXIMUM_DATA_BYTES


def pack_in_pieces(tree: Any) -> Iterator[bytes | memoryview]:
    """Yield the bytes of a ``ModelT`` with its weights behind the flatbuffer, each aligned to 16.

    Nothing large is copied. The tree is changed: its buffers say where their data lie.
    """
    placed = [b for b in tree.buffers if b.data is not None and len(b.data)]
    contents = [b.data for b in placed]
    for buffer, data in zip(placed, contents, strict=True):
        buffer.data, buffer.offset, buffer.size = None, _SOME_OFFSET, data.nbytes
    place = _aligned(len(pack(tree)))
    for buffer in placed:
        buffer.offset = place
        place = _aligned(place + buffer.size)
    head = pack(tree)
    yield head
    end = len(head)
    for buffer, data in zip(placed, contents, strict=True):
        yield bytes(buffer.offset - end)
        yield memoryview(data)
        end = buffer.offset + buffer.size


def _aligned(size: int) -> int:
    return -(-size // BUFFER_ALIGNMENT) * BUFFER_ALIGNMENT
