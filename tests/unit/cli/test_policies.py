"""``band policies``: what is installed, in a table and as JSON."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from band.cli.main import build_app
from band.config.params import parse_params
from band.config.policy import load_policy
from band.errors import BandError
from band.scheduler.loader import make_policy, policy_swapped
from band.share import share_dir
from band.testing.policy_files import write_policy

CONFIGS = sorted((share_dir("configs") / "policies").glob("*.yaml"))
PARAMS = "greeting: str; sizes: tuple[int, ...] = (1, 2)"


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
    assert "drop_unreachable: bool = True" in shown


def test_the_document_says_where_each_policy_comes_from() -> None:
    heft = document()["heft"]
    assert heft["path"] == str(share_dir("policies") / "heft.py")
    assert len(heft["sha256"]) == 64
    assert heft["params"] == [
        {"name": "window", "type": "int", "range": "at least 1", "required": False, "default": 8}
    ]
    assert document()["fixed_worker"]["params"][0]["default"] == {}


def test_types_are_told_as_one_would_write_them() -> None:
    found = document()
    types = {p["name"]: p["type"] for p in found["sjf"]["params"]}
    assert types == {"placement": "fastest_idle | earliest_finish", "shed": "bool", "window": "int"}
    assert found["fair_share"]["params"][0]["type"] == "Mapping[str, float]"
    assert found["price_aware"]["advises"]
    assert not found["sjf"]["advises"]
    assert "placement: fastest_idle | earliest_finish = fastest_idle" in band_policies()


def test_ranges_are_told_beside_the_types() -> None:
    found = document()
    ranges = {p["name"]: p["range"] for p in found["fair_share"]["params"]}
    assert ranges == {
        "weights": "greater than 0", "default_weight": "greater than 0",
        "candidates": "at least 1", "window": "at least 1",
    }  # fmt: skip
    (models, _, _) = found["static_plan"]["params"]
    assert models["range"] == "weight at least 1, release_us at least 0"
    assert "window: int = 8 (at least 1)" in band_policies()


def test_a_policy_whose_types_cannot_be_read_is_still_listed(tmp_path: Path) -> None:
    write_policy(tmp_path, "mine", params="greeting: 'Nowhere'")
    greeting = document("--policy-dir", str(tmp_path))["mine"]["params"][0]
    assert (greeting["type"], greeting["range"]) == ("Nowhere", None)


def test_every_shipped_policy_has_a_summary_and_a_configuration() -> None:
    for name, row in document().items():
        assert row["summary"]
        assert load_policy(share_dir("configs") / "policies" / f"{name}.yaml").ref == name


@pytest.mark.parametrize("path", CONFIGS, ids=[path.stem for path in CONFIGS])
def test_a_shipped_configuration_fits_its_policy(path: Path) -> None:
    policy = load_policy(path)
    swapped = policy_swapped(policy.ref, policy.params, parse=parse_params)
    assert set(policy.params) <= set(dict(swapped.params))
    make_policy(swapped)


def test_a_folder_adds_its_policies(tmp_path: Path) -> None:
    write_policy(tmp_path, "mine", params=PARAMS)
    mine = document("--policy-dir", str(tmp_path))["mine"]
    assert [p["required"] for p in mine["params"]] == [True, False]
    assert mine["params"][1] == {
        "name": "sizes", "type": "tuple[int, ...]", "range": None, "required": False,
        "default": [1, 2],
    }  # fmt: skip
    shown = band_policies("--policy-dir", str(tmp_path))
    assert "greeting: str" in shown
    assert "sizes: tuple[int, ...] = (1, 2)" in shown


def test_what_does_not_load_is_told_on_stderr_beside_the_list(tmp_path: Path) -> None:
    write_policy(tmp_path, "mine", params=PARAMS)
    (tmp_path / "wip.py").write_text("def plan(:", encoding="utf-8")
    (tmp_path / "leaves.py").write_text("import sys; sys.exit(3)", encoding="utf-8")
    for further in ((), ("--json", "-")):
        line = ["policies", "--policy-dir", str(tmp_path), *further]
        result = CliRunner().invoke(build_app(), line, env={"COLUMNS": "200"})
        assert result.exit_code == 2
        assert "greeting" in result.stdout
        assert f"not listed: policy {tmp_path / 'wip.py'} does not import: Synt" in result.stderr
        assert "leaves.py does not import: SystemExit: 3" in result.stderr
    told = json.loads(result.stdout)
    assert "mine" in {policy["name"] for policy in told["policies"]}
    assert [one["place"] for one in told["refused"]] == [
        str(tmp_path / name) for name in ("leaves.py", "wip.py")
    ]


def test_a_policys_words_are_no_markup(tmp_path: Path) -> None:
    words = "[EDF] :warning: [red]first[/x]"
    write_policy(tmp_path, "mine", summary=words, aliases=("[a]",))
    shown = band_policies("--policy-dir", str(tmp_path))
    assert words in shown
    assert "[a]" in shown


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BandError, match="there is no policy folder"):
        band_policies("--policy-dir", str(tmp_path / "none"))
