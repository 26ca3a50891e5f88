"""``band check`` over real models: every chain of slices equals the whole model bit for bit."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from band.analysis.plan_kinds import apart
from band.cli.main import build_app
from band.model.tflite_reader import read_model
from band.testing.data import NO_DATA, data_dir, real_models

# No runtime has a kernel for their custom ops, so there is no whole model to compare with.
# Value: the custom ops, and parts without and with them when cut around these.
CUSTOM_OPS = {
    "face_landmark_with_attention": (
        {"Landmarks2TransformMatrix", "TransformTensorBilinear", "TransformLandmarks"},
        (3, 2),
    ),
    "posenet_075_481_641_decoder": ({"PosenetDecoderOp"}, (1, 1)),
}
# A second or less each; fp16 weights, skip tensors, resource variables, a refusal.
FAST = ("hand_landmark_full", "face_detection_short_range", "mww_alexa")
KINDS = ["K=2", "K=3", "K=4", "fallback-2", "fallback-3", "atoms"]
STREAMING = {"lstm_mnist_int8", "mww_alexa", "mww_hey_jarvis", "mww_hey_mycroft"}
HEAVY = ("edsr_f32b5_fp32", "edsr_f32b5_int8")  # half of the time, and 1 GB of activations
MINIMUM_MODELS = 12


def check(paths: list[Path], *options: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Return the exit code of the verb, and what it found by model."""
    command = ["check", *map(str, paths), "--json", "-", *options]
    result = CliRunner().invoke(build_app(), command)
    rows = json.loads(result.stdout)["models"]
    return result.exit_code, {row["model"]: row for row in rows}


def real_model(name: str) -> Path:
    folder = data_dir("models")
    if folder is None:
        pytest.skip(NO_DATA)
    return folder / f"{name}.tflite"


def assert_equal(row: dict[str, Any]) -> None:
    assert row["ok"], row["reason"]
    assert [plan["kind"] for plan in row["plans"]] == KINDS
    assert all(plan["equal"] and plan["max_abs_diff"] == 0 for plan in row["plans"])
    assert row["parts_refused"] == []


def test_every_plan_of_some_real_models_equals_the_whole() -> None:
    code, found = check([real_model(name) for name in FAST])
    assert code == 0
    assert tuple(found) == FAST
    for row in found.values():
        assert_equal(row)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_plan_of_every_real_model_equals_the_whole() -> None:
    paths = [path for path in real_models() if path.stem not in HEAVY]
    if not paths:
        pytest.skip(NO_DATA)
    code, found = check(paths)
    assert code == 2
    assert {name for name, row in found.items() if not row["ok"]} == set(CUSTOM_OPS)
    runnable = {name: row for name, row in found.items() if name not in CUSTOM_OPS}
    assert len(runnable) >= MINIMUM_MODELS
    assert set(runnable) >= STREAMING
    for row in runnable.values():
        assert_equal(row)
    for name, (types, _) in CUSTOM_OPS.items():
        assert_refused(name, found[name], types)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_plan_of_a_model_with_large_activations_equals_the_whole() -> None:
    code, found = check([real_model(name) for name in HEAVY])
    assert code == 0
    for row in found.values():
        assert_equal(row)


def assert_refused(name: str, row: dict[str, Any], types: set[str]) -> None:
    """Check that the ops to blame are named and everything else was run."""
    graph = read_model(real_model(name)).graph
    blamed = {op.index for op in graph.ops if op.type.removeprefix("CUSTOM:") in types}
    assert all(kind in row["reason"] for kind in types)
    assert {op for part in row["parts_refused"] for op in part["ops"]} == blamed
    pieces = [piece for piece in apart(graph, blamed) if blamed.issuperset(piece)]
    assert [part["ops"] for part in row["parts_refused"]] == [list(piece) for piece in pieces]
    assert row["parts_run"] > len(graph.compute_ops) - len(blamed)


@pytest.mark.parametrize("name", CUSTOM_OPS)
def test_slices_around_a_custom_op_are_as_few_as_can_be(name: str) -> None:
    graph = read_model(real_model(name)).graph
    types, counts = CUSTOM_OPS[name]
    blamed = {op.index for op in graph.ops if op.type.removeprefix("CUSTOM:") in types}
    parts = apart(graph, blamed)
    refused = sum(1 for part in parts if blamed.intersection(part))
    assert (len(parts) - refused, refused) == counts


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("device", ["pixel4", "snapdragon_865", "coral_dev_board"])
def test_the_plans_and_subgraphs_of_a_device_equal_the_whole(device: str) -> None:
    names = ("hand_landmark_full", "movenet_lightning_int8", "selfie_segmentation", "dtln_2")
    code, found = check([real_model(name) for name in names], "--device", device)
    assert code == 0, {row["reason"] for row in found.values()}
    for row in found.values():
        kinds = [plan["kind"] for plan in row["plans"]]
        assert kinds[: len(KINDS)] == KINDS
        assert {f"{device} plan 1", f"{device} subgraphs"} <= set(kinds)
        assert all(plan["equal"] for plan in row["plans"])
