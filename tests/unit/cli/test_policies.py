"""``band policies``: what is installed, in a table and as JSON."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from band.cli.main import build_app
from band.errors import BandError
from band.share import share_dir

MINE = """
from dataclasses import dataclass
from band.scheduler.policy import PolicyInfo

@dataclass(frozen=True)
class Params:
    greeting: str
    sizes: tuple[int, ...] = (1, 2)

class Mine:
    info = PolicyInfo(name="mine", summary="does nothing", source="a test")

    def __init__(self, params):
        pass

    def plan(self, view):
        return []
"""


def band_policies(*arguments: str) -> str:
    result = CliRunner().invoke(
        build_app(), ["policies", *arguments], catch_exceptions=False, env={"COLUMNS": "200"}
    )
    assert result.exit_code == 0
    return result.stdout


def document(*arguments: str) -> dict[str, Any]:
    found = json.loads(band_policies("--json", "-", *arguments))["policies"]
    return {policy["name"]: policy for policy in found}


def test_the_table_shows_every_shipped_policy_with_its_parameters() -> None:
    shown = band_policies()
    for path in share_dir("policies").glob("*.py"):
        assert path.stem in shown
    assert "heterogeneous_earliest_finish_time" in shown
    assert "drop_unreachable=True" in shown


def test_the_document_says_where_each_policy_comes_from() -> None:
    heft = document()["heft"]
    assert heft["path"] == str(share_dir("policies") / "heft.py")
    assert len(heft["sha256"]) == 64
    assert heft["params"] == [{"name": "window", "type": "int", "required": False, "default": 8}]
    assert document()["fixed_worker"]["params"][0]["default"] == {}


def test_a_folder_adds_its_policies(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE, encoding="utf-8")
    mine = document("--policy-dir", str(tmp_path))["mine"]
    assert [p["required"] for p in mine["params"]] == [True, False]
    assert mine["params"][1] == {
        "name": "sizes", "type": "tuple", "required": False, "default": [1, 2],
    }  # fmt: skip
    assert "greeting, sizes=(1, 2)" in band_policies("--policy-dir", str(tmp_path))


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BandError, match="there is no policy folder"):
        band_policies("--policy-dir", str(tmp_path / "none"))
