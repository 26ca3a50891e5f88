"""The frozen tflite-runtime 2.14.0 as a second runtime of the same engine.

It needs numpy 1, so it has an environment of its own, with the package installed beside it; ``make
slow`` makes it and names its Python in BAND_TFLITE_PYTHON.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("engine_in_runtime.py")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_one_engine_serves_with_both_runtimes() -> None:
    python = os.environ.get("BAND_TFLITE_PYTHON")
    if not python:
        pytest.skip("set BAND_TFLITE_PYTHON to a Python with tflite-runtime (make slow does)")
    done = subprocess.run(
        [python, "-W", "error", str(SCRIPT)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["numpy"].startswith("1.")
    assert answer["measured"]["cpu1"] == ["tflite-runtime", "2.14.0"]
    assert answer["measured"]["cpu0"][0] == "ai-edge-litert"
    assert answer["checked"] == 7
