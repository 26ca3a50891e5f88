"""Ops that run other subgraphs fit them, counting loops end, variables are what they were."""

from typing import Any

import numpy as np
import pytest

from band.errors import BandError
from band.model.builder import GraphBuilder
from band.model.tflite_encode import encode
from band.model.tflite_verify import verify_bytes
from band.model.tflite_verify_limits import Limits
from band.model.tflite_verify_loops import LONGEST_LOOP
from band.testing.models import STATE_NAME, control_flow, resource_variable

FRAME = (1, 4)


def loop(
    *,
    test: str = "LESS",
    limit: int = 4,
    step: int | None = 1,
    kind: str = "ADD",
    mirrored: bool = False,
    **options: Any,
) -> bytes:
    """Return a model with a WHILE that counts; ``step`` None leaves the counter as it is."""
    condition, body, b = GraphBuilder("condition"), GraphBuilder("body"), GraphBuilder("m")
    counter = condition.input("counter", (1,), "int32")
    below = condition.tensor("below", (1,), "bool")
    pair = (counter, condition.integers((limit,), "limit"))
    condition.op(test, pair[::-1] if mirrored else pair, (below,))
    condition.outputs = [below]
    counter = body.input("counter", (1,), "int32")
    if step is not None:
        pair = (counter, body.integers((step,), "step"))
        counter = body.layer(kind, pair, (1,), **options)
    body.outputs = [counter]
    start, end = b.input("start", (1,), "int32"), b.tensor("end", (1,), "int32")
    b.op(
        "WHILE", (start,), (end,),
        cond_subgraph_index=b.branch(condition), body_subgraph_index=b.branch(body),
    )  # fmt: skip
    b.outputs = [end]
    return encode([b, *b.branches])


@pytest.mark.parametrize(
    "made",
    [
        {},
        {"test": "LESS_EQUAL", "limit": LONGEST_LOOP},
        {"test": "GREATER", "limit": -3, "kind": "SUB"},
        {"test": "GREATER", "limit": 9, "mirrored": True},
        {"test": "NOT_EQUAL", "limit": 5},
        {"kind": "MUL", "step": 2},
    ],
    ids=["up", "long", "down", "mirrored", "another condition", "another body"],
)
def test_a_loop_that_may_end_passes(made: dict[str, Any]) -> None:
    verify_bytes(loop(**made), "m")


@pytest.mark.parametrize(
    ("made", "says"),
    [
        ({"step": 0}, "never ends: it counts by 0"),
        ({"step": -1}, "never ends: it counts by -1"),
        ({"step": 1, "test": "GREATER"}, "never ends: it counts by 1"),
        ({"kind": "SUB"}, "never ends: it counts by -1"),
        ({"step": None}, "does not change what its condition looks at"),
        ({"limit": 2**31 - 1}, "counts to 2147483647, and 1048576 rounds are allowed"),
        ({"fused_activation_function": "RELU6"}, "clips what it counts"),
    ],
    ids=["by nothing", "away", "away from below", "down", "not at all", "too long", "clipped"],
)
def test_a_loop_that_cannot_end_is_refused(made: dict[str, Any], says: str) -> None:
    with pytest.raises(BandError, match=rf"op 0 \(WHILE\) .*{says}"):
        verify_bytes(loop(**made), "m")


def test_a_branch_with_other_inputs_is_refused() -> None:
    branch, b = GraphBuilder("branch"), GraphBuilder("m")
    branch.outputs = [branch.add(branch.input("a", FRAME), branch.input("b", FRAME))]
    number = b.branch(branch)
    b.outputs = [
        b.layer(
            "IF", (b.input("condition", (), "bool"), x := b.input("x", FRAME)), FRAME, like=x,
            then_subgraph_index=number, else_subgraph_index=number,
        )
    ]  # fmt: skip
    with pytest.raises(BandError, match="calls subgraph 1, whose inputs or outputs do not fit"):
        verify_bytes(encode([b, *b.branches]), "m")


def test_a_subgraph_that_calls_itself_is_refused() -> None:
    b = GraphBuilder("m")
    b.outputs = [b.activation(b.input("x", FRAME))]
    b.op("CALL_ONCE", (), (), init_subgraph_index=0)
    with pytest.raises(BandError, match="subgraph 0 calls itself"):
        verify_bytes(encode([b]), "m")


def test_subgraphs_that_call_each_other_too_deep_are_refused() -> None:
    content = bytes(control_flow("WHILE").content)
    verify_bytes(content, "m", Limits(call_depth=2))
    with pytest.raises(BandError, match="call each other"):
        verify_bytes(content, "m", Limits(call_depth=1))


def state(shape: tuple[int, ...] = FRAME, dtype: str = "float32", *, twice: bool = False) -> bytes:
    """Return a model that reads a variable as something and adds it to its input."""
    start, b = GraphBuilder("start"), GraphBuilder("m")
    handle = start.tensor("handle", (), "resource")
    start.op("VAR_HANDLE", (), (handle,), shared_name=STATE_NAME)
    start.op("ASSIGN_VARIABLE", (handle, start.constant("zeros", np.zeros(FRAME, np.float32))), ())
    b.op("CALL_ONCE", (), (), init_subgraph_index=b.branch(start))
    handle = b.tensor("handle", (), "resource")
    b.op("VAR_HANDLE", (), (handle,), shared_name=STATE_NAME)
    value = b.tensor("value", shape, dtype)
    b.op("READ_VARIABLE", (handle,), (value,))
    other = value if twice else b.input("x", shape, dtype)
    b.outputs = [b.layer("ADD", (value, other), shape, fused_activation_function="NONE")]
    return encode([b, *b.branches])


def test_a_variable_is_read_as_what_is_written_to_it() -> None:
    verify_bytes(state(), "m")
    verify_bytes(bytes(resource_variable().content), "m")
    with pytest.raises(BandError, match=r"takes a variable of shape \[2, 4\] for one of shape"):
        verify_bytes(state((2, 4)), "m")
    with pytest.raises(BandError, match="takes a variable of int32 for one of float32"):
        verify_bytes(state(dtype="int32"), "m")


def test_the_value_of_a_variable_taken_twice_is_refused() -> None:
    with pytest.raises(BandError, match="takes the value of a variable twice"):
        verify_bytes(state(twice=True), "m")
