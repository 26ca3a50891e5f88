import numpy as np

from band.replay.inputs import random_inputs
from band.runtime.tensors import TensorInfo

INPUTS = (
    TensorInfo(name="image", dtype="float32", shape=(4, 5)),
    TensorInfo(name="half", dtype="float16", shape=(3,)),
    TensorInfo(name="bytes", dtype="int8", shape=(4000,)),
    TensorInfo(name="index", dtype="int32", shape=(2,)),
    TensorInfo(name="flag", dtype="bool", shape=()),
)


def test_inputs_have_the_declared_types_and_shapes() -> None:
    made = random_inputs("m", INPUTS, seed=0)
    assert {n: (str(a.dtype), a.shape) for n, a in made.items()} == {
        i.name: (i.dtype, i.shape) for i in INPUTS
    }


def test_floats_lie_in_the_unit_interval_bytes_cover_their_range_the_rest_is_zero() -> None:
    made = random_inputs("m", INPUTS, seed=0)
    assert 0 <= made["image"].min() < made["image"].max() < 1
    assert (made["bytes"].min(), made["bytes"].max()) == (-128, 127)
    assert not made["index"].any()
    assert not made["flag"].any()


def test_inputs_are_the_same_for_a_seed_and_differ_by_seed_and_model() -> None:
    def image(model: str, seed: int) -> bytes:
        return random_inputs(model, INPUTS, seed)["image"].tobytes()

    assert image("m", 1) == image("m", 1)
    assert len({image("m", 1), image("m", 2), image("n", 1)}) == 3
    assert np.frombuffer(image("m", 1), np.float32).std() > 0.1
