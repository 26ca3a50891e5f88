"""The core compiled: it decides the same, and passes the tests of the sources it was made from."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTS = ("tests/policies", "tests/property", "tests/unit/plan", "tests/unit/scheduler")
EVENTS = 3_000
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200), pytest.mark.xdist_group("compiled")]


def run(*command: str | Path, cwd: Path, path: Path | None = None) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    environment.pop("PYTHONPATH", None)
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that holds the package with its core compiled."""
    folder = tmp_path_factory.mktemp("compiled") / "site"
    run(ROOT / "scripts" / "make-compiled", sys.executable, folder, cwd=ROOT)
    return folder


def test_it_says_that_it_is_compiled(compiled: Path, tmp_path: Path) -> None:
    command = (sys.executable, "-m", "band", "--version")
    assert run(*command, cwd=tmp_path, path=compiled).strip().endswith(", compiled core")
    assert "compiled" not in run(*command, cwd=ROOT)


@pytest.mark.parametrize("seed", range(2))
def test_every_policy_decides_what_the_sources_decide(
    compiled: Path, tmp_path: Path, seed: int
) -> None:
    command = (sys.executable, "-m", "band.testing.decision_digest", str(EVENTS), str(seed))
    theirs = json.loads(run(*command, cwd=tmp_path, path=compiled))
    ours = json.loads(run(*command, cwd=ROOT))
    assert ours["core"].endswith(".py")
    assert Path(theirs["core"]).suffix == ".so"
    assert Path(theirs["core"]).is_relative_to(compiled)
    assert theirs["digests"] == ours["digests"]
    assert len(set(ours["digests"].values())) > len(ours["digests"]) / 2, "policies differ"


def test_it_passes_the_tests_of_its_sources(compiled: Path, tmp_path: Path) -> None:
    """A folder that has the tests, and in place of the sources what was made from them."""
    for name in ("tests", "policies", "configs", "docs", "examples"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "band").symlink_to(compiled / "band")
    shown = run(
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
        *("-m", "not slow and not wheel and not soak", *TESTS),
        cwd=tmp_path,
        path=compiled,
    )
    assert " passed" in shown
    assert int(shown.rsplit(" passed", 1)[0].rsplit(maxsplit=1)[-1]) > 1_000
