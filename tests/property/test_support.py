"""Random support tables: how they merge, and that no refused op reaches its processor."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from band.analysis.analyze import analyze
from band.analysis.partition import Preparation
from band.device.limits import Broadcast, Limits, OpRule, Place, Scheme, ValueLimit
from band.device.profile import Device, ProcessorKind
from band.device.rules import Rule, Rules, with_rules
from band.device.selection import Selection
from band.device.support import refusals
from band.device.support_table import ModelOpList, Support, merged
from band.errors import BandError, ErrorCode
from band.model.graph import Graph
from band.testing.graphs import device_for, random_graph

TYPES = ("ADD", "MEAN", "CONV_2D", "SOFTMAX")
ACCELERATORS = ("gpu", "dsp", "npu")
SEEDS = st.integers(0, 2**32)


def some(rng: random.Random, items: Sequence[Any], most: int) -> tuple[Any, ...]:
    return tuple(rng.sample(items, rng.randint(0, min(most, len(items)))))


def value(rng: random.Random, name: str) -> ValueLimit:
    return ValueLimit(
        name=name,
        minimum=rng.choice((None, 1, 50)),
        maximum=rng.choice((None, 1, 400)),
        multiple_of=rng.choice((None, 2)),
    )


def limits(rng: random.Random) -> Limits:
    """Return limits that leave most things unsaid, with a place for each that is said."""
    given_limits: dict[str, Any] = {
        "max_version": rng.choice((1, 2)),
        "min_version": 2,
        "dtypes": rng.choice((("float32",), ("int8",))),
        "max_rank": rng.choice((0, 1, 4)),
        "quantization": rng.choice(((Scheme.NONE,), (Scheme.PER_TENSOR,))),
        "broadcast": (Broadcast.NONE, Broadcast.SCALAR),
        "constant_inputs": (1,),
    }
    stated = {key: limit for key, limit in given_limits.items() if rng.random() < 0.15}
    sizes = tuple(value(rng, n) for n in some(rng, ("elements", "bytes", "inputs"), 1))
    keys = (*stated, *(f"sizes.{v.name}" for v in sizes))
    places = tuple(Place(key, f"{rng.random()}.yaml:{i}") for i, key in enumerate(keys, 1))
    return Limits(**stated, sizes=sizes, places=places)


def op_list(rng: random.Random) -> ModelOpList:
    return ModelOpList(
        sha256=rng.choice(("x", "other")),
        model="made",
        unsupported=some(rng, range(12), 4),
        types=some(rng, TYPES, 1),
        taken=some(rng, range(12), 4),
        others=rng.choice((None, True, False)),
        reason="logged",
        at=rng.choice(("", "log.csv:1")),
    )


def table(rng: random.Random) -> Support:
    refused = some(rng, TYPES, 2)
    named = [kind for kind in some(rng, TYPES, 4) if kind not in refused]
    file = f"{rng.random()}.yaml"
    return Support(
        rules=rng.choice((None, tuple(OpRule(type=kind, limits=limits(rng)) for kind in named))),
        others=rng.choice((None, None, True, False)),
        refused_ops=refused,
        custom_ops=some(rng, ("Mine", "Yours"), 2),
        limits=limits(rng),
        prefix_only=rng.choice((None, None, None, True, False)),
        op_lists=tuple(op_list(rng) for _ in range(rng.choice((0, 0, 0, 1, 2)))),
        source=rng.choice(("", "s", "t")),
        places=tuple(Place(kind, f"{file}:{i}") for i, kind in enumerate((*refused, "ops"), 1)),
    )


def typed_graph(rng: random.Random) -> Graph:
    """Return a random graph whose ops have random types and versions."""
    graph = random_graph(rng, rng.randint(1, 12))
    ops = tuple(replace(op, type=rng.choice(TYPES), version=rng.randint(1, 3)) for op in graph.ops)
    return replace(graph, ops=ops, sha256="x")


def layered_device(rng: random.Random, graph: Graph) -> Device:
    """Return a device with random tables on its accelerators and random rules."""
    names = ACCELERATORS[: rng.randint(1, 3)]
    device = device_for(graph, dict.fromkeys(("cpu0", *names), ()))
    layered = (
        replace(p, support=merged(table(rng) for _ in range(rng.randint(0, 3))))
        for p in device.processors[1:]
    )
    device = replace(device, processors=(device.processors[0], *layered))
    rules = (
        Rule(
            processors=(rng.choice(names),),
            selection=Selection(
                types=some(rng, TYPES, 1), ranges=((rng.randint(0, 11), rng.randint(0, 11)),)
            ),
            at=rng.choice(("", "r.yaml:1")),
        )
        for _ in range(rng.randint(0, 2))
    )
    return with_rules(device, Rules(entries=tuple(rules)))


def merging_is_associative(seed: int) -> None:
    rng = random.Random(seed)
    a, b, c = (table(rng) for _ in range(3))
    left, right = merged([merged([a, b]), c]), merged([a, merged([b, c])])
    assert left == right == merged([a, b, c])
    for kind in (*TYPES, "ops"):
        assert left.place(kind) == right.place(kind)
    for field in (*Limits.__dataclass_fields__, "sizes.bytes", "sizes.inputs"):
        assert left.limits.place(field) == right.limits.place(field)
    assert merged([a]) == merged([a, Support()]) == merged([Support(), a]) == a


def no_reason_is_ever_lost(seed: int) -> None:
    rng = random.Random(seed)
    graph, layers = typed_graph(rng), [table(rng) for _ in range(rng.randint(1, 4))]
    processor = device_for(graph, {"gpu": ()}).processors[0]
    found = refusals(replace(processor, support=merged(layers)), graph)
    assert all(found.values())
    grouped = merged([merged(layers[:2]), merged(layers[2:])])
    assert refusals(replace(processor, support=grouped), graph) == found
    bare = [replace(layer, op_lists=()) for layer in layers]
    found = refusals(replace(processor, support=merged(bare)), graph)
    for op in graph.ops:
        if op.type in bare[-1].refused_ops:  # the last word, with its place
            assert found[op.index] == f"gpu takes no {op.type} ({bare[-1].place(op.type)})"
        elif (reason := found.get(op.index)) and not reason.startswith("after the first"):
            assert ".yaml:" in reason


def no_refused_op_reaches_its_processor(seed: int) -> None:
    rng = random.Random(seed)
    graph = typed_graph(rng)
    if not graph.compute_ops:
        return
    device = layered_device(rng, graph)
    partition = analyze(graph, device, preparation=rng.choice(list(Preparation)))
    refused = {p.index: refusals(p, graph) for p in device.processors}
    names = {p.name: p.index for p in device.processors}
    for part in partition.subgraphs:
        assert not set(part.ops) & set(refused[part.processor])
    for unit in partition.units:
        for processor in unit.processors:
            assert not set(unit.ops) & set(refused[processor])
    listed = {(names[u.processor], u.op): u.reason for u in partition.unsupported}
    for processor, reasons in refused.items():
        for op in set(reasons) & set(graph.compute_ops):
            assert listed[processor, op] == reasons[op]


def strict_mode_refuses_exactly_what_would_fall_back(seed: int) -> None:
    rng = random.Random(seed)
    graph = typed_graph(rng)
    if not graph.compute_ops:
        return
    device = layered_device(rng, graph)
    strict = with_rules(device, Rules(strict=True))
    fast = [p for p in device.processors if p.kind is not ProcessorKind.CPU]
    refused = [refusals(p, graph) for p in fast]
    fallen = [op for op in graph.compute_ops if all(op in reasons for reasons in refused)]
    if not fallen:
        analyze(graph, strict)
        return
    with pytest.raises(BandError) as caught:
        analyze(graph, strict)
    assert caught.value.code is ErrorCode.FALLBACK_REFUSED
    named = caught.value.fields["ops"]
    assert isinstance(named, tuple)
    assert [op for op, _, _ in named] == fallen


PROPERTIES = pytest.mark.parametrize(
    "holds",
    [
        merging_is_associative,
        no_reason_is_ever_lost,
        no_refused_op_reaches_its_processor,
        strict_mode_refuses_exactly_what_would_fall_back,
    ],
    ids=lambda holds: holds.__name__,
)


@PROPERTIES
@given(seed=SEEDS)
def test_it_holds(holds: Callable[[int], None], seed: int) -> None:
    holds(seed)


@pytest.mark.slow
@PROPERTIES
@given(seed=SEEDS)
@settings(max_examples=2_000)
def test_it_holds_for_2000_examples(holds: Callable[[int], None], seed: int) -> None:
    holds(seed)
