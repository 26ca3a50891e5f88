"""Asks an interpreter which shapes it knows before the model runs."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from band.runtime.backends.ports import is_number

Shape = tuple[int, ...]


class Opener(Protocol):
    """The package that is asked."""

    @property
    def interpreter(self) -> Callable[..., Any]:
        """Return the interpreter class."""
        ...

    @property
    def plain_resolver(self) -> Any:
        """Return what asks that class for no delegate at all."""
        ...


def known_shapes(
    runtime: Opener, source: bytes | Path, inputs: Mapping[int, Shape]
) -> dict[int, Shape]:
    """Return the shapes that are known once a whole model is allocated.

    A tensor whose shape a run computes has no memory yet. That can be seen only without a
    delegate, which hides what lies inside it; a model with a custom op that only a delegate knows
    is asked with it, and what it says is believed.

    Args:
        runtime: who is asked.
        source: the bytes of a model, or its path.
        inputs: tensor id -> shape that an input is to have.

    Raises:
        RuntimeError, ValueError: the runtime refuses the model.
    """
    plain = True
    try:
        interpreter = _allocated(runtime, source, inputs, plain=True)
    except (RuntimeError, ValueError):
        plain = False
        interpreter = _allocated(runtime, source, inputs, plain=False)
    return {
        detail["index"]: tuple(int(size) for size in detail["shape"])
        for detail in interpreter.get_tensor_details()
        if not plain or _has_memory(interpreter, detail)
    }


def _allocated(
    runtime: Opener, source: bytes | Path, inputs: Mapping[int, Shape], *, plain: bool
) -> Any:
    kind, file = ("content", source) if isinstance(source, bytes) else ("path", str(source))
    options: dict[str, Any] = {f"model_{kind}": file, "num_threads": 1}
    if plain:
        options["experimental_op_resolver_type"] = runtime.plain_resolver
    interpreter = runtime.interpreter(**options)
    for detail in interpreter.get_input_details():
        wanted = inputs.get(detail["index"])
        if wanted is not None and wanted != tuple(int(size) for size in detail["shape"]):
            interpreter.resize_tensor_input(detail["index"], wanted)
    interpreter.allocate_tensors()
    return interpreter


def _has_memory(interpreter: Any, detail: Mapping[str, Any]) -> bool:
    if not is_number(detail):
        return False
    try:
        interpreter.tensor(detail["index"])()
    except ValueError:
        return False
    return True
