"""The demonstration, run as a user runs it: its exit code is the proof of every promise in it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from band.model.cache import cached_path
from band.model.zoo import pulled_set
from band.testing.data import NO_DATA, data_dir

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def _demo(folder: Path, cache: Path, *arguments: str, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "band", "demo", "--out", str(folder), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "BAND_CACHE": str(cache), "COLUMNS": "120", **variables},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _run(folder: Path) -> dict[str, Any]:
    (run,) = json.loads((folder / "summary.json").read_text(encoding="utf-8"))["runs"]
    assert isinstance(run, dict)
    return run


def _balanced(requests: dict[str, Any]) -> bool:
    dropped = sum(requests["dropped"].values())
    ended = requests["completed"] + requests["failed"] + requests["cancelled"] + dropped
    return bool(requests["sent"] == ended)


@pytest.mark.skipif(data_dir("models") is None, reason=NO_DATA)
def test_the_demo_splits_real_models_and_stays_exact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, folder = tmp_path / "cache", tmp_path / "out"
    monkeypatch.setenv("BAND_CACHE", str(cache))
    wanted = pulled_set("xr")
    models = data_dir("models")
    assert models is not None
    for file in wanted.files:
        path = cached_path(wanted, file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(models / f"{file.name}.tflite")

    text = _demo(folder, cache, "--seconds", "10")

    assert text.count("50 of 50 sampled replies") == 2
    assert text.count("loads inside requests: 0") == 2
    run = _run(folder / "pixel4")
    assert run["emulated"] is True
    assert _balanced(run["requests"])
    assert run["split_requests"] >= 0.3 * run["requests"]["completed"]
    sent = {name: model["requests"]["sent"] for name, model in run["models"].items()}
    assert sent["hand"] + sent["person"] >= 0.45 * sum(sent.values())


def test_the_demo_goes_on_with_generated_models_when_nothing_can_be_pulled(tmp_path: Path) -> None:
    folder = tmp_path / "out"

    text = _demo(folder, tmp_path / "cache", "--seconds", "2", PIP_NO_INDEX="1")

    assert "emulated pixel4" in text
    assert "simulated snapdragon_8gen3" in text
    for name in ("host", "pixel4"):
        assert _balanced(_run(folder / name)["requests"])
