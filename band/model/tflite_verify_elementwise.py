"""Rules for ops that compute value by value: their shapes must go together.

XNNPACK computes with the shapes that the file claims (it unpacks fp16 constants before any kernel
has looked at them), so a result that claims more values than its source reads past the source.
"""

from typing import Final

from band.model.tflite_verify_rules import Rule, Shape, Site, differ, sizes_of

SAME_SHAPE: Final = frozenset({
    "RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "LOGISTIC", "TANH", "HARD_SWISH", "ELU",
    "LEAKY_RELU", "GELU", "ABS", "NEG", "EXP", "LOG", "SQRT", "RSQRT", "SIN", "COS", "SQUARE",
    "FLOOR", "CEIL", "ROUND", "SIGN", "LOGICAL_NOT", "ZEROS_LIKE", "LOG_SOFTMAX",
    "L2_NORMALIZATION", "LOCAL_RESPONSE_NORMALIZATION", "FAKE_QUANT", "CUMSUM", "REVERSE_V2",
    "REVERSE_SEQUENCE", "DENSIFY", "PRELU", "DYNAMIC_UPDATE_SLICE", "MATRIX_SET_DIAG",
    "SOFTMAX", "CAST", "QUANTIZE", "DEQUANTIZE", "BUCKETIZE",
})  # fmt: skip
BROADCAST: Final = frozenset({
    "ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "POW", "FLOOR_DIV",
    "FLOOR_MOD", "ATAN2", "BITWISE_XOR", "RIGHT_SHIFT", "LESS", "LESS_EQUAL", "GREATER",
    "GREATER_EQUAL", "EQUAL", "NOT_EQUAL", "LOGICAL_AND", "LOGICAL_OR", "PRELU",
})  # fmt: skip
# Rank that kernels broadcast; above it they abort.
_BROADCAST_RANK: Final = 6
_BROADCAST_RANKS: Final = {"PRELU": 4, "POW": 4, "DIV": 5}


def same_shape(site: Site) -> str | None:
    """Check that the result has the shape of the first input."""
    source, result = site.input(0), site.output()
    if source is None:
        return "lacks its input"
    before, after = sizes_of(source), sizes_of(result)
    if before is not None and after is not None and differ(after, before):
        return f"makes a tensor of shape {list(after)} of one of shape {list(before)}"
    return None


def broadcast(site: Site) -> str | None:
    """Check that two operands broadcast, to the shape that the result claims."""
    first, second = site.input(0), site.input(1)
    if first is None or second is None:
        return "lacks an input"
    left, right = sizes_of(first), sizes_of(second)
    return None if left is None or right is None else _broadcast(site, left, right)


def _broadcast(site: Site, left: Shape, right: Shape) -> str | None:
    combined = broadcast_shape(left, right)
    if combined is None:
        return f"combines the shapes {list(left)} and {list(right)}"
    limit = _BROADCAST_RANKS.get(site.op.kind, _BROADCAST_RANK)
    if left != right and len(combined) > limit:
        return f"broadcasts {len(combined)} dimensions, and {limit} are possible"
    claimed = sizes_of(site.output())
    if claimed is not None and differ(claimed, combined):
        return f"claims the shape {list(claimed)} for its result of shape {list(combined)}"
    return None


def broadcast_shape(left: Shape, right: Shape) -> Shape | None:
    """Return the shape of an element-wise op on two shapes (-1: open), None if there is none."""
    rank = max(len(left), len(right))
    a, b = (1,) * (rank - len(left)) + left, (1,) * (rank - len(right)) + right
    sizes = []
    for x, y in zip(a, b, strict=True):
        if y in (x, 1):
            sizes.append(x)
        elif x == 1:
            sizes.append(y)
        elif -1 in (x, y):
            sizes.append(-1)
        else:
            return None
    return tuple(sizes)


def _rules() -> dict[str, tuple[Rule, ...]]:
    found: dict[str, tuple[Rule, ...]] = {}
    for kind in SAME_SHAPE | BROADCAST:
        rules: list[Rule] = []
        if kind in SAME_SHAPE:
            rules.append(same_shape)
        if kind in BROADCAST:
            rules.append(broadcast)
        found[kind] = tuple(rules)
    return found


RULES: Final = _rules()
