"""Picks ops of a model as people name them: by type, by number, by the tensor they write."""

import re
from dataclasses import dataclass
from typing import Final

from band.model.graph import Graph


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Some ops of a model: those that any of the lists names, or all if every list is empty.

    Attributes:
        types: op types.
        ranges: first and last op number.
        tensors: names of output tensors, as Netron shows them; a name that is a valid regular
            expression also stands for every tensor whose whole name it matches.
    """

    types: tuple[str, ...] = ()
    ranges: tuple[tuple[int, int], ...] = ()
    tensors: tuple[str, ...] = ()

    def ops(self, graph: Graph) -> frozenset[int]:
        """Return the ops of a graph that are selected, weight ops included."""
        if not (self.types or self.ranges or self.tensors):
            return frozenset(op.index for op in graph.ops)
        patterns = [p for text in self.tensors if (p := _pattern(text)) is not None]
        found = set()
        for op in graph.ops:
            names = [graph.tensors[t].name for t in op.outputs]
            if (
                op.type in self.types
                or any(first <= op.index <= last for first, last in self.ranges)
                or any(name in self.tensors for name in names)
                or any(pattern.fullmatch(name) for pattern in patterns for name in names)
            ):
                found.add(op.index)
        return frozenset(found)

    def items(self) -> tuple["Selection", ...]:
        """Return a selection for each single thing that is named, in the order of the lists."""
        return (
            *(Selection(types=(kind,)) for kind in self.types),
            *(Selection(ranges=(span,)) for span in self.ranges),
            *(Selection(tensors=(name,)) for name in self.tensors),
        ) or (self,)

    def __str__(self) -> str:
        """Return what is selected in the words of the file."""
        ranges = (str(a) if a == b else f"{a}-{b}" for a, b in self.ranges)
        return ", ".join((*self.types, *ranges, *self.tensors)) or "all ops"


ALL_OPS: Final = Selection()


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """Ops that a person keeps off one processor.

    Attributes:
        reason: shown with each op.
    """

    selection: Selection
    reason: str


def _pattern(text: str) -> re.Pattern[str] | None:
    """Return a name as a regular expression; tensor names often are none, which is no mistake."""
    try:
        return re.compile(text)
    except re.error:
        return None
