"""Output shapes of the layers that the builder writes."""

from collections.abc import Sequence
from math import prod

from band.errors import BandError, ErrorCode

Shape = tuple[int, ...]


def window(size: int, kernel: int, stride: int, padding: str) -> int:
    """Return the output size of a sliding window along one dimension."""
    covered = size if padding == "SAME" else size - kernel + 1
    return max(0, -(-covered // stride))


def broadcast(a: Shape, b: Shape, model: str) -> Shape:
    """Return the shape of an element-wise op on two shapes.

    Raises:
        BandError: INVALID_MODEL if they do not go together.
    """
    rank = max(len(a), len(b))
    left, right = (1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b
    if any(x != y and 1 not in (x, y) for x, y in zip(left, right, strict=True)):
        raise _invalid(model, f"combines the shapes {a} and {b}, which do not broadcast")
    return tuple(max(x, y) for x, y in zip(left, right, strict=True))


def concatenated(shapes: Sequence[Shape], axis: int, model: str) -> tuple[Shape, int]:
    """Return the shape of a concatenation and its axis, counted from the front.

    Raises:
        BandError: INVALID_MODEL if other dimensions differ.
    """
    rank = len(shapes[0])
    axis = axis + rank if axis < 0 else axis
    rest = {(*s[:axis], *s[axis + 1 :]) for s in shapes}
    if len(rest) > 1 or any(len(s) != rank for s in shapes):
        raise _invalid(model, f"concatenates the shapes {list(shapes)} along dimension {axis}")
    total = sum(s[axis] for s in shapes)
    return (*shapes[0][:axis], total, *shapes[0][axis + 1 :]), axis


def reshaped(shape: Shape, target: Shape, model: str) -> Shape:
    """Return the target shape with its -1 filled in.

    Raises:
        BandError: INVALID_MODEL if the number of values differs.
    """
    known = prod(d for d in target if d >= 0)
    if target.count(-1) == 1 and known and prod(shape) % known == 0:
        target = tuple(prod(shape) // known if d < 0 else d for d in target)
    if prod(target) != prod(shape) or min(target, default=0) < 0:
        raise _invalid(model, f"reshapes {shape} to {target}, which holds another number of values")
    return target


def padded(shape: Shape, amounts: Sequence[tuple[int, int]], model: str) -> Shape:
    """Return the shape with (before, after) added to each dimension.

    Raises:
        BandError: INVALID_MODEL if there is not one pair per dimension.
    """
    if len(amounts) != len(shape):
        raise _invalid(model, f"pads {len(amounts)} dimensions of a tensor of shape {shape}")
    return tuple(d + before + after for d, (before, after) in zip(shape, amounts, strict=True))


def _invalid(model: str, problem: str) -> BandError:
    return BandError(ErrorCode.INVALID_MODEL, f"model {model!r} {problem}", model=model)
