"""Rules for the scales of quantised ops: kernels abort on a multiplier that they cannot represent.

``QuantizeMultiplierSmallerThanOneExp`` and ``...GreaterThanOne`` of the runtime check their
argument with an assertion that ends the process. The factors are those of the kernels' Prepare.
"""

from typing import Final

from band.model.tflite_verify_facts import TensorFacts
from band.model.tflite_verify_rules import Rule, Site
from band.model.tflite_verify_structure import Span

_QUANTIZED: Final = frozenset({"int8", "uint8", "int16"})
# Kernels shift sums left by this before they scale them back; by less in 16 bits.
_SUM_SHIFT: Final = {"int8": 20, "uint8": 20, "int16": 15}
_DIFFERENCE_SHIFT: Final = 7
_SOFTMAX_SHIFT: Final = 26


def scale_of(site: Site, tensor: TensorFacts | None) -> float:
    """Return the one scale of a tensor, 0 if it has none, as the runtime does."""
    if tensor is None or tensor.quantization is None:
        return 0.0
    start, length = tensor.quantization.scale
    return float(site.facts.numbers(Span(start, 1), "f")[0]) if length else 0.0


def sums(site: Site) -> str | None:
    """Check ADD and SUB: 2 * max(a, b) / (2^shift * c) must be below one."""
    tensor = site.output()
    if tensor.dtype not in _QUANTIZED:
        return None
    scales = [scale_of(site, site.input(0)), scale_of(site, site.input(1))]
    result = scale_of(site, tensor) * 2.0 ** _SUM_SHIFT[tensor.dtype]
    if min(scales) <= 0 or not 0 < 2 * max(scales) < result:
        return _scales(site)
    return None


def squared_difference(site: Site) -> str | None:
    """Check SQUARED_DIFFERENCE: (2 * max(a, b))^2 / (2^(2 shift) * c) must be below one."""
    tensor = site.output()
    if tensor.dtype not in _QUANTIZED:
        return None
    scales = [scale_of(site, site.input(0)), scale_of(site, site.input(1))]
    result = scale_of(site, tensor) * 2.0 ** (2 * _DIFFERENCE_SHIFT)
    if min(scales) <= 0 or not 0 < (2 * max(scales)) ** 2 < result:
        return _scales(site)
    return None


def softmax(site: Site) -> str | None:
    """Check SOFTMAX and LOG_SOFTMAX: beta * scale * 2^26 must be above one."""
    tensor = site.input(0)
    if tensor is None or tensor.dtype not in _QUANTIZED:
        return None
    beta = site.option("beta", 0.0 if site.op.kind == "SOFTMAX" else 1.0)
    if not beta * scale_of(site, tensor) * 2.0**_SOFTMAX_SHIFT > 1:
        return _scales(site)
    return None


def comparison(site: Site) -> str | None:
    """Check comparisons: each scale is taken as a multiplier below one."""
    for position in (0, 1):
        tensor = site.input(position)
        if (
            tensor is not None
            and tensor.dtype in {"int8", "uint8"}
            and not 0 < scale_of(site, tensor) < 1
        ):
            return _scales(site)
    return None


def _scales(site: Site) -> str:
    ids = [t for t in (*site.op.inputs, *site.op.outputs) if t >= 0]
    shown = ", ".join(f"{scale_of(site, site.subgraph.tensors[t]):.3g}" for t in ids)
    return f"has the scales {shown}, which its kernel cannot compute with"


RULES: Final[dict[str, tuple[Rule, ...]]] = {
    "ADD": (sums,),
    "SUB": (sums,),
    "SQUARED_DIFFERENCE": (squared_difference,),
    "SOFTMAX": (softmax,),
    "LOG_SOFTMAX": (softmax,),
    **dict.fromkeys(
        ("LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL", "EQUAL", "NOT_EQUAL"), (comparison,)
    ),
}
