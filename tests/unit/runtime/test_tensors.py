import numpy as np
import pytest

from band.errors import BandError, ErrorCode
from band.model.graph import Graph, Op, Tensor
from band.runtime.tensors import ModelInfo, check_inputs, model_info


def _graph(*tensors: Tensor, outputs: tuple[int, ...] = ()) -> Graph:
    inputs = tuple(t.index for t in tensors if t.index not in outputs)
    op = Op(index=0, type="ADD", version=1, inputs=inputs, outputs=outputs)
    return Graph.build(
        name="m", sha256="0" * 64, tensors=tensors, ops=[op], inputs=inputs, outputs=outputs
    )


def _tensor(
    index: int, name: str, shape: tuple[int, ...] | None = (1, 2), dtype: str = "float32"
) -> Tensor:
    return Tensor(index=index, name=name, shape=shape, dtype=dtype)


def _info() -> ModelInfo:
    graph = _graph(
        _tensor(0, "image"), _tensor(1, "state", (3,), "int8"), _tensor(2, "y"), outputs=(2,)
    )
    return model_info(graph, "served", "")


GOOD = {"image": np.zeros((1, 2), np.float32), "state": np.zeros(3, np.int8)}


def test_info_lists_inputs_and_outputs_in_the_order_of_the_model() -> None:
    info = _info()
    assert [(t.name, t.dtype, t.shape, t.index) for t in info.inputs] == [
        ("image", "float32", (1, 2), 0),
        ("state", "int8", (3,), 1),
    ]
    assert [t.name for t in info.outputs] == ["y"]


def test_names_that_occur_twice_become_unique_in_a_fixed_way() -> None:
    tensors = [_tensor(i, n) for i, n in enumerate(["a", "a", "a:1", "", "a", ""])]
    graph = _graph(*tensors, _tensor(6, "y"), outputs=(6,))
    names = [t.name for t in model_info(graph, "m", "").inputs]
    assert names == ["a", "a:2", "a:1", "input", "a:3", "input:1"]
    assert names == [t.name for t in model_info(graph, "m", "").inputs]


@pytest.mark.parametrize(
    ("tensor", "what"),
    [
        (_tensor(0, "text", (1,), "string"), "the type string"),
        (_tensor(0, "text", None), "no static shape"),
    ],
)
def test_what_numpy_cannot_hold_is_refused_at_registration(tensor: Tensor, what: str) -> None:
    with pytest.raises(BandError, match=f"input 'text' of model m has {what}") as caught:
        model_info(_graph(tensor, _tensor(1, "y"), outputs=(1,)), "m", "")
    assert caught.value.code is ErrorCode.UNSUPPORTED_FEATURE


def test_inputs_are_copied_and_keyed_by_tensor_id() -> None:
    image = np.ones((2, 1), np.float32).T
    checked = check_inputs(_info(), {**GOOD, "image": image})
    assert set(checked) == {0, 1}
    assert not np.shares_memory(checked[0], image)
    assert checked[0].flags.c_contiguous


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({**GOOD, "imag": GOOD["image"]}, "has no input 'imag'; did you mean 'image'?"),
        ({**GOOD, "xyz": GOOD["image"]}, "has no input 'xyz'; its inputs are image, state"),
        ({"image": GOOD["image"]}, "lacks input 'state', a int8 tensor of shape [3]"),
        (
            {**GOOD, "image": np.zeros((2, 1), np.float32)},
            "expected float32 of shape [1, 2], got float32 of shape [2, 1]",
        ),
        (
            {**GOOD, "state": np.zeros(3, np.uint8)},
            "wrong input 'state': expected int8 of shape [3], got uint8 of shape [3]",
        ),
    ],
)
def test_a_wrong_input_is_named_with_what_is_expected_and_given(
    inputs: dict[str, object], message: str
) -> None:
    with pytest.raises(BandError) as caught:
        check_inputs(_info(), inputs)
    assert caught.value.code is ErrorCode.INVALID_REQUEST
    assert caught.value.message.startswith("request for model 'served' ")
    assert message in caught.value.message
