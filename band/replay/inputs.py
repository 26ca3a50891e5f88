"""Inputs of replayed requests: random, the same for a seed, prepared once per model."""

from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt


class Input(Protocol):
    """What is known of an input, from an engine or from a daemon's metadata."""

    @property
    def name(self) -> str:
        """Return its name."""
        ...

    @property
    def dtype(self) -> str:
        """Return numpy's name of its type."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Return its static shape."""
        ...


def random_inputs(model: str, inputs: Iterable[Input], seed: int) -> dict[str, npt.NDArray[Any]]:
    """Return one array per input of a model.

    Floats lie in [0, 1) as normalised pixels do, bytes cover their range; wider integers and
    booleans are zero, because they may be indices or states.

    Args:
        model: its name, part of the seed, so that models differ.
        inputs: of the model.
        seed: of the values.
    """
    rng = np.random.default_rng([seed, *model.encode()])
    made: dict[str, npt.NDArray[Any]] = {}
    for wanted in inputs:
        dtype = np.dtype(wanted.dtype)
        if dtype.kind == "f":
            made[wanted.name] = rng.random(wanted.shape).astype(dtype)
        elif dtype.kind in "iu" and dtype.itemsize == 1:
            info = np.iinfo(dtype)
            made[wanted.name] = rng.integers(info.min, info.max, wanted.shape, dtype, endpoint=True)
        else:
            made[wanted.name] = np.zeros(wanted.shape, dtype)
    return made
