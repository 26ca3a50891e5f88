"""Chains of slices against the whole model in interpreters that a test makes itself.

The comparison is that of ``band check``; only the interpreter is handed in, so that a test may use
any runtime, mix delegates or lose state on purpose.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol

import numpy.typing as npt

from band.model.graph import missing_shapes
from band.model.model import Model, with_shapes
from band.model.slice import Slice
from band.runtime.check_chain import Difference, Run, Whole

STATEFUL_STEPS: Final = 4


class InterpreterLike(Protocol):
    """What the TFLite interpreters have in common."""

    def allocate_tensors(self) -> None:
        """Prepare to run."""
        ...

    def invoke(self) -> None:
        """Run once."""
        ...

    def set_tensor(self, tensor_index: int, value: npt.NDArray[Any], /) -> None:
        """Copy a value in."""
        ...

    def get_tensor(self, tensor_index: int, /) -> npt.NDArray[Any]:
        """Copy a value out."""
        ...

    def get_input_details(self) -> list[dict[str, Any]]:
        """Return what is known of the inputs, in the order of the file."""
        ...

    def get_output_details(self) -> list[dict[str, Any]]:
        """Return what is known of the outputs, in the order of the file."""
        ...

    def get_tensor_details(self) -> list[dict[str, Any]]:
        """Return what is known of all tensors."""
        ...


MakeInterpreter = Callable[[bytes], InterpreterLike]


class LoadedPart:
    """One slice in an interpreter.

    Args:
        part: the slice.
        make: makes an interpreter of a file's bytes.
    """

    def __init__(self, part: Slice, make: MakeInterpreter) -> None:
        self._part = part
        self._interpreter = make(part.content)
        self._interpreter.allocate_tensors()
        self._inputs = [d["index"] for d in self._interpreter.get_input_details()]
        self._outputs = [d["index"] for d in self._interpreter.get_output_details()]

    def run(self, values: Mapping[int, npt.NDArray[Any]]) -> dict[int, npt.NDArray[Any]]:
        """Run once; values and result are by original tensor id."""
        for tensor, index in zip(self._part.inputs, self._inputs, strict=True):
            self._interpreter.set_tensor(index, values[tensor])
        self._interpreter.invoke()
        pairs = zip(self._part.outputs, self._outputs, strict=True)
        return {tensor: self._interpreter.get_tensor(index) for tensor, index in pairs}


def filled(model: Model, make: MakeInterpreter) -> Model:
    """Return the model with the shapes that a runtime finds for tensors that have none."""
    if not missing_shapes(model.graph):
        return model
    interpreter = make(bytes(model.content))
    interpreter.allocate_tensors()
    details = interpreter.get_tensor_details()
    return with_shapes(model, {d["index"]: tuple(int(n) for n in d["shape"]) for d in details})


def first_difference(
    model: Model, parts: Iterable[Sequence[int]], make: MakeInterpreter, *, seed: int = 0
) -> Difference | None:
    """Run a chain of slices beside the shape-filled whole model and compare every output.

    Args:
        model: with shapes filled in.
        parts: op indices of each slice, in the order of execution.
        make: makes an interpreter.
        seed: of the inputs.

    Returns:
        None if all outputs are equal bit for bit in every run (several runs for a model that
        keeps state), else the first difference.
    """

    @contextmanager
    def load(part: Slice) -> Iterator[Run]:
        yield LoadedPart(part, make).run

    return Whole(model, load, steps=STATEFUL_STEPS, seed=seed).difference(parts)
