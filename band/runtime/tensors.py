"""Inputs and outputs of a model as apps see them, and the check of what an app sends."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

import numpy as np

from band.errors import BandError, ErrorCode
from band.model.graph import Graph, Tensor
from band.runtime.backends.protocol import Array

_NUMPY_TYPES: Final = frozenset(
    {
        "float16", "float32", "float64", "int8", "uint8", "int16", "uint16", "int32", "uint32",
        "int64", "uint64", "bool", "complex64", "complex128",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorInfo:
    """One input or output of a model.

    Attributes:
        name: unique among the inputs, or among the outputs, of its model.
        dtype: numpy's name of the type.
        index: original tensor id.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    index: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """A registered model.

    Attributes:
        sha256: of the file.
        word: "emulated" or "software" if what it runs on says so, else "".
    """

    name: str
    sha256: str
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    word: str = ""


def model_info(graph: Graph, name: str, word: str) -> ModelInfo:
    """Return what apps may know of a model.

    Raises:
        BandError: UNSUPPORTED_FEATURE if an input or output has no static shape or a type that
            numpy lacks (such as string).
    """
    return ModelInfo(
        name=name,
        sha256=graph.sha256,
        inputs=_infos(graph, graph.inputs, "input"),
        outputs=_infos(graph, graph.outputs, "output"),
        word=word,
    )


def check_inputs(info: ModelInfo, inputs: Mapping[str, Any]) -> dict[int, Array]:
    """Return copies of the inputs by original tensor id.

    Raises:
        BandError: INVALID_REQUEST naming the tensor, what is expected and what is given.
    """
    known = {tensor.name: tensor for tensor in info.inputs}
    for name in inputs:
        if name not in known:
            raise _refused(info, name, _unknown(name, tuple(known)))
    checked: dict[int, Array] = {}
    for tensor in info.inputs:
        if tensor.name not in inputs:
            raise _refused(
                info,
                tensor.name,
                f"lacks input {tensor.name!r}, a {tensor.dtype} tensor of shape "
                f"{list(tensor.shape)}",
            )
        value = np.asarray(inputs[tensor.name])
        if value.dtype != np.dtype(tensor.dtype) or value.shape != tensor.shape:
            raise _refused(
                info,
                tensor.name,
                f"has a wrong input {tensor.name!r}: expected {tensor.dtype} of shape "
                f"{list(tensor.shape)}, got {value.dtype} of shape {list(value.shape)}",
            )
        checked[tensor.index] = np.array(value, order="C")
    return checked


def _unknown(name: str, known: tuple[str, ...]) -> str:
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"its inputs are {', '.join(known)}"
    return f"has no input {name!r}; {hint}"


def _refused(info: ModelInfo, tensor: str, problem: str) -> BandError:
    return BandError(
        ErrorCode.INVALID_REQUEST,
        f"request for model {info.name!r} {problem}",
        model=info.name,
        tensor=tensor,
    )


def _infos(graph: Graph, indices: Iterable[int], role: str) -> tuple[TensorInfo, ...]:
    tensors = [graph.tensors[index] for index in indices]
    names = _unique_names([tensor.name or role for tensor in tensors])
    return tuple(
        _info(graph, tensor, name, role) for tensor, name in zip(tensors, names, strict=True)
    )


def _info(graph: Graph, tensor: Tensor, name: str, role: str) -> TensorInfo:
    if tensor.shape is None or tensor.dtype not in _NUMPY_TYPES:
        what = "no static shape" if tensor.shape is None else f"the type {tensor.dtype}"
        raise BandError(
            ErrorCode.UNSUPPORTED_FEATURE,
            f"{role} {name!r} of model {graph.name} has {what}, which cannot be served; "
            "convert the model with fixed shapes and numeric types",
            model=graph.name,
            tensor=name,
        )
    return TensorInfo(name=name, dtype=tensor.dtype, shape=tensor.shape, index=tensor.index)


def _unique_names(names: list[str]) -> list[str]:
    """Return the names with ``:1``, ``:2`` ... after the second and further ones of the same."""
    taken = set(names)
    seen: Counter[str] = Counter()
    unique = []
    for name in names:
        count = seen[name]
        seen[name] += 1
        choice = name
        while count and choice in taken:
            choice = f"{name}:{count}"
            count += 1
        taken.add(choice)
        unique.append(choice)
    return unique
