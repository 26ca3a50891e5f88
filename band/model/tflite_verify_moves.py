"""Rules for ops that move values about, steered by constants: axes, shapes, pads, begins, sizes.

A constant comes from the file, and kernels trust it: as an axis it indexes the shape, as a shape it
sizes memory. One that is computed at run time is not known here and is left to the kernel.
"""

from math import prod
from typing import Final

from band.model.tflite_verify_elementwise import broadcast_shape
from band.model.tflite_verify_rules import Rule, Shape, Site, shape_of

# Position of the input that is a list of integers (axes, a shape, ...), and how it must look.
_LISTS: Final[dict[str, tuple[int, ...]]] = {
    "RESHAPE": (1,), "TRANSPOSE": (1,), "PAD": (1,), "PADV2": (1,), "MIRROR_PAD": (1,),
    "MEAN": (1,), "SUM": (1,), "REDUCE_PROD": (1,), "REDUCE_MAX": (1,), "REDUCE_MIN": (1,),
    "REDUCE_ANY": (1,), "REDUCE_ALL": (1,), "SLICE": (1, 2), "STRIDED_SLICE": (1, 2, 3),
    "TILE": (1,), "EXPAND_DIMS": (1,), "SPLIT": (0,), "SPLIT_V": (1, 2), "RESIZE_BILINEAR": (1,),
    "RESIZE_NEAREST_NEIGHBOR": (1,), "SPACE_TO_BATCH_ND": (1, 2), "BATCH_TO_SPACE_ND": (1, 2),
    "FILL": (0,), "BROADCAST_TO": (1,), "REVERSE_V2": (1,), "ARG_MAX": (1,), "ARG_MIN": (1,),
    "CUMSUM": (1,), "TOPK_V2": (1,), "RANDOM_UNIFORM": (0,), "RANDOM_STANDARD_NORMAL": (0,),
    "TRANSPOSE_CONV": (0,), "GATHER": (1,), "GATHER_ND": (1,), "SCATTER_ND": (0, 2),
    "EMBEDDING_LOOKUP": (0,), "REVERSE_SEQUENCE": (1,), "ONE_HOT": (1,), "RFFT2D": (1,),
    "SEGMENT_SUM": (1,), "DYNAMIC_UPDATE_SLICE": (2,), "SPARSE_TO_DENSE": (0, 1),
}  # fmt: skip
_INTEGERS: Final = frozenset({"int32", "int64", "int16", "uint32", "int8", "uint8"})
# Lists of one entry per dimension; two for pads.
_PER_DIMENSION: Final = {
    "TRANSPOSE": 1, "PAD": 2, "PADV2": 2, "MIRROR_PAD": 2, "SLICE": 1, "TILE": 1,
}  # fmt: skip
_LIST_LENGTH: Final = 16
_STRIDED_SLICE_RANK: Final = 5
_PAD_RANK: Final = 5


def integer_lists(site: Site) -> str | None:
    """Check the type of every input that is a list of integers."""
    for position in _LISTS[site.op.kind]:
        tensor = site.input(position)
        if tensor is not None and tensor.dtype not in _INTEGERS:
            return f"takes integers from its input {position} of type {tensor.dtype}"
    return None


def reshape(site: Site) -> str | None:
    """Check RESHAPE: as many values after it as before."""
    source = shape_of(site.input(0))
    steering = site.input(1)
    target: Shape | None = site.integers(1)
    if steering is not None:
        dims = shape_of(steering)
        # XNNPACK looks the shape up as a constant of one dimension and dies without one.
        if steering.constant and (dims is None or len(dims) != 1 or dims[0] > 8):
            return f"takes its new shape from a constant of shape {list(steering.shape)}"
    else:
        span = site.option("new_shape")
        target = site.facts.numbers(span, "i") if span is not None and span.length <= 8 else None
        if span is not None and span.length > 8:
            return f"has a new shape of {span.length} dimensions"
    claimed = shape_of(site.output())
    if source is not None and claimed is not None and prod(source) != prod(claimed):
        return f"makes a tensor of shape {list(claimed)} of one of shape {list(source)}"
    if target is None or source is None:
        return None
    known = prod(d for d in target if d >= 0)
    free = [d for d in target if d < 0]
    if len(free) > 1 or min(target, default=0) < -1:
        return f"has the new shape {list(target)}"
    fits = known == prod(source) if not free else known > 0 and prod(source) % known == 0
    return None if fits else f"has the new shape {list(target)} for the shape {list(source)}"


def per_dimension(site: Site) -> str | None:
    """Check a constant with one entry (for pads: two) per dimension of the input."""
    source, values = shape_of(site.input(0)), site.integers(1)
    each = _PER_DIMENSION[site.op.kind]
    if source is None or values is None:
        return None
    if len(values) != each * len(source):
        return f"has {len(values)} numbers for {len(source)} dimensions"
    return None


def transpose(site: Site) -> str | None:
    """Check TRANSPOSE: every dimension once."""
    source, order = shape_of(site.input(0)), site.integers(1)
    if order is None or source is None:
        return None
    rank = len(source)
    if sorted(a + rank if a < 0 else a for a in order) != list(range(rank)):
        return f"orders {rank} dimensions by {list(order)}"
    return None


def pad(site: Site) -> str | None:
    """Check pads: none negative, and a mirrored one no longer than what it mirrors."""
    source, amounts = shape_of(site.input(0)), site.integers(1)
    if amounts is None or source is None:
        return None
    if min(amounts, default=0) < 0 or max(amounts, default=0) > 1 << 20:
        return f"pads by {list(amounts[:_LIST_LENGTH])}"
    if len(source) > _PAD_RANK:
        return f"pads {len(source)} dimensions, and {_PAD_RANK} are possible"
    if site.op.kind == "MIRROR_PAD":
        edge = site.option("mode", 0)  # 0 repeats no edge
        for dim, before, after in zip(source, amounts[::2], amounts[1::2], strict=True):
            if max(before, after) > dim - (1 - edge):
                return f"mirrors {max(before, after)} values of {dim}"
    made = tuple(
        dim + before + after
        for dim, before, after in zip(source, amounts[::2], amounts[1::2], strict=True)
    )
    return _claim(site, made)


def axes(site: Site) -> str | None:
    """Check constant axes: each names a dimension of the input."""
    position = 0 if site.op.kind == "SPLIT" else 2 if site.op.kind == "SPLIT_V" else 1
    source, values = shape_of(site.input(1 if position == 0 else 0)), site.integers(position)
    if source is None or values is None:
        return None
    rank = len(source) + (1 if site.op.kind == "EXPAND_DIMS" else 0)
    if len(values) > max(1, rank) or any(not -rank <= a < rank for a in values):
        if not source:
            return None  # a scalar: nothing is reduced
        return f"has the axes {list(values[:_LIST_LENGTH])} for {rank} dimensions"
    return None


def option_axis(site: Site) -> str | None:
    """Check an axis that is an option: it names a dimension of every input."""
    if site.op.kind == "ONE_HOT":
        return None
    axis: int = site.option("axis", 0)
    more = 1 if site.op.kind == "PACK" else 0
    for position in range(len(site.op.inputs) if site.op.kind in {"CONCATENATION", "PACK"} else 1):
        shape = shape_of(site.input(position))
        if shape is not None and not -len(shape) - more <= axis < len(shape) + more:
            return f"has the axis {axis} for {len(shape)} dimensions"
    return None


def concatenation(site: Site) -> str | None:
    """Check CONCATENATION: inputs of one type whose other dimensions are equal."""
    tensors = [site.input(i) for i in range(len(site.op.inputs))]
    shapes = [shape_of(t) for t in tensors]
    known = [s for s in shapes if s is not None]
    if len(known) < len(shapes) or not known[0]:
        return None
    axis = site.option("axis", 0)
    axis += len(known[0]) if axis < 0 else 0
    rest = {(*s[:axis], -1, *s[axis + 1 :]) for s in known}
    if len(rest) > 1:
        return f"joins the shapes {' and '.join(str(list(s)) for s in known[:4])}"
    made = (*known[0][:axis], sum(s[axis] for s in known), *known[0][axis + 1 :])
    return _claim(site, made)


def pack(site: Site) -> str | None:
    """Check PACK: as many inputs as it says, all of one shape and type."""
    tensors = [site.input(i) for i in range(len(site.op.inputs))]
    if site.option("values_count", len(tensors)) != len(tensors):
        return f"packs {site.option('values_count')} tensors and has {len(tensors)}"
    if len({shape_of(t) for t in tensors} - {None}) > 1:
        return "packs tensors of several shapes"
    return None


def split(site: Site) -> str | None:
    """Check SPLIT and SPLIT_V: as many outputs as they say."""
    count = site.option("num_splits", len(site.op.outputs))
    if count != len(site.op.outputs):
        return f"splits into {count} and has {len(site.op.outputs)} outputs"
    return None


def unpack(site: Site) -> str | None:
    """Check UNPACK: one output for each entry of the axis."""
    source, axis = shape_of(site.input(0)), site.option("axis", 0)
    count = site.option("num", len(site.op.outputs))
    if count != len(site.op.outputs) or (source and source[axis] != count):
        return f"unpacks {count} tensors and has {len(site.op.outputs)} outputs"
    return None


def bounds(site: Site) -> str | None:
    """Check SLICE: begin and size lie inside the input."""
    source, begin, size = shape_of(site.input(0)), site.integers(1), site.integers(2)
    if source is None or begin is None or size is None:
        return None
    if len(begin) != len(source) or len(size) != len(source):
        return f"slices {len(source)} dimensions by {len(begin)} begins and {len(size)} sizes"
    for dim, first, count in zip(source, begin, size, strict=True):
        if first < 0 or count < -1 or first + max(count, 0) > dim:
            return f"takes {count} values from {first} on of {dim}"
    return None


def strided_slice(site: Site) -> str | None:
    """Check STRIDED_SLICE: lists of one length, no stride of 0."""
    source = shape_of(site.input(0))
    lists = [site.integers(i) for i in (1, 2, 3)]
    known = [values for values in lists if values is not None]
    if len({len(values) for values in known}) > 1:
        return "has begins, ends and strides of several lengths"
    if lists[2] is not None and 0 in lists[2]:
        return "has a stride of 0"
    if source is not None and (
        len(source) > _STRIDED_SLICE_RANK or any(len(v) > _STRIDED_SLICE_RANK for v in known)
    ):
        return f"slices {len(source)} dimensions, and {_STRIDED_SLICE_RANK} are possible"
    return None


def resize(site: Site) -> str | None:
    """Check a resize: an image, and two positive sizes."""
    source, size = shape_of(site.input(0)), site.integers(1)
    if source is not None and (len(source) != 4 or 0 in source):
        return f"resizes a tensor of shape {list(source)}"
    if size is None:
        return None
    if len(size) != 2 or min(size) < 1 or max(size) > 1 << 20:
        return f"resizes to {list(size[:_LIST_LENGTH])}"
    return None if source is None else _claim(site, (source[0], *size, source[3]))


def broadcast_sizes(site: Site) -> str | None:
    """Check BROADCAST_ARGS: two shapes that go together; the kernel aborts on others."""
    left, right = site.integers(0), site.integers(1)
    if left is None or right is None:
        return None
    if min((*left, *right), default=1) < 0 or broadcast_shape(left, right) is None:
        return f"combines the shapes {list(left[:_LIST_LENGTH])} and {list(right[:_LIST_LENGTH])}"
    return None


def _claim(site: Site, made: Shape) -> str | None:
    claimed = shape_of(site.output())
    if claimed is None or claimed == made:
        return None
    return f"claims the shape {list(claimed)} for its result of shape {list(made)}"


_AXES: Final = (
    "MEAN", "SUM", "REDUCE_PROD", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_ANY", "REDUCE_ALL",
    "EXPAND_DIMS", "SPLIT", "SPLIT_V", "REVERSE_V2", "ARG_MAX", "ARG_MIN", "CUMSUM",
)  # fmt: skip
_MORE: Final[dict[str, tuple[Rule, ...]]] = {
    "RESHAPE": (reshape,), "TRANSPOSE": (transpose,), "PAD": (pad,), "PADV2": (pad,),
    "MIRROR_PAD": (pad,), "CONCATENATION": (option_axis, concatenation),
    "PACK": (option_axis, pack), "GATHER": (option_axis,), "UNPACK": (option_axis, unpack),
    "SPLIT": (split,), "SPLIT_V": (split,), "SLICE": (bounds,), "STRIDED_SLICE": (strided_slice,),
    "BROADCAST_ARGS": (broadcast_sizes,),
    "RESIZE_BILINEAR": (resize,), "RESIZE_NEAREST_NEIGHBOR": (resize,),
}  # fmt: skip


def _rules(kind: str) -> tuple[Rule, ...]:
    found: list[Rule] = []
    if kind in _LISTS:
        found.append(integer_lists)
    if kind in _PER_DIMENSION:
        found.append(per_dimension)
    if kind in _AXES:
        found.append(axes)
    return (*found, *_MORE.get(kind, ()))


RULES: Final = {kind: _rules(kind) for kind in {*_LISTS, *_PER_DIMENSION, *_AXES, *_MORE}}
