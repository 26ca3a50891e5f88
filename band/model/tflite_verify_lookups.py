"""Rules for ops that address values by constants: a constant outside is a write outside.

Some kernels check such indices, some only in debug builds; that differs between runtimes too. All
are checked here. Indices that are computed at run time are left to the kernel.
"""

from typing import Final

from band.model.tflite_verify_rules import Rule, Shape, Site, shape_of

_MOST_CLASSES: Final = 1 << 24


def _outside(values: tuple[int, ...], size: int) -> bool:
    return bool(values) and not (min(values) >= 0 and max(values) < size)


def sparse_to_dense(site: Site) -> str | None:
    """Check SPARSE_TO_DENSE: indices inside the constant shape."""
    return _scattered(site, site.integers(0), shape_of(site.input(0)), site.integers(1))


def scatter(site: Site) -> str | None:
    """Check SCATTER_ND: indices inside the constant shape."""
    return _scattered(site, site.integers(0), shape_of(site.input(0)), site.integers(2))


def _scattered(
    site: Site, indices: tuple[int, ...] | None, form: Shape | None, made: tuple[int, ...] | None
) -> str | None:
    if made is not None and (len(made) > 8 or min(made, default=1) < 1):
        return f"makes a tensor of shape {list(made[:8])}"
    if indices is None or form is None or made is None:
        return None
    # One number, or a row of numbers, for each value: the first dimensions of the result.
    depth = form[-1] if len(form) > 1 else 1
    if depth > len(made) or (site.op.kind == "SPARSE_TO_DENSE" and depth != len(made)):
        return f"has indices of {depth} numbers for the shape {list(made)}"
    if any(_outside(indices[d::depth], made[d]) for d in range(depth)):
        return f"has an index outside the shape {list(made)}"
    return None


def rows(site: Site) -> str | None:
    """Check EMBEDDING_LOOKUP: each index is a row of the table."""
    indices, table = site.integers(0), shape_of(site.input(1))
    if indices is not None and table and _outside(indices, table[0]):
        return f"looks up a row that {table[0]} rows do not have"
    return None


def entries(site: Site) -> str | None:
    """Check GATHER: each index is an entry of the axis."""
    values, source = site.integers(1), shape_of(site.input(0))
    if values is None or not source:
        return None
    axis = site.option("axis", 0)
    if not -len(source) <= axis < len(source):
        return f"has the axis {axis} for {len(source)} dimensions"
    return f"takes an entry outside {source[axis]}" if _outside(values, source[axis]) else None


def points(site: Site) -> str | None:
    """Check GATHER_ND: each row of indices is a place in the source."""
    indices, form = site.integers(1), shape_of(site.input(1))
    source = shape_of(site.input(0))
    if indices is None or not form or source is None:
        return None
    depth = form[-1]
    if depth > len(source):
        return f"has indices of {depth} numbers for {len(source)} dimensions"
    if any(_outside(indices[d::depth], source[d]) for d in range(depth)):
        return f"has an index outside the shape {list(source)}"
    return None


def segments(site: Site) -> str | None:
    """Check segment sums: as many segment numbers as rows, in order or below their number."""
    ids, source = site.integers(1), shape_of(site.input(0))
    if ids is None:
        return None
    if source is not None and (not source or len(ids) != source[0]):
        return f"has {len(ids)} segment numbers for the shape {list(source)}"
    if site.op.kind == "SEGMENT_SUM":
        fits = min(ids, default=0) >= 0 and list(ids) == sorted(ids)
        return None if fits else "has segment numbers out of order"
    count = site.integers(2)
    if count is not None and len(count) == 1 and _outside(ids, count[0]):
        return f"has a segment number outside {count[0]}"
    return None


def largest(site: Site) -> str | None:
    """Check TOPK_V2: no more values than there are."""
    source, count = shape_of(site.input(0)), site.integers(1)
    if count is None or not source:
        return None
    if len(count) != 1 or not 0 < count[0] <= source[-1]:
        return f"takes the {list(count[:2])} largest of {source[-1]} values"
    return None


def lengths(site: Site) -> str | None:
    """Check REVERSE_SEQUENCE: lengths inside the dimension that is reversed."""
    source, values = shape_of(site.input(0)), site.integers(1)
    if source is None or values is None:
        return None
    axis, batch = site.option("seq_dim", 0), site.option("batch_dim", 0)
    if not (0 <= axis < len(source) and 0 <= batch < len(source)) or axis == batch:
        return f"reverses dimension {axis} for each of dimension {batch}"
    if len(values) != source[batch] or _outside(values, source[axis] + 1):
        return f"reverses the first {list(values[:4])} of {source[axis]} values"
    return None


def classes(site: Site) -> str | None:
    """Check ONE_HOT: a number of classes that memory can hold."""
    depth = site.integers(1)
    if depth is not None and (len(depth) != 1 or not 0 <= depth[0] <= _MOST_CLASSES):
        return f"has {list(depth[:2])} classes"
    return None


RULES: Final[dict[str, tuple[Rule, ...]]] = {
    "SPARSE_TO_DENSE": (sparse_to_dense,),
    "SCATTER_ND": (scatter,),
    "EMBEDDING_LOOKUP": (rows,),
    "GATHER": (entries,),
    "GATHER_ND": (points,),
    "SEGMENT_SUM": (segments,),
    "UNSORTED_SEGMENT_SUM": (segments,),
    "UNSORTED_SEGMENT_PROD": (segments,),
    "UNSORTED_SEGMENT_MAX": (segments,),
    "UNSORTED_SEGMENT_MIN": (segments,),
    "TOPK_V2": (largest,),
    "REVERSE_SEQUENCE": (lengths,),
    "ONE_HOT": (classes,),
}
