"""Rules for the types of an op's tensors.

A kernel picks its loop by the type of one tensor and writes others with it. A result that claims a
narrower type, or is a handle or a string, is then memory of another size, or none.
"""

from typing import Final

from band.model.tflite_verify_rules import Rule, Site

_HANDLES: Final = frozenset({"resource", "variant"})
_INTEGERS: Final = frozenset({"int32", "int64"})
_REALS: Final = frozenset({"float32", "float16", "bfloat16", "float64"})
_CODES: Final = frozenset({"int8", "uint8", "int16", "int32", "int4"})

# Ops that may touch a handle; and those that have a loop for strings.
_WITH_HANDLES: Final = frozenset({
    "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "HASHTABLE", "HASHTABLE_FIND",
    "HASHTABLE_IMPORT", "HASHTABLE_SIZE", "IF", "WHILE", "CALL", "CUSTOM", "STABLEHLO_WHILE",
    "STABLEHLO_CASE", "STABLEHLO_COMPOSITE",
})  # fmt: skip
_WITH_STRINGS: Final = _WITH_HANDLES | {
    "EQUAL",
    "NOT_EQUAL",
    "RESHAPE",
    "GATHER",
    "GATHER_ND",
    "SLICE",
    "STRIDED_SLICE",
    "TILE",
    "SQUEEZE",
    "EXPAND_DIMS",
    "FILL",
    "LSH_PROJECTION",
    "HASHTABLE_LOOKUP",
    "SKIP_GRAM",
    "SHAPE",
    "RANK",
}
# Ops whose results have the type of this input.
_SAME: Final[dict[int, frozenset[str]]] = {
    0: frozenset({
        "RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "LOGISTIC", "TANH", "HARD_SWISH", "ELU",
        "LEAKY_RELU", "GELU", "ABS", "NEG", "EXP", "LOG", "SQRT", "RSQRT", "SIN", "COS", "SQUARE",
        "FLOOR", "CEIL", "ROUND", "SIGN", "LOGICAL_NOT", "ZEROS_LIKE", "LOG_SOFTMAX",
        "L2_NORMALIZATION", "LOCAL_RESPONSE_NORMALIZATION", "FAKE_QUANT", "CUMSUM", "REVERSE_V2",
        "REVERSE_SEQUENCE", "DENSIFY", "PRELU", "DYNAMIC_UPDATE_SLICE", "MATRIX_DIAG",
        "MATRIX_SET_DIAG", "ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE",
        "POW", "FLOOR_DIV", "FLOOR_MOD", "ATAN2", "BITWISE_XOR", "RIGHT_SHIFT", "LOGICAL_AND",
        "LOGICAL_OR", "ADD_N", "CONCATENATION", "PACK", "UNPACK", "RESHAPE", "TRANSPOSE", "PAD",
        "PADV2", "MIRROR_PAD", "SLICE", "STRIDED_SLICE", "SQUEEZE", "EXPAND_DIMS", "SPLIT_V",
        "GATHER", "GATHER_ND", "TILE", "BROADCAST_TO", "SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND",
        "SPACE_TO_DEPTH", "DEPTH_TO_SPACE", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "MEAN",
        "SUM", "REDUCE_PROD", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_ANY", "REDUCE_ALL",
        "AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "CONV_3D",
        "SVDF", "RNN", "UNIDIRECTIONAL_SEQUENCE_RNN", "UNIDIRECTIONAL_SEQUENCE_LSTM",
        "BIDIRECTIONAL_SEQUENCE_RNN", "BIDIRECTIONAL_SEQUENCE_LSTM", "SEGMENT_SUM", "RANGE",
        "UNSORTED_SEGMENT_SUM", "UNSORTED_SEGMENT_PROD", "UNSORTED_SEGMENT_MAX",
        "UNSORTED_SEGMENT_MIN", "DILATE", "REDUCE_WINDOW", "TOPK_V2", "UNIQUE",
    }),
    1: frozenset({"SPLIT", "SELECT", "SELECT_V2", "FILL", "SCATTER_ND", "EMBEDDING_LOOKUP"}),
    2: frozenset({"TRANSPOSE_CONV", "CONV_3D_TRANSPOSE", "ONE_HOT", "SPARSE_TO_DENSE"}),
}  # fmt: skip
_SOURCE: Final = {kind: position for position, kinds in _SAME.items() for kind in kinds}
# Of these ops the rule is about the first result alone; the others are indices.
_FIRST_ONLY: Final = frozenset({"TOPK_V2", "UNIQUE"})
# Ops whose first result has one of these types, whatever they take.
_RESULTS: Final[dict[str, frozenset[str]]] = {
    **dict.fromkeys(
        ("LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL", "EQUAL", "NOT_EQUAL"),
        frozenset({"bool"}),
    ),
    **dict.fromkeys(("ARG_MAX", "ARG_MIN", "SHAPE", "WHERE", "MULTINOMIAL"), _INTEGERS),
    "RANK": frozenset({"int32"}), "BUCKETIZE": frozenset({"int32"}),
    "NON_MAX_SUPPRESSION_V4": frozenset({"int32"}), "NON_MAX_SUPPRESSION_V5": frozenset({"int32"}),
    "RANDOM_UNIFORM": frozenset({"float32"}), "RANDOM_STANDARD_NORMAL": frozenset({"float32"}),
    "QUANTIZE": _CODES, "DEQUANTIZE": _REALS, "COMPLEX_ABS": _REALS, "REAL": _REALS,
    "IMAG": _REALS, "RFFT2D": frozenset({"complex64"}),
}  # fmt: skip
# Inputs that must be of one type.
_ALIKE: Final[dict[str, slice]] = {
    **dict.fromkeys(
        (
            "ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "POW",
            "FLOOR_DIV", "FLOOR_MOD", "ATAN2", "BITWISE_XOR", "RIGHT_SHIFT", "LOGICAL_AND",
            "LOGICAL_OR", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL", "EQUAL", "NOT_EQUAL",
            "PRELU", "ADD_N", "CONCATENATION", "PACK", "RANGE",
        ),
        slice(None),
    ),
    "SELECT": slice(1, None), "SELECT_V2": slice(1, None), "PADV2": slice(0, None, 2),
    "DYNAMIC_UPDATE_SLICE": slice(0, 2), "MATRIX_SET_DIAG": slice(None),
}  # fmt: skip
# Types that differ and yet are an op's: of its first input, of its result.
_CONVERSIONS: Final = {
    "SOFTMAX": frozenset({("int8", "int16"), ("uint8", "int16")}),
    "FULLY_CONNECTED": frozenset({("uint8", "int16")}),
    "BATCH_MATMUL": frozenset({("int8", "int32")}),
    "LSTM": frozenset(),
}  # fmt: skip
_CONDITIONS: Final = frozenset({"SELECT", "SELECT_V2", "IF"})


def value_kinds(site: Site) -> str | None:
    """Check that handles and strings reach only ops that know them."""
    op, tensors = site.op, site.subgraph.tensors
    types = {tensors[t].dtype for t in (*op.inputs, *op.outputs) if t >= 0}
    if types & _HANDLES and op.kind not in _WITH_HANDLES:
        return "takes or makes a handle"
    if "string" in types and op.kind not in _WITH_STRINGS:
        return "takes or makes strings"
    return None


def one_type(site: Site) -> str | None:
    """Check inputs that must be of one type."""
    ids = site.op.inputs[_ALIKE[site.op.kind]]
    types = sorted({site.subgraph.tensors[t].dtype for t in ids if t >= 0})
    return f"combines {' and '.join(types)}" if len(types) > 1 else None


def results(site: Site) -> str | None:
    """Check results that have the type of an input, or a type of their own."""
    kind = site.op.kind
    source = site.input(_SOURCE.get(kind, 0))
    if source is None:
        return "lacks an input"
    allowed = _RESULTS.get(kind)
    ids = site.op.outputs[:1] if kind in _FIRST_ONLY else site.op.outputs
    for made in (site.subgraph.tensors[t].dtype for t in ids):
        if allowed is not None:
            fits = made in allowed
        else:
            fits = made == source.dtype or (source.dtype, made) in _CONVERSIONS.get(kind, ())
        if not fits:
            return f"makes {made} of {source.dtype}"
    return None


def condition(site: Site) -> str | None:
    """Check a condition: it is a boolean."""
    tensor = site.input(0)
    return None if tensor is None or tensor.dtype == "bool" else f"decides by {tensor.dtype}"


def _rules() -> dict[str, tuple[Rule, ...]]:
    found: dict[str, list[Rule]] = {}
    for kind in _SOURCE.keys() | _RESULTS.keys() | _CONVERSIONS.keys():
        found.setdefault(kind, []).append(results)
    for kind in _ALIKE:
        found.setdefault(kind, []).append(one_type)
    for kind in _CONDITIONS:
        found.setdefault(kind, []).append(condition)
    return {kind: tuple(rules) for kind, rules in found.items()}


RULES: Final = _rules()
