"""A model in memory: its graph, its bytes, and the parsed file that slices are cut from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from band.errors import BandError, ErrorCode
from band.model.content import Content
from band.model.graph import Graph, Tensor, fill_shapes, forget_shapes
from band.model.shape_claims import believable


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One TFLite model.

    Attributes:
        graph: the main subgraph.
        content: what the file holds: bytes, or a view of a large file that is mapped.
        path: where it was read from, None for a model built or given as bytes.
        tree: the parsed file. Opaque outside the ``tflite_*`` modules, shared by all that is
            written from this model, never changed.
    """

    graph: Graph
    content: Content = field(repr=False)
    path: Path | None
    tree: object = field(repr=False)

    @property
    def name(self) -> str:
        """Return the model's name."""
        return self.graph.name

    @property
    def source(self) -> bytes | Path:
        """Return what an interpreter opens: the bytes, or the path of a file that is mapped."""
        if isinstance(self.content, bytes):
            return self.content
        assert self.path is not None  # only files are mapped
        return self.path


def with_shapes(model: Model, shapes: Mapping[int, tuple[int, ...]]) -> Model:
    """Return the model with missing static shapes filled in (tensor id -> shape).

    What a runtime cannot know before a run is left out; such tensors stay inside one slice.

    Slices take their shapes from the graph, so every slice and the whole that it is compared
    with must be written from the model that this returns.
    """
    return replace(model, graph=fill_shapes(model.graph, believable(model.graph, shapes)))


def with_input_shapes(model: Model, shapes: Mapping[str, Sequence[int]]) -> Model:
    """Return the model for inputs of other shapes (name of an input -> shape).

    For files that leave dimensions of an input open and write 1 there. All computed tensors lose
    their shape: the runtime is asked for them, as for those of a file without shapes.

    Raises:
        BandError: INVALID_REQUEST for an unknown name, a dimension below 1, another rank, or
            another size of a dimension that the file fixes.
    """
    graph = model.graph
    inputs = {graph.tensors[t].name: graph.tensors[t] for t in graph.inputs}
    changed = {}
    for name, given in shapes.items():
        shape = tuple(given)
        if name not in inputs:
            known = ", ".join(repr(n) for n in inputs)
            raise _refused(model, name, f"has no input {name!r}; its inputs are {known}")
        if not _fits(inputs[name], shape):
            allowed = list(inputs[name].signature or inputs[name].shape or ())
            raise _refused(
                model,
                name,
                f"cannot take the shape {list(shape)} for its input {name!r}, which is {allowed} "
                "(-1: any size); give a shape that fits",
            )
        if shape != inputs[name].shape:
            changed[inputs[name].index] = shape
    if not changed:
        return model
    computed = [t for op in graph.compute_ops for t in graph.ops[op].outputs]
    return replace(model, graph=fill_shapes(forget_shapes(graph, computed), changed))


def _fits(tensor: Tensor, shape: tuple[int, ...]) -> bool:
    """Return whether an input can have a shape; an old file does not say what it leaves open."""
    if any(d < 1 for d in shape):
        return False
    if tensor.signature is None:
        return tensor.shape is None or len(tensor.shape) == len(shape)
    return len(tensor.signature) == len(shape) and all(
        allowed in (-1, d) for allowed, d in zip(tensor.signature, shape, strict=True)
    )


def _refused(model: Model, tensor: str, problem: str) -> BandError:
    msg = f"model {model.name!r} {problem}"
    return BandError(ErrorCode.INVALID_REQUEST, msg, model=model.name, tensor=tensor)
