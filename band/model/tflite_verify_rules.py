"""What a rule of the verifier sees: one op of a sound graph, with its tensors at hand."""

from collections.abc import Callable
from typing import Any, NamedTuple

from band.model.tflite_verify_facts import FileFacts, OpFacts, SubgraphFacts, TensorFacts

Shape = tuple[int, ...]


class Site(NamedTuple):
    """One op and where it is."""

    facts: FileFacts
    subgraph: SubgraphFacts
    op: OpFacts

    def input(self, position: int) -> TensorFacts | None:
        """Return an input, None if it is absent."""
        if position >= len(self.op.inputs) or self.op.inputs[position] < 0:
            return None
        return self.subgraph.tensors[self.op.inputs[position]]

    def output(self, position: int = 0) -> TensorFacts:
        """Return an output."""
        return self.subgraph.tensors[self.op.outputs[position]]

    def integers(self, position: int) -> tuple[int, ...] | None:
        """Return the values of an input that is an integer constant, None of any other."""
        tensor = self.input(position)
        return None if tensor is None else self.facts.integers(tensor)

    def option(self, name: str, default: Any = None) -> Any:
        """Return an option, the default if the op has no options."""
        return getattr(self.op.options, name, default)


# What is wrong with an op, None if nothing is.
Rule = Callable[[Site], str | None]


def shape_of(tensor: TensorFacts | None) -> Shape | None:
    """Return the shape that a tensor is sure to have, None if the file leaves it open."""
    sizes = sizes_of(tensor)
    return None if sizes is None or -1 in sizes else sizes


def sizes_of(tensor: TensorFacts | None) -> Shape | None:
    """Return the dimensions of a tensor, -1 for open ones; None if the file says nothing."""
    if tensor is None:
        return None
    # Without dimensions a constant is a scalar; any other tensor may have any shape.
    return tensor.sizes if tensor.sizes or tensor.constant else None


def differ(claimed: Shape | None, made: Shape) -> bool:
    """Return whether a claimed shape contradicts the one that an op makes; -1 is any size."""
    if claimed is None:
        return False
    if len(claimed) != len(made):
        return True
    return any(a not in (b, -1) and b != -1 for a, b in zip(claimed, made, strict=True))
