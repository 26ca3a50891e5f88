"""The inputs and outputs of an allocated interpreter, by original tensor id."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from band.errors import BandError, ErrorCode
from band.runtime.backends.protocol import Array


def is_number(detail: Mapping[str, Any]) -> bool:
    """Return whether a tensor may be viewed, from what an interpreter says of it.

    A view of a string or a handle reads its bytes as pointers to Python objects.
    """
    return np.dtype(detail["dtype"]).kind in "biufc"


class Port(NamedTuple):
    """One input or output: original tensor id, id in the slice, and access to its memory."""

    tensor: int
    position: int
    dtype: "np.dtype[Any]"
    view: Callable[[], Array]


def ports(interpreter: Any, tensors: tuple[int, ...], details: list[dict[str, Any]]) -> list[Port]:
    """Return the inputs or the outputs of an interpreter.

    Args:
        interpreter: with its tensors allocated.
        tensors: original tensor ids in the order of the file.
        details: what the interpreter says of the same tensors.

    Raises:
        BandError: BACKEND_FAILED if these are not as many; UNSUPPORTED_FEATURE if one is no number.
    """
    if len(tensors) != len(details):
        raise BandError(
            ErrorCode.BACKEND_FAILED,
            f"the slice has {len(details)} inputs or outputs where {len(tensors)} are expected",
        )
    for tensor, detail in zip(tensors, details, strict=True):
        if not is_number(detail):
            raise BandError(
                ErrorCode.UNSUPPORTED_FEATURE,
                f"the slice has strings in its input or output {detail['name']!r} (tensor "
                f"{tensor}), which cannot be handed on; convert the model with numbers there",
                tensor=tensor,
            )
    return [
        Port(tensor, d["index"], np.dtype(d["dtype"]), interpreter.tensor(d["index"]))
        for tensor, d in zip(tensors, details, strict=True)
    ]
