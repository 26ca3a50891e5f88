import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from band.cli.main import build_app
from band.errors import BandError, ErrorCode
from band.runtime import profiler
from band.runtime.profiling import read_profile
from band.testing import models

RUNNER = CliRunner()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "chain.tflite"
    path.write_bytes(models.chain().content)
    return path


def _run(*args: object) -> str:
    result = RUNNER.invoke(build_app(), [str(a) for a in args])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_measurements_are_printed_and_written(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    printed = _run("profile", model, "--runs", 2, "--out", path)
    profile = read_profile(path)
    assert json.loads(path.read_text())["format"] == "band-profile"
    assert profile.device == "host"
    assert {m.model for m in profile.measured} == {"chain"}
    assert "ai-edge-litert" in printed
    assert "cpu0" in printed


def test_each_measurement_stands_beside_what_the_cost_model_says(
    model: Path, tmp_path: Path
) -> None:
    path = tmp_path / "p.json"
    printed = _run("profile", model, "--runs", 2, "--out", path)
    profile = read_profile(path)
    entry = next(m for m in profile.measured if m.error is not None)
    row = next(line for line in printed.splitlines() if line.startswith("chain"))
    assert printed.splitlines()[0].split()[-2:] == ["predicted", "error"]
    assert row.split()[-1] == f"{entry.error:+.1%}"
    assert "median error" in printed
    assert "held back in turns" in printed
    names = ", ".join(profile.fits[0].processors)
    assert f"cost model of {names}:" in printed


def test_without_ranges_only_what_is_loaded_is_measured(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    printed = _run("profile", model, "--runs", 1, "--ranges", 0, "--out", path)
    profile = read_profile(path)
    assert {len(m.ops) for m in profile.measured} == {len(models.chain().graph.compute_ops)}
    assert profile.fits == ()
    assert "cost model" not in printed


def test_every_emulated_figure_says_so(model: Path, tmp_path: Path) -> None:
    printed = _run(
        "profile", model, "--device", "pixel4", "--runs", 1, "--out", tmp_path / "p.json"
    )
    rows = [line for line in printed.splitlines() if line.startswith("chain")]
    assert rows
    assert all(row.count("(emulated)") == 3 for row in rows)


def test_models_and_device_may_come_from_a_daemons_file(model: Path, tmp_path: Path) -> None:
    config = tmp_path / "daemon.yaml"
    config.write_text(yaml.safe_dump({"device": "pixel4", "models": [{"path": model.name}]}))
    path = tmp_path / "p.json"
    _run("profile", "--config", config, "--runs", 1, "--out", path)
    assert read_profile(path).device == "pixel4"


def test_rules_of_a_models_entry_hold_for_that_model_alone(model: Path, tmp_path: Path) -> None:
    (tmp_path / "other.tflite").write_bytes(models.residual().content)
    config = tmp_path / "daemon.yaml"
    entries = [
        {"path": model.name, "exclude": {"processor": ["gpu", "npu"]}},
        {"path": "other.tflite"},
    ]
    config.write_text(yaml.safe_dump({"device": "pixel4", "models": entries}))
    path = tmp_path / "p.json"
    _run("profile", "--config", config, "--all", "--runs", 1, "--out", path)
    measured = read_profile(path).measured
    assert {m.processor for m in measured if m.model == "chain"} == {"cpu"}
    assert {m.processor for m in measured if m.model == "other"} == {"cpu", "gpu"}


def test_strict_in_a_models_entry_refuses_that_model(model: Path, tmp_path: Path) -> None:
    config = tmp_path / "daemon.yaml"
    entry = {"path": model.name, "exclude": {"processor": "gpu"}, "strict": "gpu"}
    config.write_text(yaml.safe_dump({"device": "pixel4", "models": [entry]}))
    with pytest.raises(BandError, match="strict mode refuses model chain") as caught:
        _run("profile", "--config", config, "--runs", 1, "--out", tmp_path / "p.json")
    assert caught.value.outcome.exit_code == 3


def test_no_more_ranges_are_measured_than_there_are_ops(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    _run("profile", model, "--runs", 1, "--ranges", 10**12, "--out", path)
    measured = [m.ops for m in read_profile(path).measured if m.processor == "cpu0"]
    assert 1 < len(measured) <= 1 + len(models.chain().graph.compute_ops)


def test_without_a_model_there_is_nothing_to_measure(tmp_path: Path) -> None:
    with pytest.raises(BandError, match="nothing to measure") as caught:
        _run("profile", "--out", tmp_path / "p.json")
    assert caught.value.code is ErrorCode.INVALID_REQUEST


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_measured(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profiler, "profile_models", pytest.fail)
    for place, why in ((tmp_path / "none" / "p.json", "no folder"), (tmp_path, "is a folder")):
        with pytest.raises(BandError, match=f"{why}.*name another file"):
            _run("profile", model, "--runs", 1, "--out", place)
