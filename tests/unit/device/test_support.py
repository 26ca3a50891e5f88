"""Which ops a processor refuses, and the sentence that says why."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from band.device.limits import Limits, OpRule, ValueLimit
from band.device.profile import CostCoefficients, Evidence, Mark, Processor, ProcessorKind
from band.device.support import refusals
from band.device.support_table import ModelOpList, Support
from band.model.graph import Graph, Op, OptionValue, Tensor

GUESS = Evidence(mark=Mark.HYPOTHESIS, source="made up for a test")


class Step(NamedTuple):
    """One op of a chain: what it does to the data, and its constant filter, if any."""

    type: str
    version: int = 1
    dtype: str = "float32"
    shape: tuple[int, ...] | None = (1, 8, 8, 4)
    filter_shape: tuple[int, ...] | None = None
    options: Mapping[str, OptionValue] = {}


def chain(*steps: Step, dtype: str = "float32", sha256: str = "x") -> Graph:
    """Return a graph where step i reads the data of step i - 1 and perhaps a constant int8 one."""
    tensors = [Tensor(index=0, name="in", shape=(1, 8, 8, 4), dtype=dtype)]
    ops: list[Op] = []
    for index, step in enumerate(steps):
        read = [ops[-1].outputs[0] if ops else 0]
        if step.filter_shape is not None:
            read.append(len(tensors))
            tensors.append(
                Tensor(
                    index=len(tensors),
                    name=f"w{index}",
                    shape=step.filter_shape,
                    dtype="int8",
                    constant=True,
                )
            )
        output = len(tensors)
        tensors.append(Tensor(index=output, name=f"t{index}", shape=step.shape, dtype=step.dtype))
        ops.append(
            Op(
                index=index,
                type=step.type,
                version=step.version,
                inputs=tuple(read),
                outputs=(output,),
                options=tuple(sorted(step.options.items())),
            )
        )
    return Graph.build(
        name="made", sha256=sha256, tensors=tensors, ops=ops, inputs=(0,), outputs=ops[-1].outputs
    )


def processor(support: Support, *dtypes: str) -> Processor:
    costs = tuple(
        CostCoefficients(dtype=d, dispatch_us=1, us_per_gmac=1, evidence=GUESS)
        for d in dtypes or ("float32", "int8")
    )
    return Processor(
        index=0,
        name="gpu",
        kind=ProcessorKind.GPU,
        backend="emulated",
        support=support,
        costs=costs,
    )


def rule(type_: str, **limits: Any) -> OpRule:
    return OpRule(type=type_, limits=Limits(**limits))


def rules(*types: OpRule | str) -> tuple[OpRule, ...]:
    return tuple(OpRule(type=t) if isinstance(t, str) else t for t in types)


def test_without_rules_every_builtin_op_is_taken() -> None:
    graph = chain(Step("ADD"), Step("IF", dtype="int32"), Step("SHAPE", dtype="bool"))
    assert refusals(processor(Support()), graph) == {}


def test_an_op_outside_the_table_is_refused_by_name() -> None:
    graph = chain(Step("ADD"), Step("MEAN"))
    assert refusals(processor(Support(rules=rules("ADD"))), graph) == {1: "gpu takes no MEAN"}


def test_an_op_may_be_refused_where_all_others_are_taken() -> None:
    graph = chain(Step("ADD"), Step("WHILE"))
    assert refusals(processor(Support(refused_ops=("WHILE",))), graph) == {1: "gpu takes no WHILE"}


def test_a_custom_op_is_taken_only_if_it_is_listed() -> None:
    graph = chain(Step("CUSTOM:Mine"), Step("CUSTOM:Other"))
    found = refusals(processor(Support(custom_ops=("Mine",))), graph)
    assert found == {1: "gpu takes no custom op Other"}


def test_a_listed_custom_op_is_taken_beside_a_table_of_builtin_ops() -> None:
    support = Support(rules=rules("ADD"), custom_ops=("Mine",), limits=Limits(dtypes=("int8",)))
    found = refusals(processor(support), chain(Step("CUSTOM:Mine")))
    assert found == {0: "float32 tensor: gpu takes int8 only"}


@pytest.mark.parametrize(
    ("support", "step", "reason"),
    [
        (
            Support(rules=rules(rule("ADD", max_version=2))),
            Step("ADD", version=3),
            "ADD version 3 above the limit 2",
        ),
        (
            Support(limits=Limits(dtypes=("float32", "float16"))),
            Step("ADD", dtype="int8"),
            "int8 tensor: gpu takes float32, float16 only",
        ),
        (
            Support(rules=rules(rule("ADD", dtypes=("bool",))), limits=Limits(dtypes=("float32",))),
            Step("ADD"),
            "float32 tensor: gpu takes bool only",
        ),
        (
            Support(limits=Limits(max_rank=4)),
            Step("ADD", shape=(1, 1, 2, 3, 4)),
            "rank 5 above the limit 4",
        ),
        (
            Support(rules=rules(rule("ADD", max_rank=3)), limits=Limits(max_rank=5)),
            Step("ADD"),
            "rank 4 above the limit 3",
        ),
        (
            Support(limits=Limits(max_rank=4)),
            Step("ADD", shape=None),
            "the shape of tensor 1 is not known before it runs",
        ),
        (
            Support(limits=Limits(max_wide_dims=3)),
            Step("ADD", shape=(2, 8, 8, 4)),
            "4 dimensions larger than 1, above the limit 3",
        ),
        (
            Support(
                rules=rules(
                    rule(
                        "RESIZE_BILINEAR",
                        sizes=(
                            ValueLimit(name="height", maximum=65),
                            ValueLimit(name="width", maximum=65),
                        ),
                    )
                )
            ),
            Step("RESIZE_BILINEAR", shape=(1, 16, 66, 4)),
            "width 66 above the limit 65",
        ),
        (
            Support(
                rules=rules(
                    rule(
                        "DEPTHWISE_CONV_2D", sizes=(ValueLimit(name="filter_width", allowed=(3,)),)
                    )
                )
            ),
            Step("DEPTHWISE_CONV_2D", filter_shape=(1, 3, 5, 4)),
            "filter width 5: only 3 is taken",
        ),
        (
            Support(
                rules=rules(
                    rule(
                        "DEPTHWISE_CONV_2D", sizes=(ValueLimit(name="filter_width", allowed=(3,)),)
                    )
                )
            ),
            Step("DEPTHWISE_CONV_2D"),
            "filter width unknown, and filter width is limited",
        ),
        (
            Support(
                rules=rules(rule("CONV_2D", options=(ValueLimit(name="stride_w", maximum=3),)))
            ),
            Step("CONV_2D", options={"stride_w": 4}),
            "stride_w 4 above the limit 3",
        ),
        (
            Support(
                rules=rules(
                    rule(
                        "MAX_POOL_2D",
                        options=(ValueLimit(name="activation", allowed=("NONE", "RELU")),),
                    )
                )
            ),
            Step("MAX_POOL_2D", options={"activation": "RELU6"}),
            "activation RELU6: only NONE, RELU is taken",
        ),
    ],
)
def test_a_broken_limit_is_named(support: Support, step: Step, reason: str) -> None:
    assert refusals(processor(support), chain(step)) == {0: reason}


@pytest.mark.parametrize(
    ("support", "step"),
    [
        (Support(rules=rules(rule("ADD", max_version=2))), Step("ADD", version=2)),
        (Support(limits=Limits(dtypes=("float32",))), Step("CONV_2D", filter_shape=(4, 3, 3, 4))),
        (Support(limits=Limits(max_rank=4)), Step("ADD")),
        (Support(limits=Limits(max_wide_dims=3)), Step("ADD", shape=(1, 8, 8, 4))),
        (
            Support(
                rules=rules(
                    rule(
                        "RESIZE_BILINEAR",
                        sizes=(
                            ValueLimit(name="height", maximum=65),
                            ValueLimit(name="width", maximum=65),
                        ),
                    )
                )
            ),
            Step("RESIZE_BILINEAR", shape=(1, 65, 65, 1000)),
        ),
        (
            Support(
                rules=rules(
                    rule(
                        "DEPTHWISE_CONV_2D", sizes=(ValueLimit(name="filter_width", allowed=(3,)),)
                    )
                )
            ),
            Step("DEPTHWISE_CONV_2D", filter_shape=(1, 5, 3, 4)),
        ),
        (
            Support(
                rules=rules(
                    rule("CONV_2D", options=(ValueLimit(name="s", maximum=3, allowed=(1, 3)),))
                )
            ),
            Step("CONV_2D", options={"s": 3}),
        ),
        (
            Support(rules=rules(rule("ADD", options=(ValueLimit(name="absent", maximum=1),)))),
            Step("ADD"),
        ),
    ],
)
def test_what_keeps_to_a_limit_is_taken(support: Support, step: Step) -> None:
    assert refusals(processor(support), chain(step)) == {}


def test_an_op_without_a_cost_coefficient_is_refused() -> None:
    graph = chain(Step("ADD", dtype="int8"), Step("DEQUANTIZE"), Step("RELU"), dtype="int8")
    found = refusals(processor(Support(), "float32"), graph)
    reason = "no cost coefficient for int8 on gpu"
    assert found == {0: reason, 1: reason}


def test_ops_on_indices_need_no_coefficient_of_their_own() -> None:
    graph = chain(Step("FLOOR_DIV", dtype="int32"), Step("CAST", dtype="int64"), dtype="int32")
    assert refusals(processor(Support(), "int8"), graph) == {}


def test_a_prefix_processor_takes_nothing_after_its_first_refusal() -> None:
    graph = chain(Step("ADD"), Step("MEAN"), Step("ADD"), Step("MEAN"))
    found = refusals(processor(Support(rules=rules("ADD"), prefix_only=True)), graph)
    after = "after the first unsupported op 1 (MEAN): this processor takes one prefix only"
    assert found == {1: "gpu takes no MEAN", 2: after, 3: "gpu takes no MEAN"}


def test_a_prefix_processor_that_lacks_nothing_takes_all() -> None:
    graph = chain(Step("ADD"), Step("ADD"))
    assert refusals(processor(Support(rules=rules("ADD"), prefix_only=True)), graph) == {}


def test_a_weight_op_does_not_end_the_prefix() -> None:
    tensors = [
        Tensor(index=0, name="in", shape=(1, 4), dtype="float32"),
        Tensor(index=1, name="half", shape=(4, 4), dtype="float16", constant=True),
        Tensor(index=2, name="full", shape=(4, 4), dtype="float32"),
        Tensor(index=3, name="out", shape=(1, 4), dtype="float32"),
    ]
    ops = [
        Op(index=0, type="DEQUANTIZE", version=1, inputs=(1,), outputs=(2,)),
        Op(index=1, type="FULLY_CONNECTED", version=1, inputs=(0, 2), outputs=(3,)),
    ]
    graph = Graph.build(name="m", sha256="x", tensors=tensors, ops=ops, inputs=(0,), outputs=(3,))
    support = Support(rules=rules("FULLY_CONNECTED"), prefix_only=True)
    assert refusals(processor(support), graph) == {0: "gpu takes no DEQUANTIZE"}


def test_a_log_of_the_exact_file_wins_over_the_table() -> None:
    log = ModelOpList(sha256="x", model="m.tflite", unsupported=(0,), reason="logged")
    support = Support(rules=rules("ADD"), prefix_only=True, op_lists=(log,))
    steps = (Step("ADD"), Step("MEAN"), Step("ADD"))
    assert refusals(processor(support), chain(*steps)) == {0: "logged"}
    other = refusals(processor(support), chain(*steps, sha256="y"))
    assert sorted(other) == [1, 2]


def test_a_log_does_not_replace_a_missing_coefficient() -> None:
    log = ModelOpList(sha256="x", model="m.tflite", unsupported=(), reason="logged")
    found = refusals(processor(Support(op_lists=(log,)), "int8"), chain(Step("ADD")))
    assert found == {0: "no cost coefficient for float32 on gpu"}
