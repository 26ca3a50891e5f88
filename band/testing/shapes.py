"""Fills in what a file leaves open, with the runtime of the tests."""

from band.model.graph import input_shapes, missing_shapes
from band.model.model import Model, with_shapes
from band.runtime.backends.interpreter import open_runtime
from band.runtime.backends.kernels import LITERT
from band.runtime.backends.known_shapes import known_shapes


def shaped(model: Model) -> Model:
    """Return the model with every shape that is known before it runs."""
    missing = missing_shapes(model.graph)
    if not missing:
        return model
    known = known_shapes(open_runtime(LITERT, "test"), model.source, input_shapes(model.graph))
    return with_shapes(model, {t: known[t] for t in missing if t in known})
