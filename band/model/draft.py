"""A model that is being written: tensors and ops as plain data, before there is a file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from band.errors import BandError, ErrorCode
from band.model.graph import OptionValue, Quantization

Shape = tuple[int, ...]


class TensorSpec(NamedTuple):
    """One tensor of a draft; ``data`` makes it a constant, -1 in its shape an open dimension."""

    name: str
    shape: Shape
    dtype: str
    data: npt.NDArray[Any] | None = None
    quantization: Quantization | None = None
    variable: bool = False


class OpSpec(NamedTuple):
    """One op of a draft; enum options (padding, activation) are given by name."""

    type: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, OptionValue]


@dataclass(slots=True)
class Draft:
    """One subgraph in the making.

    Attributes:
        name: of the subgraph; that of the model for the main one.
        branches: the subgraphs that its ops can call by number, 1 for the first.
    """

    name: str
    tensors: list[TensorSpec] = field(default_factory=list)
    ops: list[OpSpec] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    branches: "list[Draft]" = field(default_factory=list)

    def input(
        self,
        name: str,
        shape: Sequence[int],
        dtype: str = "float32",
        quantization: Quantization | None = None,
    ) -> int:
        """Add an input of the model and return its tensor id."""
        tensor = self.tensor(name, shape, dtype, quantization=quantization)
        self.inputs.append(tensor)
        return tensor

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        dtype: str = "float32",
        *,
        quantization: Quantization | None = None,
        variable: bool = False,
    ) -> int:
        """Add a tensor without data and return its id."""
        return self._append(
            TensorSpec(name, tuple(shape), dtype, quantization=quantization, variable=variable)
        )

    def constant(
        self, name: str, data: npt.ArrayLike, quantization: Quantization | None = None
    ) -> int:
        """Add a constant and return its tensor id; its type is that of the array."""
        array = np.asarray(data)
        return self._append(
            TensorSpec(name, array.shape, array.dtype.name, array, quantization=quantization)
        )

    def packed(
        self,
        name: str,
        shape: Sequence[int],
        dtype: str,
        data: bytes,
        quantization: Quantization | None = None,
    ) -> int:
        """Add a constant of a type that numpy lacks (int4, string) from its bytes in the file."""
        stored = np.frombuffer(data, dtype=np.uint8)
        return self._append(TensorSpec(name, tuple(shape), dtype, stored, quantization))

    def op(
        self,
        kind: str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        *,
        version: int = 1,
        **options: OptionValue,
    ) -> None:
        """Add any op of the schema, or ``CUSTOM:<name>``.

        Args:
            kind: builtin name such as ``CONV_2D``.
            inputs: tensor ids; -1 for an optional input that is absent.
            outputs: ids of tensors that no other op writes.
            version: of the op.
            options: builtin options in snake_case.

        Raises:
            BandError: INVALID_MODEL if a tensor id is unknown.
        """
        for t in (*inputs, *outputs):
            if t != -1:
                self.spec(t)
        self.ops.append(OpSpec(kind, version, tuple(inputs), tuple(outputs), options))

    def spec(self, tensor: int) -> TensorSpec:
        """Return a tensor by id.

        Raises:
            BandError: INVALID_MODEL if there is none.
        """
        if not 0 <= tensor < len(self.tensors):
            msg = f"model {self.name!r} has no tensor {tensor}; its tensors are 0 to "
            msg += str(len(self.tensors) - 1)
            raise BandError(ErrorCode.INVALID_MODEL, msg, model=self.name)
        return self.tensors[tensor]

    def branch(self, draft: "Draft") -> int:
        """Add a subgraph that ops can call and return its number."""
        self.branches.append(draft)
        return len(self.branches)

    def _append(self, spec: TensorSpec) -> int:
        self.tensors.append(spec)
        return len(self.tensors) - 1
