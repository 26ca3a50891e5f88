"""A slice: a valid .tflite file made of a part of a model."""

import hashlib
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A part of a model as a file of its own.

    Attributes:
        ops: its compute ops by original index, ascending. The copies of weight ops are not listed.
        inputs: original tensor ids of its inputs, in the order of the file.
        outputs: original tensor ids of its outputs, in the order of the file.
        content: bytes of the .tflite file; the same part of the same model gives the same bytes.
    """

    ops: tuple[int, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    content: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        """Return the digest of the file."""
        return hashlib.sha256(self.content).hexdigest()
