"""Which ops the interpreter packages have kernels for."""

from collections.abc import Mapping
from typing import Final

from band.analysis.partition import Unsupported
from band.model.graph import Graph

LITERT: Final = "ai-edge-litert"
TFLITE: Final = "tflite-runtime"

_CUSTOM: Final = "CUSTOM:"
# Custom ops with a kernel inside the package; every other one is refused before it is tried.
_CUSTOM_OPS: Final[Mapping[str, frozenset[str]]] = {
    LITERT: frozenset({"TFLite_Detection_PostProcess", "Convolution2DTransposeBias"}),
    TFLITE: frozenset({"TFLite_Detection_PostProcess"}),
}
# Builtin ops of the schema without a kernel in ai-edge-litert 2.3; tflite-runtime is older still.
_NO_KERNEL: Final = frozenset(
    {
        "CALL", "CONCAT_EMBEDDINGS", "DELEGATE", "PLACEHOLDER_FOR_GREATER_OP_CODES",
        "STABLEHLO_ABS", "STABLEHLO_BROADCAST_IN_DIM", "STABLEHLO_CBRT", "STABLEHLO_CLAMP",
        "STABLEHLO_COMPARE", "STABLEHLO_CONCATENATE", "STABLEHLO_CONVERT", "STABLEHLO_CONVOLUTION",
        "STABLEHLO_COSINE", "STABLEHLO_CUSTOM_CALL", "STABLEHLO_DIVIDE", "STABLEHLO_DOT_GENERAL",
        "STABLEHLO_DYNAMIC_SLICE", "STABLEHLO_DYNAMIC_UPDATE_SLICE", "STABLEHLO_EXPONENTIAL",
        "STABLEHLO_FLOOR", "STABLEHLO_IOTA", "STABLEHLO_LOG", "STABLEHLO_LOGISTIC",
        "STABLEHLO_NEGATE", "STABLEHLO_OR", "STABLEHLO_POWER", "STABLEHLO_REDUCE",
        "STABLEHLO_REMAINDER", "STABLEHLO_RESHAPE", "STABLEHLO_RSQRT", "STABLEHLO_SELECT",
        "STABLEHLO_SLICE", "STABLEHLO_SORT", "STABLEHLO_SUBTRACT", "STABLEHLO_TANH",
        "STABLEHLO_TRANSPOSE", "STABLEHLO_WHILE",
    }
)  # fmt: skip


def without_kernel(
    graph: Graph, package: str, version: str, processor: str
) -> tuple[Unsupported, ...]:
    """Return the ops that a package cannot run, each with its reason.

    Args:
        graph: the model.
        package: ``ai-edge-litert`` or ``tflite-runtime``.
        version: of the package, for the reason.
        processor: who asks.
    """
    found = []
    for op in graph.ops:
        custom = op.type.removeprefix(_CUSTOM) if op.type.startswith(_CUSTOM) else None
        if op.type in _NO_KERNEL if custom is None else custom not in _CUSTOM_OPS[package]:
            what = op.type if custom is None else f"the custom op {custom}"
            reason = f"{package} {version} has no kernel for {what}"
            found.append(Unsupported(op=op.index, type=op.type, processor=processor, reason=reason))
    return tuple(found)
