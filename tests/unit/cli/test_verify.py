"""``band verify`` says of each file whether it is safe, in one line."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from band.cli.main import build_app
from band.testing.models import chain, custom_op


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    content = bytes(chain().content)
    good, bad = tmp_path / "good.tflite", tmp_path / "bad.tflite"
    good.write_bytes(content)
    bad.write_bytes(content[:-200])
    return good, bad


def verify(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(build_app(), ["verify", *map(str, arguments)])
    return done.exit_code, done.stdout


def test_safe_models_get_a_line_each_and_exit_code_0(files: tuple[Path, Path]) -> None:
    assert verify(files[0], "squeezenet_1_1") == (0, f"{files[0]}: ok\nsqueezenet_1_1: ok\n")


def test_one_refused_model_is_named_with_the_reason_and_the_others_still_checked(
    files: tuple[Path, Path],
) -> None:
    good, bad = files
    code, said = verify(bad, good)
    refused, passed = said.splitlines()
    assert code == 2
    assert refused.startswith(f"{bad}: refused: {bad} is damaged or truncated: ")
    assert passed == f"{good}: ok"


def test_json_holds_one_entry_for_each_model(files: tuple[Path, Path], tmp_path: Path) -> None:
    code, said = verify(*files, tmp_path / "missing.tflite", "--json", "-")
    good, bad, missing = json.loads(said)["models"]
    assert code == 2
    assert good == {"model": str(files[0]), "ok": True, "reason": None}
    assert (bad["ok"], missing["ok"]) == (False, False)
    assert "damaged" in bad["reason"]
    assert missing["reason"].startswith("no file ")


def test_an_unknown_name_is_refused_with_the_way_out() -> None:
    code, said = verify("squeezenet")
    assert code == 2
    assert "did you mean squeezenet_1_1" in said


def test_a_custom_op_is_no_reason_to_refuse(tmp_path: Path) -> None:
    path = tmp_path / "custom.tflite"
    path.write_bytes(custom_op().content)
    assert verify(path) == (0, f"{path}: ok\n")
