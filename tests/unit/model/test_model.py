"""A model can be given other input shapes and the shapes that a runtime finds."""

from typing import Any

import pytest

from band.errors import BandError, ErrorCode
from band.model.graph import input_shapes, missing_shapes
from band.model.model import with_input_shapes, with_shapes
from band.testing.models import chain
from band.testing.open_models import computed_reshape, open_image, open_samples


def test_other_input_shapes_leave_all_computed_shapes_to_the_runtime() -> None:
    model = open_image()
    (image,) = model.graph.inputs
    wide = with_input_shapes(model, {"image": (1, 32, 48, 3)})
    assert input_shapes(wide.graph) == {image: (1, 32, 48, 3)}
    computed = {t for op in wide.graph.ops for t in op.outputs}
    assert set(missing_shapes(wide.graph)) == computed
    assert model.graph.tensors[image].shape == (1, 1, 1, 3)
    assert wide.graph.sha256 == model.graph.sha256


def test_the_shape_that_the_file_has_changes_nothing() -> None:
    model = open_image()
    assert with_input_shapes(model, {"image": (1, 1, 1, 3)}) is model


@pytest.mark.parametrize(
    ("shapes", "says"),
    [
        ({"picture": (1, 8, 8, 3)}, "has no input 'picture'; its inputs are 'image'"),
        ({"image": (1, 8, 8, 4)}, r"'image', which is \[1, -1, -1, 3\]"),
        ({"image": (1, 8, 8)}, r"cannot take the shape \[1, 8, 8\]"),
        ({"image": (1, 0, 8, 3)}, r"cannot take the shape \[1, 0, 8, 3\]"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(shapes: Any, says: str) -> None:
    with pytest.raises(BandError, match=says) as caught:
        with_input_shapes(open_image(), shapes)
    assert caught.value.code is ErrorCode.INVALID_REQUEST


def test_a_file_that_says_nothing_of_open_dimensions_fixes_only_the_rank() -> None:
    model = chain()
    assert with_input_shapes(model, {"image": (1, 20, 20, 3)}) is not model
    with pytest.raises(BandError, match="cannot take the shape"):
        with_input_shapes(model, {"image": (20, 20)})


def test_an_answer_with_another_number_of_values_is_not_believed_for_an_op_in_place() -> None:
    model = computed_reshape()
    reshape = next(op for op in model.graph.ops if op.type == "RESHAPE")
    (out,) = reshape.outputs
    assert with_shapes(model, {out: (1, 1)}).graph.tensors[out].shape is None
    assert with_shapes(model, {out: (3, 3)}).graph.tensors[out].shape == (3, 3)


def test_open_samples_have_the_placeholder_of_the_file() -> None:
    graph = open_samples().graph
    (samples,) = (graph.tensors[t] for t in graph.inputs)
    assert (samples.shape, samples.signature) == ((1, 1), (1, -1))
    assert missing_shapes(graph)
