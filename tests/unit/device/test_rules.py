"""Rules of a person: what they select, which processors they bind, and what they cannot find."""

from dataclasses import replace

import pytest

from band.device.profile import Device
from band.device.rules import NO_RULES, Rule, Rules, idle_rules, with_rules
from band.device.selection import ALL_OPS, Selection
from band.device.support import refusals
from band.errors import BandError, ErrorCode
from band.model.graph import Graph
from band.testing import models
from band.testing.devices import make_device, make_processor
from band.testing.graphs import make_graph

GRAPH = make_graph([[0], [1], [2], [3]])
DEVICE = make_device(*(make_processor(name) for name in ("cpu0", "cpu1", "gpu", "npu")))


def named(*names: str) -> Graph:
    """Return a graph whose op i writes the tensor of the i-th name."""
    graph = make_graph([[i] for i in range(len(names))])
    tensors = tuple(replace(t, name=("in", *names)[t.index]) for t in graph.tensors)
    return replace(graph, tensors=tensors)


def refused(device: Device, graph: Graph = GRAPH) -> dict[str, dict[int, str]]:
    return {p.name: found for p in device.processors if (found := refusals(p, graph))}


def rule(*processors: str, only: bool = False, **selection: object) -> Rules:
    picked = Selection(**selection)  # type: ignore[arg-type]
    return Rules(entries=(Rule(processors=processors, selection=picked, only=only, at="r.yaml:2"),))


def test_ops_are_picked_by_type_number_and_tensor_together() -> None:
    graph = models.chain().graph
    mean = {op.index for op in graph.ops if op.type == "MEAN"}
    assert mean
    assert Selection(types=("MEAN",)).ops(graph) == mean
    assert Selection(types=("MEAN",), ranges=((0, 1),)).ops(graph) == mean | {0, 1}
    assert ALL_OPS.ops(graph) == {op.index for op in graph.ops}


def test_a_tensor_is_named_as_it_is_or_by_a_pattern_for_its_whole_name() -> None:
    graph = named("a/b;c(1", "block_1/relu", "block_12/relu", "block_1/relu/x")
    assert Selection(tensors=("a/b;c(1",)).ops(graph) == {0}
    assert Selection(tensors=(r"block_\d+/relu",)).ops(graph) == {1, 2}
    assert Selection(tensors=("block_1",)).ops(graph) == set()


def test_excluded_ops_leave_the_named_processors_only() -> None:
    found = refused(with_rules(DEVICE, rule("gpu", ranges=((1, 2),))))
    assert found == {"gpu": {1: "excluded by rule r.yaml:2", 2: "excluded by rule r.yaml:2"}}


def test_a_kind_stands_for_all_processors_of_it() -> None:
    found = refused(with_rules(DEVICE, rule("cpu", "npu", ranges=((0, 0),))))
    assert set(found) == {"cpu0", "cpu1", "npu"}


def test_only_keeps_ops_on_the_named_processors() -> None:
    found = refused(with_rules(DEVICE, rule("gpu", "cpu1", only=True, ranges=((3, 3),))))
    reason = "kept on gpu, cpu1 by rule r.yaml:2"
    assert found == {"cpu0": {3: reason}, "npu": {3: reason}}


def test_a_rule_without_ops_is_for_the_whole_model() -> None:
    assert set(refused(with_rules(DEVICE, rule("npu")))["npu"]) == {0, 1, 2, 3}


def test_rules_add_up_and_no_rules_change_nothing() -> None:
    assert with_rules(DEVICE, NO_RULES) is DEVICE
    once = with_rules(DEVICE, rule("gpu", ranges=((0, 0),)))
    twice = with_rules(once, rule("gpu", ranges=((1, 1),)))
    assert set(refused(twice)["gpu"]) == {0, 1}


def test_an_unknown_processor_is_an_error_and_a_kind_that_is_not_there_is_none() -> None:
    with pytest.raises(BandError) as caught:
        with_rules(DEVICE, rule("gpu0"))
    assert caught.value.code is ErrorCode.INVALID_CONFIG
    assert caught.value.message == (
        "r.yaml:2: device made has no processor 'gpu0'; name one of cpu0, cpu1, gpu, npu, or a "
        "kind (cpu, dsp, gpu, npu)"
    )
    assert refused(with_rules(DEVICE, rule("dsp"))) == {}


def test_what_matches_nothing_is_told_item_by_item() -> None:
    several = rule("gpu", types=("ADD", "MEAN"), ranges=((2, 9), (7, 9)), tensors=("t9",))
    assert idle_rules(several, DEVICE, GRAPH) == tuple(
        f"rule r.yaml:2: no op of model made matches {item}" for item in ("MEAN", "7-9", "t9")
    )
    assert idle_rules(rule("dsp"), DEVICE, GRAPH) == (
        "rule r.yaml:2: device made has no processor of kind dsp",
    )
    assert idle_rules(rule("gpu"), DEVICE, GRAPH) == ()


def test_a_rule_for_ops_on_weights_alone_is_told() -> None:
    graph = models.half_weights().graph
    (told,) = idle_rules(rule("gpu", types=("DEQUANTIZE",)), DEVICE, graph)
    assert "DEQUANTIZE matches only ops on weights" in told


@pytest.mark.parametrize(
    ("strict", "expected"),
    [(True, (2, 3)), (False, None), (("gpu",), (2,)), (("cpu", "npu"), (0, 1, 3)), (("dsp",), ())],
)
def test_strict_names_processors(
    strict: bool | tuple[str, ...], expected: tuple[int, ...] | None
) -> None:
    assert with_rules(DEVICE, Rules(strict=strict)).strict == expected


def test_later_rules_say_whether_it_is_strict_if_they_say_anything() -> None:
    strict = with_rules(DEVICE, Rules(strict=True))
    assert with_rules(strict, rule("gpu")).strict == (2, 3)
    assert with_rules(strict, Rules(strict=False)).strict is None
    both = Rules(strict=("gpu",), strict_at="a:1").followed_by(rule("npu"))
    assert (both.strict, both.strict_at, len(both.entries)) == (("gpu",), "a:1", 1)
    assert both.followed_by(Rules(strict=False)).strict is False
