"""The same slices run under tflite-runtime 2.14 and are bit-equal there too.

That runtime needs numpy 1, so it has an environment of its own; ``make slow`` makes it and names
its Python in BAND_TFLITE_PYTHON.
"""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from band.analysis.plan_kinds import plan_kinds
from band.model.atoms import is_stateful
from band.model.model import Model
from band.model.slice import Slice
from band.model.tflite_reader import read_model
from band.model.tflite_writer import write_slice, write_whole
from band.runtime.seeded import seeded_values
from band.testing.chains import STATEFUL_STEPS
from band.testing.data import NO_DATA, data_dir
from band.testing.models import RUNNABLE

SCRIPT = Path(__file__).with_name("chain_in_runtime.py")
RUNTIME_VERSION = "2.14.0"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def tflite_python() -> str:
    python = os.environ.get("BAND_TFLITE_PYTHON")
    if not python:
        pytest.skip("set BAND_TFLITE_PYTHON to a Python with tflite-runtime (make slow does)")
    return python


@pytest.mark.parametrize(
    "name", ["half_weights", "quantized", "resource_variable", "variable_tensor", "control_flow_if"]
)
def test_small_models_are_bit_equal(name: str, tflite_python: str, tmp_path: Path) -> None:
    assert_equal_in_tflite_runtime(RUNNABLE[name](), tflite_python, tmp_path)


@pytest.mark.parametrize(
    "name", ["hand_landmark_full", "iris_landmark", "kws_ref_int8", "mww_alexa", "pose_detection"]
)
def test_real_models_are_bit_equal(name: str, tflite_python: str, tmp_path: Path) -> None:
    folder = data_dir("models")
    if folder is None:
        pytest.skip(NO_DATA)
    assert_equal_in_tflite_runtime(read_model(folder / f"{name}.tflite"), tflite_python, tmp_path)


def assert_equal_in_tflite_runtime(model: Model, python: str, folder: Path) -> None:
    graph = model.graph
    kinds = plan_kinds(graph)
    job = {
        "whole": _store(write_whole(model), folder, "whole"),
        "plans": {
            kind: [
                _store(write_slice(model, part), folder, f"{kind}-{i}")
                for i, part in enumerate(parts)
            ]
            for kind, parts in kinds.items()
        },
        "steps": [],
    }
    for step in range(STATEFUL_STEPS if is_stateful(graph) else 1):
        values = {str(t): v for t, v in seeded_values(graph, graph.inputs, step).items()}
        np.savez(folder / f"step{step}.npz", **values)  # type: ignore[arg-type]  # numpy's stub
        job["steps"].append(f"step{step}.npz")  # type: ignore[attr-defined]
    (folder / "job.json").write_text(json.dumps(job))
    done = subprocess.run(
        [python, str(SCRIPT), str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["runtime"] == RUNTIME_VERSION
    assert said["equal"] == dict.fromkeys(kinds, True)


def _store(part: Slice, folder: Path, name: str) -> dict[str, object]:
    (folder / f"{name}.tflite").write_bytes(part.content)
    return {"file": f"{name}.tflite", "inputs": part.inputs, "outputs": part.outputs}
