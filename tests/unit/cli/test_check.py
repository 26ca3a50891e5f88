"""``band check``: its table, its JSON and its exit codes."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from band.cli.main import build_app
from band.runtime import check_process
from band.runtime.check_report import CheckedModel, CheckedPlan, CheckOptions
from band.testing.models import custom_op, resource_variable, skip_connection

KINDS = ["K=2", "K=3", "K=4", "fallback-2", "fallback-3", "atoms"]
BLAME = "has no kernel for the custom op BandUnknown (op 1)"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for model in (custom_op(), resource_variable(), skip_connection()):
        (tmp_path / f"{model.name}.tflite").write_bytes(bytes(model.content))
    (tmp_path / "torn.tflite").write_bytes(b"TFL3, or not")
    return tmp_path


def check(*arguments: str | Path) -> Result:
    return CliRunner().invoke(build_app(), ["check", *map(str, arguments)])


def rows(result: Result) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(result.stdout)["models"]
    return found


def test_equal_models_exit_0_with_every_kind_named(folder: Path) -> None:
    result = check(folder / "skip_connection.tflite", "--json", "-")
    assert result.exit_code == 0
    (row,) = rows(result)
    assert (row["model"], row["ok"], row["reason"]) == ("skip_connection", True, None)
    assert [plan["kind"] for plan in row["plans"]] == KINDS
    assert all(plan["equal"] and plan["max_abs_diff"] == 0 for plan in row["plans"])
    assert [plan["parts"] for plan in row["plans"]][:3] == [2, 3, 4]
    assert row["parts_run"] > 6
    assert row["parts_refused"] == []


def test_a_refused_model_exits_2_and_its_other_slices_are_run(folder: Path) -> None:
    names = ("custom_op", "resource_variable", "torn")
    result = check(*(folder / f"{name}.tflite" for name in names), "--json", "-", "--steps", "3")
    assert result.exit_code == 2
    custom, state, torn = rows(result)
    assert not custom["ok"]
    assert BLAME in custom["reason"]
    assert custom["plans"] == []
    assert custom["parts_run"] == 2
    assert [part["ops"] for part in custom["parts_refused"]] == [[1]]
    assert BLAME in custom["parts_refused"][0]["reason"]
    assert state["ok"]
    assert (torn["model"], torn["ok"], torn["parts_run"]) == ("torn", False, 0)
    assert torn["reason"]


def test_a_device_adds_its_plans_and_subgraphs(folder: Path) -> None:
    result = check(folder / "skip_connection.tflite", "--device", "pixel4", "--json", "-")
    assert result.exit_code == 0, result.stderr
    kinds = [plan["kind"] for plan in rows(result)[0]["plans"]]
    assert kinds[:6] == KINDS
    assert kinds[6] == "pixel4 plan 1"
    assert kinds[-1] == "pixel4 subgraphs"


def test_a_device_that_cannot_run_a_model_refuses_it_after_the_rest(folder: Path) -> None:
    (folder / "small.yaml").write_text(
        """
name: small
version: "1"
description: takes convolutions only
processors:
  - name: npu
    kind: npu
    backend: emulated
    support: {source: a test, ops: {CONV_2D: }}
    costs:
      float32:
        dispatch_us: {value: 1, mark: hypothesis, source: a test}
        us_per_gmac: {value: 1, mark: hypothesis, source: a test}
""",
        encoding="utf-8",
    )
    model = folder / "skip_connection.tflite"
    result = check(model, "--device", folder / "small.yaml", "--json", "-")
    assert result.exit_code == 2
    (row,) = rows(result)
    assert "npu takes no RELU" in row["reason"]
    assert [plan["kind"] for plan in row["plans"]] == KINDS
    assert all(plan["equal"] for plan in row["plans"])


def test_the_table_has_a_row_per_model_and_progress_is_on_stderr(folder: Path) -> None:
    result = check(folder / "custom_op.tflite", folder / "skip_connection.tflite")
    assert result.exit_code == 2
    header, refused, equal = result.stdout.splitlines()
    assert header.split()[:3] == ["model", "ops", "K=2"]
    assert refused.split()[0] == "custom_op"
    assert refused.split()[-1] == "refused"
    assert equal.split()[:4] == ["skip_connection", "6", "2", "ok"]
    assert equal.split()[-1] == "equal"
    assert "custom_op: refused: " in result.stderr
    assert "skip_connection: equal in 6 plan kinds" in result.stderr


def test_a_plan_that_differs_exits_1_unless_a_model_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def differs(ref: str, options: CheckOptions, stage: object) -> CheckedModel:
        if ref == "refused":
            return CheckedModel(model=ref, refused=True, reason="no")
        plan = CheckedPlan(kind="K=2", parts=2, equal=False, max_abs_diff=None, reason="K=2: bad")
        return CheckedModel(model=ref, ops=6, reason=plan.reason, plans=(plan,), parts_run=2)

    monkeypatch.setattr(check_process, "check_apart", differs)
    only = check("net", "--json", "-")
    assert only.exit_code == 1
    assert rows(only)[0]["plans"][0]["max_abs_diff"] is None
    assert not rows(only)[0]["ok"]
    table = check("net")
    assert "2 DIFFERS" in table.stdout
    assert "net: differs: K=2: bad" in table.stderr
    assert check("net", "refused").exit_code == 2
