"""Chains of slices against the whole model: the plan kinds, and a check bit for bit.

The interpreter is handed in, so the same check serves every runtime.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from band.model.atoms import atoms, is_stateful
from band.model.graph import Graph, Tensor, missing_shapes
from band.model.model import Model, with_shapes
from band.model.slice import Slice
from band.model.tflite_writer import write_slice, write_whole

Values = dict[int, npt.NDArray[Any]]
Part = tuple[int, ...]

# What a mobile accelerator of the plan kind "fallback" leaves to the CPU.
FALLBACK_TYPES: Final = frozenset(
    {
        "ADD", "PAD", "PADV2", "MIRROR_PAD", "MAX_POOL_2D", "AVERAGE_POOL_2D", "RESHAPE",
        "CONCATENATION", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "SOFTMAX", "PRELU",
        "LOGISTIC", "QUANTIZE", "DEQUANTIZE", "MEAN", "MUL", "SUB", "STRIDED_SLICE", "TRANSPOSE",
    }
)  # fmt: skip
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


class Difference(NamedTuple):
    """Where a chain of slices differs from the whole model.

    Attributes:
        step: number of the run.
        tensor: output that differs.
        largest: largest absolute difference.
    """

    step: int
    tensor: int
    largest: float


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

    def run(self, values: Mapping[int, npt.NDArray[Any]]) -> Values:
        """Run once; values and result are by original tensor id."""
        for tensor, index in zip(self._part.inputs, self._inputs, strict=True):
            self._interpreter.set_tensor(index, values[tensor])
        self._interpreter.invoke()
        pairs = zip(self._part.outputs, self._outputs, strict=True)
        return {tensor: self._interpreter.get_tensor(index) for tensor, index in pairs}


def contiguous(graph: Graph, count: int) -> tuple[Part, ...]:
    """Return up to ``count`` parts of neighbouring atoms, about equally many in each."""
    pieces = atoms(graph)
    count = min(count, len(pieces))
    cuts = [len(pieces) * i // count for i in range(count + 1)]
    return tuple(_joined(pieces[a:b]) for a, b in pairwise(cuts))


def fallback(graph: Graph, left_out: frozenset[str] = FALLBACK_TYPES) -> tuple[Part, ...]:
    """Return alternating maximal ready sets: what an accelerator takes, then what it leaves.

    Parts are not contiguous in file order; tensors skip over parts.
    """
    waiting = list(atoms(graph))
    done: set[int] = set()
    parts: list[Part] = []
    accelerated = True
    while waiting:
        taken: list[Part] = []
        for piece in waiting:
            mine = accelerated == all(graph.ops[op].type not in left_out for op in piece)
            if mine and _sources(graph, piece) <= done:
                taken.append(piece)
                done.update(piece)
        if taken:
            parts.append(_joined(taken))
            waiting = [piece for piece in waiting if piece not in taken]
        accelerated = not accelerated
    return tuple(parts)


def plans(graph: Graph) -> dict[str, tuple[Part, ...]]:
    """Return the plan kinds that are checked: K=2, K=4, fallback, one atom per slice."""
    return {
        "K=2": contiguous(graph, 2),
        "K=4": contiguous(graph, 4),
        "fallback": fallback(graph),
        "atoms": atoms(graph),
    }


def filled(model: Model, make: MakeInterpreter) -> Model:
    """Return the model with the shapes that a runtime finds for tensors that have none."""
    if not missing_shapes(model.graph):
        return model
    interpreter = make(model.content)
    interpreter.allocate_tensors()
    details = interpreter.get_tensor_details()
    return with_shapes(model, {d["index"]: tuple(int(n) for n in d["shape"]) for d in details})


def random_inputs(graph: Graph, seed: int) -> Values:
    """Return random values for the inputs of a model, over the whole range of integer types."""
    random = np.random.default_rng(seed)
    return {t: _random(graph.tensors[t], random) for t in graph.inputs}


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
    stateful = is_stateful(model.graph)
    whole = LoadedPart(write_whole(model), make)
    loaded = (LoadedPart(write_slice(model, part), make) for part in parts)
    # Without state one run is enough, and each slice is freed after it: some need a lot of memory.
    chain: Iterable[LoadedPart] = list(loaded) if stateful else loaded
    for step in range(STATEFUL_STEPS if stateful else 1):
        values = random_inputs(model.graph, seed + step)
        expected = whole.run(values)
        for part in chain:
            values.update(part.run(values))
        for tensor, value in expected.items():
            if not _same(value, values[tensor]):
                return Difference(step, tensor, _largest(value, values[tensor]))
    return None


def _joined(pieces: Iterable[Part]) -> Part:
    return tuple(sorted(op for piece in pieces for op in piece))


def _sources(graph: Graph, piece: Part) -> set[int]:
    """Return the ops outside a part that it reads from."""
    read = {t for op in piece for t in graph.dynamic_inputs(op)}
    return {graph.producer[t] for t in read} - {-1, *piece}


def _random(tensor: Tensor, random: np.random.Generator) -> npt.NDArray[Any]:
    shape, dtype = tensor.shape or (), np.dtype(tensor.dtype)
    if dtype.kind == "f":
        return np.asarray(random.uniform(-1, 1, shape)).astype(dtype)
    if dtype.kind == "b":
        return np.asarray(random.integers(0, 2, shape)).astype(dtype)
    # Wide integers are counters and indices: keep them small.
    low, high = (np.iinfo(dtype).min, np.iinfo(dtype).max) if dtype.itemsize == 1 else (0, 3)
    return np.asarray(random.integers(low, high, shape, endpoint=True)).astype(dtype)


def _same(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def _largest(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    if a.shape != b.shape:
        return float("inf")
    return float(np.max(np.abs(a.astype(np.float64) - b.astype(np.float64)), initial=0))
