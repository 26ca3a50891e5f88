"""Fills in the shapes that a model file leaves open, or says why that cannot be done."""

from collections.abc import Callable, Mapping

from band.analysis.analyze import analyze
from band.device.profile import Device
from band.errors import BandError, ErrorCode
from band.model.graph import missing_shapes
from band.model.model import Model, with_shapes

Shapes = Callable[[Model], Mapping[int, tuple[int, ...]]]
"""Asks a runtime for the shapes of all tensors of a model."""


def shaped(model: Model, device: Device, shapes: Shapes | None) -> Model:
    """Return a model with every shape that is known before it runs.

    Args:
        model: as read; nobody is asked if its file tells all shapes.
        device: where it is to run.
        shapes: asks a runtime for the shapes of all tensors.

    Raises:
        BandError: UNSUPPORTED_MODEL if shapes are missing and nobody can be asked, an op runs
            nowhere, or an open input leaves tensors without values; what ``shapes`` raises.
    """
    missing = missing_shapes(model.graph)
    if not missing:
        return model
    if shapes is None:
        raise BandError(
            ErrorCode.UNSUPPORTED_MODEL,
            f"model {model.graph.name} has {len(missing)} tensors without a static shape (first: "
            f"tensor {missing[0]}), and no runtime is at hand to ask",
            model=model.graph.name,
        )
    try:
        known = shapes(model)
    except BandError as error:
        analyze(model.graph, device)  # an op that runs nowhere is the better explanation
        if hint := _open_inputs(model):
            raise BandError(error.code, f"{error.message}; {hint}", **error.fields) from error
        raise
    empty = next((t for t in missing if 0 in known.get(t, ())), None)
    if empty is not None and (hint := _open_inputs(model)):
        raise BandError(
            ErrorCode.UNSUPPORTED_MODEL,
            f"model {model.graph.name} computes nothing in tensor {empty} "
            f"({model.graph.tensors[empty].name!r}), whose shape becomes {list(known[empty])}; "
            f"{hint}",
            model=model.graph.name,
        )
    return with_shapes(model, {t: known[t] for t in missing if t in known})


def _open_inputs(model: Model) -> str:
    """Return which shapes of inputs the file leaves open and how to give one, "" for none."""
    tensors = [model.graph.tensors[t] for t in model.graph.inputs]
    found = [(t.name, t.signature, t.shape) for t in tensors if t.signature]
    if not found:
        return ""
    said = ", ".join(f"{n!r} is {list(s)}, tried as {list(d or ())}" for n, s, d in found)
    name, signature, _ = found[0]
    sizes = ",".join("N" if size < 0 else str(size) for size in signature)
    return (
        f"the file leaves shapes of inputs open ({said}): give them, as ?{name}={sizes} behind the "
        "model or as input_shapes in the configuration"
    )
