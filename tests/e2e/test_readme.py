"""What the README shows is true: its policy runs, its configuration loads, its verbs exist."""

import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from band.cli.main import build_app
from band.config.daemon import load_daemon
from band.scheduler.loader import list_policies

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "examples" / "earliest_deadline_first.py"
SCENARIO = """
name: readme
models: {net: encoder_decoder}
streams:
  - {name: camera, fps: 30, deadline_ms: 50, nodes: [{model: net}]}
"""


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def _band(*arguments: str | Path) -> str:
    result = CliRunner().invoke(build_app(), [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_policy_of_the_readme_is_the_example_file() -> None:
    (block,) = _blocks("python")
    assert block == EXAMPLE.read_text(encoding="utf-8")


def test_the_policy_of_the_readme_runs(tmp_path: Path) -> None:
    scenario, trace = tmp_path / "scenario.yaml", tmp_path / "trace.jsonl"
    scenario.write_text(SCENARIO, encoding="utf-8")
    _band("trace", "generate", scenario, "--seconds", "2", "--seed", "1", "--out", trace)
    shown = _band("replay", trace, "--device", "pixel4", "--policy", EXAMPLE)
    assert "simulated pixel4" in shown
    assert "deadlines met" in shown


def test_a_policy_file_in_a_folder_named_in_yaml_is_picked_up(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    shutil.copy(EXAMPLE, tmp_path / "mine")
    config = tmp_path / "daemon.yaml"
    config.write_text("policy_dirs: [mine]\npolicy: earliest_deadline_first\n", encoding="utf-8")
    loaded = load_daemon(config)
    assert loaded.policy.ref == "earliest_deadline_first"
    assert loaded.policy.ref in {p.name for p in list_policies(loaded.policy_dirs)}


def test_the_configuration_of_the_readme_loads(tmp_path: Path) -> None:
    (block,) = _blocks("yaml")
    config = tmp_path / "daemon.yaml"
    config.write_text(block, encoding="utf-8")
    assert [m.served_name for m in load_daemon(config).models] == ["hand", "net"]


def test_the_readme_lists_every_verb() -> None:
    help_text = _band("--help")
    verbs = set(re.findall(r"^  ([a-z]+)  ", help_text.split("Commands:")[1], flags=re.MULTILINE))
    assert verbs == set(re.findall(r"`band ([a-z]+)", README.split("## Commands")[1]))


@pytest.mark.parametrize("page", sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]))
def test_links_to_files_of_the_project_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)[^)]*\)", text)
    missing = [link for link in links if not (page.parent / link).exists()]
    assert not missing, f"{page.name} links to {missing}"
