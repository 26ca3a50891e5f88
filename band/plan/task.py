"""Tasks: one run of one slice on one processor, for one job or for several merged ones."""

from functools import lru_cache
from typing import NamedTuple


class SliceKey(NamedTuple):
    """Which part of a model a slice holds.

    Attributes:
        model: registered name of the model.
        units: bit mask of its units.
    """

    model: str
    units: int


@lru_cache(maxsize=1 << 16)
def slice_of(model: str, first: int, last: int) -> SliceKey:
    """Return the key of the slice of the units first..last, both included.

    Asked for at every dispatch, hence the cache; keys are immutable and compare by value.
    """
    return SliceKey(model, units_mask(first, last))


class Task(NamedTuple):
    """One run of one slice.

    A plan is a DAG of tasks; ``predecessors`` are its edges. A chain is the common case.

    Attributes:
        id: unique in the core that made it.
        processor: index in the device.
        jobs: one, or N when the slice belongs to a merged model.
        predecessors: ids of the tasks whose outputs it reads.
        inputs: boundary tensors read, by original tensor id.
        outputs: boundary tensors written, by original tensor id.
        transfer_us: predicted time to bring the inputs from other processors.
        predicted_us: predicted time on the processor: transfer and execution together.
        peak_bytes: activations alive at the worst moment of the run.
    """

    id: int
    slice: SliceKey
    processor: int
    jobs: tuple[int, ...]
    predecessors: tuple[int, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    transfer_us: int
    predicted_us: int
    peak_bytes: int


def units_mask(first: int, last: int) -> int:
    """Return the mask of the units first..last, both included."""
    return (1 << (last + 1)) - (1 << first)
