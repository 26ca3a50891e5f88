"""The wheel, installed in a clean environment, works from any folder."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.wheel, pytest.mark.timeout(600)]


def _run(*command: str | Path, cwd: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel, install it without the checkout, return the environment's bin folder."""
    folder = tmp_path_factory.mktemp("wheel")
    _run(
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        folder,
        ROOT,
        cwd=ROOT,
    )
    (wheel,) = folder.glob("band_scheduler-*.whl")
    venv.create(folder / "env", with_pip=True)
    binaries = folder / "env" / "bin"
    constraints = ROOT / "constraints.txt"
    _run(binaries / "python", "-m", "pip", "install", "-q", "-c", constraints, wheel, cwd=folder)
    return binaries


def test_the_wheel_finds_its_policies(installed: Path, tmp_path: Path) -> None:
    listing = _run(installed / "band", "policies", cwd=tmp_path)
    assert "shortest_expected_latency" in listing
    assert "least_slack_first" in listing


def test_the_wheel_finds_its_devices(installed: Path, tmp_path: Path) -> None:
    listing = _run(installed / "band", "devices", cwd=tmp_path)
    assert "pixel4" in listing
    assert "emulated" in listing


def test_the_wheel_analyzes_a_generated_model(installed: Path, tmp_path: Path) -> None:
    report = _run(
        installed / "band",
        "analyze",
        "squeezenet_1_1",
        "--device",
        "pixel4",
        "--json",
        "-",
        cwd=tmp_path,
    )
    assert '"units"' in report
