"""Rules for the custom ops that a runtime has kernels for, and for options in FlexBuffers.

All other custom ops are left alone: an interpreter refuses them itself before it reads anything.
"""

from struct import Struct
from typing import Final

from band.model.tflite_verify_flexbuffer import LONGEST_BYTES, read_flexbuffer
from band.model.tflite_verify_rules import Rule, Site, shape_of

# Numbers of the op's options that size memory, and the most they may be.
_DETECTION: Final = {
    "max_detections": 1 << 16, "max_classes_per_detection": 1 << 10,
    "detections_per_class": 1 << 16, "num_classes": 1 << 16,
}  # fmt: skip
_MOST_DETECTIONS: Final = 1 << 20
# Padding, stride_w, stride_h, as MediaPipe writes them.
_DECONVOLUTION: Final = Struct("<3i")
_LONGEST_STRIDE: Final = 1 << 15


def detection(site: Site) -> str | None:
    """Check TFLite_Detection_PostProcess: options that can be read, counts that can be served."""
    if len(site.op.inputs) != 3 or len(site.op.outputs) != 4 or -1 in site.op.inputs:
        return "has other inputs or outputs than 3 and 4"
    options = read_flexbuffer(_custom(site))
    if options is None:
        return "has options that cannot be read"
    for name, most in _DETECTION.items():
        if not 0 <= options.get(name, 0) <= most:
            return f"has {options[name]} as its {name}"
    if options.get("max_detections", 0) * options.get("max_classes_per_detection", 1) > (
        _MOST_DETECTIONS
    ):
        return "gives more detections than memory should hold"
    boxes, scores, anchors = (shape_of(site.input(i)) for i in range(3))
    for shape, rank in ((boxes, 3), (scores, 3), (anchors, 2)):
        if shape is not None and len(shape) != rank:
            return f"takes a tensor of shape {list(shape)}"
    counts = {s[-2] for s in (boxes, scores, anchors) if s is not None}
    return None if len(counts) < 2 else "takes boxes, scores and anchors of several counts"


def deconvolution(site: Site) -> str | None:
    """Check Convolution2DTransposeBias: its raw options and filters [out, h, w, in]."""
    if len(site.op.inputs) != 3 or len(site.op.outputs) != 1 or -1 in site.op.inputs:
        return "has other inputs or outputs than 3 and 1"
    raw = _custom(site)
    if len(raw) < _DECONVOLUTION.size:
        return "has options that cannot be read"
    _, *strides = _DECONVOLUTION.unpack_from(raw)
    if not all(1 <= s <= _LONGEST_STRIDE for s in strides):
        return f"has the strides {strides}"
    return _filters(site)


def _filters(site: Site) -> str | None:
    image, filters, bias = (shape_of(site.input(i)) for i in range(3))
    if filters is not None and (len(filters) != 4 or 0 in filters):
        return f"has filters of shape {list(filters)}"
    if image is not None and filters is not None and (len(image) != 4 or image[3] != filters[3]):
        return f"has filters of shape {list(filters)} for an image of shape {list(image)}"
    if bias is not None and filters is not None and bias != filters[:1]:
        return f"has a bias of shape {list(bias)} for {filters[0]} filters"
    return None


def composite(site: Site) -> str | None:
    """Check the attributes of STABLEHLO_COMPOSITE, a FlexBuffer."""
    span = site.option("composite_attributes")
    if span is None or not span.length:
        return None
    raw = bytes(site.facts.content[span.start :][: min(span.length, LONGEST_BYTES + 1)])
    return None if read_flexbuffer(raw) is not None else "has attributes that cannot be read"


def _custom(site: Site) -> bytes:
    start, length = site.op.custom
    site.facts.meter.charge(length)
    return bytes(site.facts.content[start : start + min(length, LONGEST_BYTES + 1)])


CUSTOM_RULES: Final[dict[str, Rule]] = {
    "TFLite_Detection_PostProcess": detection,
    "Convolution2DTransposeBias": deconvolution,
}


def custom(site: Site) -> str | None:
    """Check a custom op if it is one that runtimes have."""
    rule = CUSTOM_RULES.get(site.op.custom_name)
    return None if rule is None else rule(site)


RULES: Final[dict[str, tuple[Rule, ...]]] = {
    "CUSTOM": (custom,),
    "STABLEHLO_COMPOSITE": (composite,),
}
