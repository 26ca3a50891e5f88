"""``band analyze`` on generated models, and on the model of golden case a."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer

from band.cli import analyze
from band.errors import BandError, ErrorCode
from band.report.ranges import ranges_text
from band.runtime.host import this_host
from band.runtime.profiling import Measured, Profile
from band.testing import models
from band.testing.data import NO_DATA, data_dir

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
DEVICE = """
name: tiny
version: "1"
description: A CPU, a GPU that takes no MEAN, an NPU that is not there.
processors:
  - name: cpu
    kind: cpu
    backend: emulated
    support: {source: made up}
    costs: &costs
      float32: {dispatch_us: {value: 100, mark: hypothesis, source: made up},
                us_per_gmac: {value: 100000, mark: hypothesis, source: made up}}
  - name: gpu
    kind: gpu
    backend: emulated
    support: {source: made up, refused_ops: [MEAN]}
    costs: *costs
  - name: npu
    kind: npu
    backend: emulated
    available: false
    support: {source: made up}
    costs: *costs
"""


@pytest.fixture
def device(tmp_path: Path) -> str:
    path = tmp_path / "tiny.yaml"
    path.write_text(DEVICE, encoding="utf-8")
    return str(path)


@pytest.fixture
def model(tmp_path: Path) -> str:
    path = tmp_path / "chain.tflite"
    path.write_bytes(models.chain().content)
    return str(path)


def _run(*args: str) -> None:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.callback()(lambda: None)
    analyze.register(app)
    app(args=["analyze", *args], standalone_mode=False)


def _document(capsys: pytest.CaptureFixture[str], *args: str) -> dict[str, Any]:
    _run(*args, "--json", "-")
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_json_holds_units_subgraphs_refusals_and_the_plan(
    capsys: pytest.CaptureFixture[str], model: str, device: str
) -> None:
    found = _document(capsys, model, "--device", device)
    assert (found["model"], found["device"], found["mode"]) == ("chain", "tiny", "cost")
    assert (found["ops"], found["definitions"], found["emulated"]) == (5, 5, True)
    assert found["units"] == [
        {"ops": [0, 1, 2], "processors": ["cpu", "gpu"]},
        {"ops": [3], "processors": ["cpu"]},
        {"ops": [4], "processors": ["cpu", "gpu"]},
    ]
    assert {"processor": "cpu", "units": [0, 1, 2], "ops": [0, 1, 2, 3, 4]} in found["subgraphs"]
    assert {"processor": "gpu", "units": [2], "ops": [4]} in found["subgraphs"]
    assert len(found["subgraphs"]) == 8
    (refused,) = found["unsupported"]
    assert (refused["op"], refused["type"], refused["processor"]) == (3, "MEAN", "gpu")
    assert "MEAN" in refused["reason"]
    assert [step["processor"] for step in found["plan"]] == ["cpu"]
    assert found["plan"][0]["ops"] == [0, 1, 2, 3, 4]
    assert found["predicted_us"] == found["plan"][0]["predicted_us"]
    assert [b["bytes"] for b in found["boundaries"]] == [0, 16 * 16 * 8 * 4, 8 * 4, 0]


def test_options_reach_the_analysis(
    capsys: pytest.CaptureFixture[str], model: str, device: str
) -> None:
    found = _document(
        capsys, model, "--device", device, "--mode", "band", "--min-subgraph-size", "2",
        "--preparation", "unit_subgraph",
    )  # fmt: skip
    assert (found["mode"], found["preparation"]) == ("band", "unit_subgraph")
    assert found["minimum_subgraph_size"] == 2
    assert found["units"] == [
        {"ops": [0, 1, 2], "processors": ["cpu", "gpu"]},
        {"ops": [3, 4], "processors": ["cpu"]},
    ]
    assert len(found["subgraphs"]) == found["definitions"] == 3


def test_measured_costs_replace_estimates(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, model: str, device: str
) -> None:
    measured = Measured(
        model="chain",
        sha256=models.chain().graph.sha256,
        ops=(0, 1, 2, 3, 4),
        processor="cpu",
        runtime="ai-edge-litert",
        runtime_version="1",
        delegate="xnnpack",
        threads=1,
        word="emulated",
        runs=3,
        mean_us=7,
        p95_us=9,
    )
    path = tmp_path / "profile.json"
    profile = Profile(
        device="tiny",
        device_version="1",
        host=this_host(),
        band_version="0",
        measured=(measured,),
    )
    profile.write(path)
    found = _document(capsys, model, "--device", device, "--profile", str(path))
    assert found["predicted_us"] == 7


def test_tables_name_units_processors_reasons_and_the_prediction(
    capsys: pytest.CaptureFixture[str], model: str, device: str
) -> None:
    _run(model, "--device", device)
    printed = capsys.readouterr().out
    assert "3 units, 5 definitions, 8 subgraphs" in printed
    assert "not available" in printed  # the NPU
    assert "MEAN 1" in printed
    assert "predicted on the idle emulated device" in printed


def test_a_partition_without_plan_says_why_and_is_shown_all_the_same(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, device: str
) -> None:
    # Band's mode puts the DEQUANTIZE ops of fp16 weights into a unit of their own.
    path = tmp_path / "half.tflite"
    path.write_bytes(models.half_weights().content)
    text = DEVICE.replace("[MEAN]", "[DEQUANTIZE]")
    Path(device).write_text(text, encoding="utf-8")
    _run(
        str(path), "--device", device, "--mode", "band", "--min-subgraph-size", "1",
        "--preparation", "unit_subgraph", "--json", "-",
    )  # fmt: skip
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert (found["plan"], found["predicted_us"]) == ([], None)
    assert "read constants" in found["no_plan"]
    assert "no plan:" in printed.err


def test_the_host_is_the_default_device(capsys: pytest.CaptureFixture[str], model: str) -> None:
    found = _document(capsys, model)
    assert (found["device"], found["emulated"]) == ("host", False)
    assert len(found["units"]) == 1


def test_an_op_that_runs_nowhere_is_one_sentence(tmp_path: Path, device: str) -> None:
    path = tmp_path / "custom.tflite"
    path.write_bytes(models.custom_op().content)
    with pytest.raises(BandError, match=r"BandUnknown.*runs on no processor of tiny") as caught:
        _run(str(path), "--device", device)
    assert caught.value.code is ErrorCode.UNSUPPORTED_MODEL
    assert caught.value.outcome.exit_code == 3


@pytest.mark.parametrize(
    ("numbers", "text"),
    [([], ""), ([4], "4"), ([0, 1, 2, 5, 7, 8], "0-2, 5, 7-8")],
)
def test_numbers_are_told_as_ranges(numbers: list[int], text: str) -> None:
    assert ranges_text(numbers) == text


def test_ranges_run_over_what_is_left_out() -> None:
    assert ranges_text([2, 5, 8, 12], {2: 0, 5: 1, 8: 2, 12: 4}) == "2-8, 12"


@pytest.mark.skipif(data_dir("models") is None, reason=NO_DATA)
@pytest.mark.parametrize(("size", "counts"), [("7", (3, 10, 19)), ("1", (73, 255, 1209))])
def test_the_real_style_transfer_model_gives_the_logged_counts(
    capsys: pytest.CaptureFixture[str], size: str, counts: tuple[int, int, int]
) -> None:
    folder = data_dir("models")
    assert folder is not None
    found = _document(
        capsys, str(folder / "style_transfer_int8.tflite"), "--device", str(GOLDEN / "case_a.yaml"),
        "--mode", "band", "--min-subgraph-size", size,
    )  # fmt: skip
    assert (len(found["units"]), found["definitions"], len(found["subgraphs"])) == counts
