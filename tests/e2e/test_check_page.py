"""What docs/check.md says of kinds, JSON and exit codes is true."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from band.analysis import cuts
from band.analysis.plan_kinds import plan_kinds
from band.cli.main import build_app
from band.runtime.check_report import STEPS, CheckedModel
from band.testing.models import custom_op, skip_connection

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "check.md").read_text(encoding="utf-8")


def fields(text: str) -> set[str]:
    return set(re.findall(r'"(\w+)"', text))


def test_the_table_names_every_kind() -> None:
    column = "".join(line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `"))
    named = [kind for kind in re.findall(r"`([^`]+)`", column) if not kind.startswith("D ")]
    assert named == list(plan_kinds(skip_connection().graph))


def test_the_json_document_has_the_fields_of_the_page(tmp_path: Path) -> None:
    for model in (custom_op(), skip_connection()):
        (tmp_path / f"{model.name}.tflite").write_bytes(bytes(model.content))
    paths = sorted(map(str, tmp_path.glob("*.tflite")))
    answer = CliRunner().invoke(build_app(), ["check", *paths, "--json", "-"]).stdout
    (written,) = re.findall(r'`(\{"models".*?\})`', PAGE)
    assert fields(written) == set().union(*(keys(json.loads(answer))))


def keys(value: object) -> list[set[str]]:
    """Return the keys of all objects inside a JSON value."""
    if isinstance(value, dict):
        return [set(value), *(found for each in value.values() for found in keys(each))]
    if isinstance(value, list):
        return [found for each in value for found in keys(each)]
    return [set()]


def test_defaults_are_those_of_the_page() -> None:
    assert f"is run {STEPS} times" in PAGE
    assert cuts.TOLERANCE == 0.5
    assert "within half of an equal share" in PAGE
    help_text = CliRunner().invoke(build_app(), ["check", "--help"]).stdout
    assert re.search(rf"--steps.*default: {STEPS}", help_text)


@pytest.mark.parametrize(
    ("model", "ok"),
    [(CheckedModel(model="m"), True), (CheckedModel(model="m", refused=True), False)],
)
def test_a_refused_model_is_never_ok(model: CheckedModel, ok: bool) -> None:
    assert model.ok is ok
    assert model.document()["ok"] is ok
