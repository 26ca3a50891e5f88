"""``band analyze`` on generated models, and on the model of golden case a."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.console import Console

from band.cli import analysis_view, analyze, console
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
    assert {"processor": "gpu", "units": [0], "ops": [0, 1, 2]} in found["subgraphs"]
    for part in found["subgraphs"]:
        assert part["ops"] == [op for unit in part["units"] for op in found["units"][unit]["ops"]]
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
    assert re.search(r"3 units, 5 definitions, \d+ subgraphs", printed)
    assert "not available" in printed  # the NPU
    assert "MEAN 1" in printed
    assert "predicted on the idle emulated device" in printed
    assert "no: op 3 MEAN" in printed  # why the GPU does not take the whole model
    assert "the best without cpu" in printed
    assert "Cost coefficients: cpu hypothesis; gpu hypothesis" in printed
    assert max(map(len, printed.splitlines()[3:8])) <= 80  # the picture


def test_no_table_of_an_emulated_device_has_times_without_the_word(
    capsys: pytest.CaptureFixture[str], model: str, device: str
) -> None:
    _run(model, "--device", device)
    printed = capsys.readouterr().out
    titles = re.findall(r"^(Processors|Plan|Cuts|Alternatives)\b(.*)$", printed, re.MULTILINE)
    assert len(titles) >= 3
    assert all("emulated" in rest for _, rest in titles)
    _run(model)
    assert "emulated" not in capsys.readouterr().out


def test_colour_changes_no_character(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, model: str, device: str
) -> None:
    _run(model, "--device", device)
    plain = capsys.readouterr().out
    shown = io.StringIO()
    coloured = Console(
        file=shown, force_terminal=True, color_system="truecolor", width=80, highlight=False
    )
    monkeypatch.setattr(analysis_view, "out", coloured)
    monkeypatch.setattr(console, "out", coloured)
    _run(model, "--device", device)
    assert "\x1b[" in shown.getvalue()
    assert re.sub(r"\x1b\[[0-9;]*m", "", shown.getvalue()).split() == plain.split()


def test_no_word_is_broken_in_a_narrow_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, model: str, device: str
) -> None:
    _run(model, "--device", device)
    wide = capsys.readouterr().out
    monkeypatch.setattr(console.out, "_width", 40)
    _run(model, "--device", device)
    narrow = capsys.readouterr().out
    tables = narrow[narrow.index("Processors") :]
    assert set(tables.split()) <= set(wide.split())
    assert re.search(r"^processor +kind +ops +MACs +weights +activations", tables, re.MULTILINE)


def test_json_explains_shares_memory_alternatives_and_marks(
    capsys: pytest.CaptureFixture[str], model: str, device: str
) -> None:
    found = _document(capsys, model, "--device", device)
    cpu, gpu, npu = found["processors"]
    assert cpu["takes"] == found["total"]
    assert cpu["share"] == dict.fromkeys(found["total"], 1.0)
    assert gpu["refuses"] == 1
    assert gpu["whole_model"]["hindered_by"]["op"] == 3
    assert (npu["available"], npu["refuses"], npu["whole_model"]) == (False, None, None)
    assert cpu["cost_marks"] == ["hypothesis"]
    (step,) = found["plan"]
    assert (step["cost_known"], step["cost_mark"]) == ("estimated", "hypothesis")
    assert step["load_bytes"] == step["peak_bytes"] + step["weight_bytes"]
    assert set(step["op_us"]) == {"0", "1", "2", "3", "4"}
    assert cpu["plan_without_us"] is None
    assert gpu["plan_without_us"] == found["predicted_us"]
    for plan in found["runners_up"]:
        runs = sum(s["predicted_us"] for s in plan["plan"])
        assert plan["predicted_us"] == runs + sum(c["transfer_us"] for c in plan["cuts"])
        assert plan["predicted_us"] >= found["predicted_us"]
    (group,) = found["refusals"]
    assert (group["ops"], group["types"]) == ([3], {"MEAN": 1})


def test_everything_is_listed_on_demand(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, device: str
) -> None:
    path = tmp_path / "long.tflite"
    path.write_bytes(models.chain(convolutions=40).content)
    text = DEVICE.replace("[MEAN]", "[CONV_2D, MEAN]")
    Path(device).write_text(text, encoding="utf-8")
    _run(str(path), "--device", device)
    assert "Every refused op" not in capsys.readouterr().out
    _run(str(path), "--device", device, "--verbose")
    listed = capsys.readouterr().out.split("Every refused op")[1]
    assert len(re.findall(r"^ *\d+  CONV_2D  gpu", listed, re.MULTILINE)) == 40


def test_pictures_are_written_where_they_are_wanted(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, model: str, device: str
) -> None:
    svg, nodes = tmp_path / "cut.svg", tmp_path / "nodes.json"
    _run(model, "--device", device, "--svg", str(svg), "--model-explorer", str(nodes))
    assert svg.read_text(encoding="utf-8").startswith("<svg")
    written = sorted(path.name for path in tmp_path.glob("nodes*.json"))
    assert written[:2] == ["nodes-predicted-us.json", "nodes-runner-up.json"]
    assert {"nodes.json", "nodes-takes.json", "nodes-why-not-gpu.json"} <= set(written)
    told = capsys.readouterr().err
    assert all(name in told for name in written)
    ((_, content),) = json.loads(nodes.read_text(encoding="utf-8")).items()
    assert {result["value"] for result in content["results"].values()} == {"cpu"}


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, model: str, device: str) -> None:
    place = tmp_path / "missing" / "cut.svg"
    with pytest.raises(BandError, match=r"cannot write .*cut\.svg: No such file") as caught:
        _run(model, "--device", device, "--svg", str(place))
    assert caught.value.outcome.exit_code == 2


def test_a_partition_without_plan_says_why_and_is_shown_all_the_same(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, device: str
) -> None:
    # Band's mode puts the DEQUANTIZE ops of fp16 weights into a unit of their own.
    path = tmp_path / "half.tflite"
    path.write_bytes(models.half_weights().content)
    text = DEVICE.replace("[MEAN]", "[DEQUANTIZE]")
    Path(device).write_text(text, encoding="utf-8")
    with pytest.raises(BandError, match="read constants") as caught:
        _run(
            str(path), "--device", device, "--mode", "band", "--min-subgraph-size", "1",
            "--preparation", "unit_subgraph", "--json", "-",
        )  # fmt: skip
    assert caught.value.outcome.exit_code == 3
    found = json.loads(capsys.readouterr().out)
    assert found["units"]
    assert (found["plan"], found["predicted_us"]) == ([], None)
    assert "read constants" in found["no_plan"]


def test_the_host_is_the_default_device(capsys: pytest.CaptureFixture[str], model: str) -> None:
    found = _document(capsys, model)
    assert (found["device"], found["emulated"]) == ("host", False)
    assert len(found["units"]) == 1


def test_an_op_that_runs_nowhere_is_one_sentence_after_all_that_is_known(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, device: str
) -> None:
    path, svg = tmp_path / "custom.tflite", tmp_path / "custom.svg"
    path.write_bytes(models.custom_op().content)
    with pytest.raises(BandError, match=r"BandUnknown.*runs on no processor of tiny") as caught:
        _run(str(path), "--device", device, "--svg", str(svg))
    assert caught.value.code is ErrorCode.UNSUPPORTED_MODEL
    assert caught.value.outcome.exit_code == 3
    printed = capsys.readouterr().out
    assert "1 op that no processor of tiny takes: CUSTOM:BandUnknown 1" in printed
    assert "cpu takes no custom op BandUnknown" in " ".join(printed.split())
    assert "No plan: op 1 (CUSTOM:BandUnknown)" in svg.read_text(encoding="utf-8")


def test_the_document_of_a_refused_model_names_the_ops(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, device: str
) -> None:
    path = tmp_path / "custom.tflite"
    path.write_bytes(models.custom_op().content)
    with pytest.raises(BandError, match="runs on no processor"):
        _run(str(path), "--device", device, "--json", "-")
    found = json.loads(capsys.readouterr().out)
    assert found["runs_nowhere"] == [1]
    assert (found["units"], found["plan"], found["predicted_us"]) == ([], [], None)
    assert "BandUnknown" in found["no_plan"]
    assert {u["processor"] for u in found["unsupported"] if u["op"] == 1} == {"cpu", "gpu"}


def test_a_model_that_band_itself_refuses_is_explained(
    capsys: pytest.CaptureFixture[str], model: str, device: str
) -> None:
    with pytest.raises(BandError, match="choose a preparation that allows fallback"):
        _run(
            model, "--device", str(_only_accelerators(Path(device))),
            "--preparation", "no_fallback_subgraph",
        )  # fmt: skip
    printed = capsys.readouterr().out
    assert "0 units" in printed
    assert "no: op 3 MEAN" in printed
    assert "no: op 0 CONV_2D" in printed


def _only_accelerators(device: Path) -> Path:
    """Return a device of a GPU without MEAN and an NPU without CONV_2D."""
    text = device.read_text(encoding="utf-8")
    text = text.replace("kind: cpu", "kind: dsp").replace("name: cpu", "name: dsp")
    text = text.replace(
        "support: {source: made up}", "support: {source: x, refused_ops: [CONV_2D]}", 1
    )
    device.write_text(text, encoding="utf-8")
    return device


def test_the_guide_lists_every_field_of_the_document_and_every_option(
    capsys: pytest.CaptureFixture[str], model: str, device: str
) -> None:
    guide = (Path(__file__).resolve().parents[3] / "docs" / "analyze.md").read_text(
        encoding="utf-8"
    )
    table = guide.split("## JSON")[1]
    rows = [line.split(" | ")[0] for line in table.splitlines() if line.startswith("| `")]
    listed = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(listed) == sorted(_document(capsys, model, "--device", device))
    for option in ("--verbose", "--svg", "--model-explorer", "--json"):
        assert option in guide


@pytest.mark.skipif(data_dir("models") is None, reason=NO_DATA)
def test_the_example_of_the_guide_and_the_readme_is_what_is_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = data_dir("models")
    assert folder is not None
    _run(str(folder / "hand_landmark_full.tflite"), "--device", "pixel4")
    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    root = Path(__file__).resolve().parents[3]
    for page in ("docs/analyze.md", "README.md"):
        text = (root / page).read_text(encoding="utf-8")
        block = text.split("$ band analyze hand_landmark_full --device pixel4\n")[1].split("```")[0]
        shown = block.removesuffix("...\n").rstrip().splitlines()
        assert shown == printed[: len(shown)], f"run it again and put the output into {page}"


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
