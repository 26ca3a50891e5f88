"""A model in memory: its graph, its bytes, and the parsed file that slices are cut from."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from band.model.content import Content
from band.model.graph import Graph, fill_shapes


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

    Slices take their shapes from the graph, so every slice and the whole that it is compared
    with must be written from the model that this returns.
    """
    return replace(model, graph=fill_shapes(model.graph, shapes))
