"""The cost model keeps its promises on real models that it has not seen."""

from pathlib import Path
from types import ModuleType

import pytest

from band.testing.data import NO_DATA, data_dir

BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"
CHOSEN = (
    "face_detection_short_range", "hand_landmark_lite", "iris_landmark", "mobilenet_v1_025_uint8",
    "mobilenet_v2_nchw_int8", "mobilenet_v2_uint8", "movenet_lightning_int8", "palm_detection_lite",
    "resnet_cifar_float", "selfie_segmentation",
)  # fmt: skip


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import cost_model  # noqa: PLC0415 - a script, not a module

    return cost_model


def test_without_real_models_the_benchmark_says_what_it_needs(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BAND_TEST_DATA", raising=False)
    found = benchmark.run(3)
    assert (found["benchmark"], found["skipped"]) == ("cost_model", NO_DATA)
    assert found["metrics"] == {}


@pytest.mark.slow
def test_held_back_ranges_and_models_are_predicted_within_the_agreed_error(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = data_dir("models")
    if folder is None:
        pytest.skip(NO_DATA)
    paths = tuple(folder / f"{name}.tflite" for name in CHOSEN)
    monkeypatch.setattr(benchmark, "real_models", lambda: paths)
    metrics = benchmark.run(7)["metrics"]
    assert metrics["cost_model_models"] == len(CHOSEN)
    assert metrics["cost_model_range_parts"] >= 50
    assert metrics["cost_model_model_parts"] >= 80
    assert metrics["cost_model_range_error_median"] <= 0.15
    assert metrics["cost_model_model_error_median"] <= 0.25
