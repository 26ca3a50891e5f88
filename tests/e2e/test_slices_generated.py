"""Chains of slices of generated models equal the whole model bit for bit."""

from typing import Any

import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from band.analysis.cuts import contiguous
from band.analysis.plan_kinds import GAPS, fallback, plan_kinds
from band.model.atoms import atoms
from band.model.tflite_writer import write_slice, write_whole
from band.model.zoo import GENERATED, generated
from band.testing.chains import InterpreterLike, first_difference
from band.testing.models import RUNNABLE, chain, custom_op

KINDS = ("K=2", "K=3", "K=4", "fallback-2", "fallback-3", "atoms")


def litert(content: bytes) -> Any:
    return Interpreter(model_content=content, num_threads=1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", RUNNABLE)
def test_every_plan_of_a_small_model_equals_the_whole(name: str, kind: str) -> None:
    model = RUNNABLE[name]()
    assert first_difference(model, plan_kinds(model.graph)[kind], litert) is None


@pytest.mark.parametrize("name", ["squeezenet_1_1", "encoder_decoder", "eagleeye_detector"])
def test_every_plan_of_a_zoo_net_equals_the_whole(name: str) -> None:
    net = generated(name)
    assert net is not None
    model = net.build()
    for kind, parts in plan_kinds(model.graph).items():
        assert first_difference(model, parts, litert) is None, kind


@pytest.mark.slow
@pytest.mark.parametrize("name", [net.name for net in GENERATED])
def test_every_plan_of_every_generated_net_equals_the_whole(name: str) -> None:
    net = generated(name)
    assert net is not None
    model = net.build()
    for kind, parts in plan_kinds(model.graph).items():
        assert first_difference(model, parts, litert) is None, kind


def test_plans_cover_every_op_once_and_differ() -> None:
    model = RUNNABLE["quantized"]()
    for parts in plan_kinds(model.graph).values():
        assert sorted(op for part in parts for op in part) == list(model.graph.compute_ops)
    assert len(contiguous(model.graph, 2)) == 2
    units = fallback(model.graph, GAPS[:2])
    assert units != contiguous(model.graph, len(units))


def test_the_comparison_sees_another_delegate_in_the_chain() -> None:
    model = chain(convolutions=6)
    whole = write_whole(model).content

    def mixed(content: bytes) -> InterpreterLike:
        plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        options = {} if content == whole else {"experimental_op_resolver_type": plain}
        made: InterpreterLike = Interpreter(model_content=content, num_threads=1, **options)
        return made

    difference = first_difference(model, contiguous(model.graph, 2), mixed)
    assert difference is not None
    assert difference.largest is not None
    assert 0 < difference.largest < 1e-3


def test_the_comparison_sees_lost_state() -> None:
    model = RUNNABLE["resource_variable"]()

    class Forgetful:
        """Loads the file again before every run, so that nothing is kept."""

        def __init__(self, content: bytes) -> None:
            self.content = content
            self.allocate_tensors()

        def allocate_tensors(self) -> None:
            self.inner = litert(self.content)
            self.inner.allocate_tensors()

        def invoke(self) -> None:
            values = [
                self.inner.get_tensor(d["index"]).copy() for d in self.inner.get_input_details()
            ]
            self.allocate_tensors()
            for d, value in zip(self.inner.get_input_details(), values, strict=True):
                self.inner.set_tensor(d["index"], value)
            self.inner.invoke()

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

    whole = write_whole(model).content

    def make(content: bytes) -> Any:
        return litert(content) if content == whole else Forgetful(content)

    difference = first_difference(model, atoms(model.graph), make)
    assert difference is not None
    assert difference.step == 1


def test_parts_of_weight_ops_alone_run_and_change_nothing() -> None:
    model = RUNNABLE["half_weights"]()
    parts = [model.graph.weight_ops, *atoms(model.graph)]
    assert first_difference(model, parts, litert) is None


def test_slices_around_a_custom_op_load_and_the_op_itself_does_not() -> None:
    model = custom_op()
    head, custom, tail = plan_kinds(model.graph)["atoms"]
    for part in (head, tail):
        litert(write_slice(model, part).content).allocate_tensors()
    with pytest.raises(RuntimeError, match="BandUnknown"):
        litert(write_slice(model, custom).content).allocate_tensors()
