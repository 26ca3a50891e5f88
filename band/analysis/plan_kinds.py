"""The kinds of plan that a chain of slices is checked in, as parts of a model in running order.

Beyond the device at hand: whatever a device and a policy may make of a model lies between two
contiguous halves and one slice per atom, and skips over parts as fallback plans do.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from band.analysis.cuts import contiguous
from band.analysis.opgraph import OpGraph, bits_of, mask_of, unit_sets
from band.model.atoms import atoms
from band.model.graph import Graph

Part = tuple[int, ...]
"""Op indices of one slice, ascending."""

GAPS: Final[tuple[frozenset[str], ...]] = (
    # Takes convolutions and what follows them, no arithmetic and no data movement.
    frozenset(
        {
            "ADD", "PAD", "PADV2", "MIRROR_PAD", "MAX_POOL_2D", "AVERAGE_POOL_2D", "RESHAPE",
            "CONCATENATION", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "SOFTMAX", "PRELU",
            "LOGISTIC", "QUANTIZE", "DEQUANTIZE", "MEAN", "MUL", "SUB", "STRIDED_SLICE",
            "TRANSPOSE",
        }
    ),
    # Takes arithmetic, no function that is not linear, no resizing, no dense layer.
    frozenset(
        {
            "PAD", "MAX_POOL_2D", "PRELU", "RELU", "HARD_SWISH", "LOGISTIC", "TANH", "SOFTMAX",
            "RESIZE_BILINEAR", "QUANTIZE", "FULLY_CONNECTED", "TRANSPOSE_CONV", "READ_VARIABLE",
        }
    ),
    # Takes dense convolutions and pooling, no depthwise one and no arithmetic.
    frozenset(
        {
            "DEPTHWISE_CONV_2D", "ADD", "MUL", "SUB", "MEAN", "CONCATENATION", "DEPTH_TO_SPACE",
            "SQUARED_DIFFERENCE", "UNIDIRECTIONAL_SEQUENCE_LSTM",
        }
    ),
)  # fmt: skip
"""Op types that the first, second and third accelerator of the fallback kinds lack.

The tables are made up, fixed, and differ on purpose: accelerators with different gaps interleave
their parts, which is what Band refuses. The CPU beside them takes everything.
"""


def plan_kinds(graph: Graph) -> dict[str, tuple[Part, ...]]:
    """Return the parts of each plan kind by its name.

    ``K=2``, ``K=3`` and ``K=4`` are contiguous and balanced by work, ``fallback-2`` and
    ``fallback-3`` are the units of a CPU beside two and three accelerators, ``atoms`` has one
    slice per atom. A small model may have fewer parts.
    """
    return {
        **{f"K={count}": contiguous(graph, count) for count in (2, 3, 4)},
        **{f"fallback-{count}": fallback(graph, GAPS[:count]) for count in (2, 3)},
        "atoms": atoms(graph),
    }


def fallback(graph: Graph, gaps: Sequence[Collection[str]]) -> tuple[Part, ...]:
    """Return the units of a device with a CPU and some accelerators, each one a part.

    Parts are not contiguous in file order; tensors skip over parts.

    Args:
        graph: the model.
        gaps: per accelerator, the op types that it lacks.
    """
    return _units(
        graph,
        [
            mask_of(
                i for i, gap in enumerate(gaps) if not any(graph.ops[op].type in gap for op in a)
            )
            for a in atoms(graph)
        ],
    )


def apart(graph: Graph, ops: Collection[int]) -> tuple[Part, ...]:
    """Return alternating maximal parts with none but and with none of the given ops.

    An atom with one of the ops counts as a whole.
    """
    return _units(graph, [int(any(op in ops for op in atom)) for atom in atoms(graph)])


def split(graph: Graph, parts: Iterable[Part], ops: Collection[int]) -> tuple[Part, ...]:
    """Return parts cut further so that given ops are in parts of their own, in running order."""
    home = {op: number for number, part in enumerate(apart(graph, ops)) for op in part}
    found = []
    for part in parts:
        pieces = sorted({home[op] for op in part if op in home})
        found += [tuple(op for op in part if home.get(op) == piece) for piece in pieces]
    return tuple(found)


def _units(graph: Graph, support: Sequence[int]) -> tuple[Part, ...]:
    """Return the units of atoms with these support masks."""
    pieces = atoms(graph)
    sets = unit_sets(OpGraph.from_items(graph, pieces), support)
    return tuple(
        tuple(sorted(op for piece in bits_of(unit) for op in pieces[piece])) for unit, _ in sets
    )
