"""What the analyzer says of one model on one device."""

from dataclasses import dataclass
from enum import StrEnum


class Mode(StrEnum):
    """``cost`` is ours; ``band`` reproduces the original, quirks and refusals included."""

    COST = "cost"
    BAND = "band"


class Preparation(StrEnum):
    """Band's four ways to prepare subgraphs."""

    NO_FALLBACK_SUBGRAPH = "no_fallback_subgraph"
    FALLBACK_PER_WORKER = "fallback_per_worker"
    UNIT_SUBGRAPH = "unit_subgraph"
    MERGE_UNIT_SUBGRAPH = "merge_unit_subgraph"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsupported:
    """One op that one processor does not take, and why."""

    op: int
    type: str
    processor: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit subgraph: ops that the same processors take and that run as one block.

    Attributes:
        index: position in the canonical (topological) order of units.
        ops: op indices, ascending; weight ops are not listed in cost mode.
        processors: indices of the processors that can run it, ascending.
        dependencies: bit mask of the units that must be finished first.
    """

    index: int
    ops: tuple[int, ...]
    processors: tuple[int, ...]
    dependencies: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Subgraph:
    """One or more units merged for one processor."""

    processor: int
    units: tuple[int, ...]
    ops: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """Units and candidate subgraphs of a model.

    Attributes:
        definitions: (unit, processor) pairs, Band's "unit definitions".
        boundary_tensors: per boundary b in 0..U, the tensors made before unit b and read by unit b
            or later; model inputs and outputs are not counted. Empty for b = 0 and b = U.
        boundary_bytes: the sum of their sizes.
    """

    model: str
    mode: Mode
    preparation: Preparation
    minimum_subgraph_size: int
    units: tuple[Unit, ...]
    subgraphs: tuple[Subgraph, ...]
    definitions: int
    unsupported: tuple[Unsupported, ...]
    boundary_tensors: tuple[tuple[int, ...], ...]
    boundary_bytes: tuple[int, ...]
