"""Chains of slices of real models equal the whole model bit for bit."""

from pathlib import Path
from typing import Any

import pytest
from ai_edge_litert.interpreter import Interpreter

from band.model.graph import Graph
from band.model.tflite_reader import read_model
from band.model.tflite_writer import write_slice
from band.testing.chains import fallback, filled, first_difference, plans
from band.testing.data import NO_DATA, data_dir, real_models

# No runtime has a kernel for their custom ops, so there is no whole model to compare with.
# Value: parts without and with custom ops, when cut around these.
CUSTOM_OPS = {
    "face_landmark_with_attention": (3, 2),
    "posenet_075_481_641_decoder": (1, 1),
}
# A second or less each; fp16 weights, skip tensors, resource variables. The rest is slow.
FAST = ("hand_landmark_full", "face_detection_short_range", "mww_alexa")
MINIMUM_MODELS = 12


def litert(content: bytes) -> Any:
    return Interpreter(model_content=content, num_threads=1)


def check_all_plans(path: Path) -> None:
    model = filled(read_model(path), litert)
    for kind, parts in plans(model.graph).items():
        assert first_difference(model, parts, litert) is None, kind


def real_model(name: str) -> Path:
    folder = data_dir("models")
    if folder is None:
        pytest.skip(NO_DATA)
    return folder / f"{name}.tflite"


@pytest.mark.parametrize("name", FAST)
def test_every_plan_of_some_real_models_equals_the_whole(name: str) -> None:
    check_all_plans(real_model(name))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", real_models() or [None], ids=lambda p: p.stem if p else "none")
def test_every_plan_of_every_real_model_equals_the_whole(path: Path | None) -> None:
    if path is None:
        pytest.skip(NO_DATA)
    if path.stem in CUSTOM_OPS:
        pytest.skip(f"{path.stem} has custom ops that no runtime has, so it cannot run whole")
    check_all_plans(path)


@pytest.mark.slow
def test_the_folder_holds_enough_models_to_say_so() -> None:
    if not real_models():
        pytest.skip(NO_DATA)
    runnable = [p for p in real_models() if p.stem not in CUSTOM_OPS]
    assert len(runnable) >= MINIMUM_MODELS


@pytest.mark.slow
@pytest.mark.parametrize("name", CUSTOM_OPS)
def test_all_parts_without_custom_ops_load_and_run(name: str) -> None:
    model = read_model(real_model(name))
    ran = refused = 0
    for part in custom_and_plain_parts(model.graph):
        interpreter = litert(write_slice(model, part).content)
        if any(model.graph.ops[op].type.startswith("CUSTOM:") for op in part):
            with pytest.raises(RuntimeError, match="unresolved custom op"):
                interpreter.allocate_tensors()
            refused += 1
        else:
            interpreter.allocate_tensors()
            interpreter.invoke()
            ran += 1
    assert (ran, refused) == CUSTOM_OPS[name]


def custom_and_plain_parts(graph: Graph) -> list[tuple[int, ...]]:
    """Return alternating maximal ready sets of plain and of custom ops."""
    custom = frozenset(op.type for op in graph.ops if op.type.startswith("CUSTOM:"))
    return list(fallback(graph, custom))
