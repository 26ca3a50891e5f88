"""Option values with which kernels divide by zero, loop forever or index past a table.

A field means the same in the options of every op that has it, so one table by name serves them
all. An op without options computes with the schema's defaults, which are checked alike.
"""

from math import isfinite
from typing import Any, Final

from band.model.tflite_verify_rules import Site
from band.model.tflite_verify_schema import table_schema

_STEP: Final = (1, 1 << 15)  # a stride, dilation or window; padding is computed in 32 bits
_FLAG: Final = (0, 1)
_TYPE: Final = (0, 22)
_AXIS: Final = (-8, 7)
RANGES: Final[dict[str, tuple[int, int]]] = {
    "stride_d": _STEP, "stride_w": _STEP, "stride_h": _STEP,
    "dilation_d_factor": _STEP, "dilation_w_factor": _STEP, "dilation_h_factor": _STEP,
    "filter_width": _STEP, "filter_height": _STEP,
    "block_size": _STEP,
    "depth_multiplier": (0, 1 << 15),
    "rank": (1, 1 << 15),
    "num_splits": (1, 1 << 15), "values_count": (1, 1 << 15), "num": (0, 1 << 15),
    "padding": _FLAG,
    "fused_activation_function": (0, 5),
    "weights_format": _FLAG, "kernel_type": _FLAG, "mode": _FLAG,
    "in_data_type": _TYPE, "out_data_type": _TYPE, "out_type": _TYPE, "output_type": _TYPE,
    "idx_out_type": _TYPE, "quantized_bias_type": _TYPE, "key_dtype": _TYPE, "value_dtype": _TYPE,
    "axis": _AXIS, "seq_dim": _AXIS, "batch_dim": _AXIS, "batch_dims": _AXIS,
    "radius": (0, 1 << 15),
    "ngram_size": _STEP, "max_skip_size": (0, 1 << 15), "num_channels": _STEP,
    "num_bits": (2, 16),
    "combiner": (0, 2),
    "reduce_function": (0, 6),
}  # fmt: skip


def options_in_range(site: Site) -> str | None:
    """Check every scalar option of an op."""
    options = site.op.options
    if options is None:
        name = site.op.arity.options
        return _defaults(name) if name else None
    for field, value in zip(options._fields, options, strict=True):
        problem = _problem(field, value)
        if problem is not None:
            return problem
    return None


def _defaults(table: str) -> str | None:
    for field in table_schema(table).fields:
        if field.kind == "scalar" and _problem(field.name, field.default) is not None:
            return f"has no options, and {field.name} must be given"
    return None


def _problem(field: str, value: Any) -> str | None:
    if isinstance(value, float):
        return None if isfinite(value) else f"has {value} as its {field}"
    allowed = RANGES.get(field)
    if allowed is None or not isinstance(value, int) or allowed[0] <= value <= allowed[1]:
        return None
    return f"has {value} as its {field}"
