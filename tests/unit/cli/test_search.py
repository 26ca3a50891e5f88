import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from band.cli.main import build_app
from band.errors import BandError


def band(*args: object) -> Result:
    return CliRunner().invoke(build_app(), [str(arg) for arg in args], catch_exceptions=True)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    path = tmp_path / "t.jsonl"
    made = band("trace", "generate", "demo_generated", "--seconds", 1, "--seed", 3, "--out", path)
    assert made.exit_code == 0, made.output
    return path


def test_a_plan_is_written_played_and_the_same_for_a_seed(trace: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    args = ("search", trace, "--device", "snapdragon_8gen3", "--generations", 4, "--population", 8)
    first = band(*args, "--out", plan, "--json", "-")
    assert first.exit_code == 0, first.output
    document = json.loads(first.stdout)
    assert document["objective"] == "slo"
    assert document["word"] == "simulated"
    assert 0 <= document["core"][0] <= 1
    assert yaml.safe_load(plan.read_text()) == {"name": "static_plan", "params": document["plan"]}
    assert json.loads(band(*args, "--json", "-").stdout) == document
    replayed = band(
        "replay", trace, "--device", "snapdragon_8gen3", "--policy", plan, "--json", "-"
    )
    assert replayed.exit_code == 0, replayed.output
    (run,) = json.loads(replayed.stdout)["runs"]
    assert run["policy"] == str(plan)
    assert run["slo_satisfaction"] == pytest.approx(document["core"][0], abs=1e-6)
    assert not run["reports"]


def test_without_a_file_the_plan_goes_to_stdout_and_every_figure_says_simulated(
    trace: Path,
) -> None:
    shown = band(
        "search", trace, "--device", "pixel4", "--objective", "latency", "--generations", 1,
        "--population", 8,
    )  # fmt: skip
    assert shown.exit_code == 0, shown.output
    assert "name: static_plan" in shown.stdout
    assert shown.stdout.count("simulated") >= 2


def test_a_plan_of_another_device_falls_back_and_says_so(trace: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    band(
        "search", trace, "--device", "snapdragon_8gen3", "--generations", 1, "--population", 8,
        "--out", plan,
    )  # fmt: skip
    text = plan.read_text().replace("processor: npu", "processor: tpu")
    assert "tpu" in text
    plan.write_text(text)
    replayed = band("replay", trace, "--device", "pixel4", "--policy", plan, "--json", "-")
    (run,) = json.loads(replayed.stdout)["runs"]
    assert any("left its static plan" in report for report in run["reports"])
    assert run["requests"]["completed"] == run["requests"]["sent"]


def test_an_unknown_objective_is_one_sentence(trace: Path) -> None:
    failed = band("search", trace, "--objective", "speed")
    assert isinstance(failed.exception, BandError)
    assert "known: slo" in failed.exception.message
