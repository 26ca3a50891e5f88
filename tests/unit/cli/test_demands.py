"""``--rules`` and ``--strict`` of the verbs that cut models."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from band.cli.main import build_app
from band.errors import BandError, ErrorCode
from band.testing import models

RULES = """\
exclude:
  - processor: gpu
    ops: [ADD, 99]
only: {processor: [cpu, gpu], ops: CONV_2D}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "residual.tflite").write_bytes(models.residual().content)
    (tmp_path / "rules.yaml").write_text(RULES, encoding="utf-8")
    return tmp_path


def run(verb: str, folder: Path, *args: object) -> Result:
    given = [verb, str(folder / "residual.tflite"), "--device", "snapdragon_8gen3"]
    return CliRunner().invoke(build_app(), [*given, *map(str, args)])


def refused(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)["unsupported"]
    return found


def test_analyze_shows_the_rule_as_the_reason_and_warns_of_what_matches_nothing(
    folder: Path,
) -> None:
    result = run("analyze", folder, "--rules", folder / "rules.yaml", "--json", "-")
    reasons = {(u["type"], u["processor"]): u["reason"] for u in refused(result)}
    assert reasons["ADD", "gpu"] == "excluded by rule rules.yaml:2"
    assert reasons["CONV_2D", "npu"] == "kept on cpu, gpu by rule rules.yaml:4"
    warning = "warning: rule rules.yaml:2: no op of model residual matches 99"
    assert warning in result.stderr.replace("\n", " ")
    assert "warning" not in result.stdout


def test_strict_lets_through_what_accelerators_take(folder: Path) -> None:
    result = run("analyze", folder, "--strict", "--json", "-")
    assert json.loads(result.stdout)["plan"]
    assert result.exit_code == 0


def test_strict_refuses_what_would_fall_back_and_names_it(folder: Path) -> None:
    (folder / "rules.yaml").write_text("exclude: {processor: npu, ops: MEAN}\n", encoding="utf-8")
    for verb, more in (("analyze", ()), ("slice", ("--out", folder / "out"))):
        result = run(verb, folder, "--strict", "--rules", folder / "rules.yaml", *more)
        error = result.exception
        assert isinstance(error, BandError)
        assert error.code is ErrorCode.FALLBACK_REFUSED
        assert error.outcome.exit_code == 3
        assert "(MEAN): gpu takes no MEAN (tflite_gpu_delegate.yaml:" in error.message
        assert "npu: excluded by rule rules.yaml:1" in error.message


def test_the_processors_of_a_file_stay_in_force_beside_strict(folder: Path) -> None:
    (folder / "rules.yaml").write_text("strict: gpu\n", encoding="utf-8")
    result = run("analyze", folder, "--strict", "--rules", folder / "rules.yaml")
    assert isinstance(result.exception, BandError)
    assert "since gpu takes none of these" in result.exception.message
    (folder / "rules.yaml").write_text("strict: false\n", encoding="utf-8")
    assert run("analyze", folder, "--strict", "--rules", folder / "rules.yaml").exit_code == 0


def test_slices_obey_the_rules(folder: Path) -> None:
    (folder / "rules.yaml").write_text(
        "exclude: {processor: [gpu, npu], ops: ADD}\n", encoding="utf-8"
    )
    result = run(
        "slice", folder, "--out", folder / "out", "--rules", folder / "rules.yaml", "--all"
    )
    assert result.exit_code == 0, result.output
    manifest = json.loads((folder / "out" / "slices.json").read_text(encoding="utf-8"))
    adds = {op.index for op in models.residual().graph.ops if op.type == "ADD"}
    assert adds
    for row in manifest["slices"]:
        if adds & set(row["ops"]):
            assert row["processors"] == ["cpu"]


def test_check_warns_and_refuses_as_well(folder: Path) -> None:
    result = run("check", folder, "--rules", folder / "rules.yaml", "--json", "-")
    assert result.exit_code == 0, result.output
    assert "no op of model residual matches 99" in result.stderr.replace("\n", " ")
    (folder / "rules.yaml").write_text("strict: gpu\n", encoding="utf-8")
    result = run("check", folder, "--rules", folder / "rules.yaml", "--json", "-")
    assert result.exit_code == 2
    (model,) = json.loads(result.stdout)["models"]
    assert model["reason"].startswith("strict mode refuses model residual")


def test_a_profile_measures_only_what_the_rules_allow(folder: Path) -> None:
    (folder / "rules.yaml").write_text("exclude: {processor: cpu0}\n", encoding="utf-8")
    model, out = folder / "residual.tflite", folder / "p.json"
    args = ["profile", model, "--out", out, "--runs", 1, "--rules", folder / "rules.yaml"]
    result = CliRunner().invoke(build_app(), [str(a) for a in args])
    if isinstance(result.exception, BandError):  # a host of one core has no other processor
        assert "excluded by rule rules.yaml:1" in result.exception.message
    else:
        measured = json.loads(out.read_text(encoding="utf-8"))["measured"]
        assert measured
        assert "cpu0" not in {row["processor"] for row in measured}
