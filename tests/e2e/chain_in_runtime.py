"""Compares chains of slices with the whole model under whatever runtime this Python has.

Run by test_slices_tflite_runtime.py with the Python of another environment: needs numpy and
tflite_runtime, nothing of band.

    python chain_in_runtime.py FOLDER

FOLDER has job.json: {"whole": SLICE, "plans": {kind: [SLICE]}, "steps": [FILE.npz]} with SLICE =
{"file", "inputs": [tensor], "outputs": [tensor]}. Prints {"runtime": ..., "equal": {kind: bool}}.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from tflite_runtime.interpreter import Interpreter


def load(folder: Path, part: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    interpreter = Interpreter(model_path=str(folder / part["file"]), num_threads=1)
    interpreter.allocate_tensors()
    return interpreter, part


def run(loaded: tuple[Any, dict[str, Any]], values: dict[int, Any]) -> dict[int, Any]:
    interpreter, part = loaded
    for tensor, detail in zip(part["inputs"], interpreter.get_input_details(), strict=True):
        interpreter.set_tensor(detail["index"], values[tensor])
    interpreter.invoke()
    details = interpreter.get_output_details()
    return {
        tensor: interpreter.get_tensor(detail["index"])
        for tensor, detail in zip(part["outputs"], details, strict=True)
    }


def same(a: Any, b: Any) -> bool:
    return bool(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes())


def main(folder: Path) -> None:
    job = json.loads((folder / "job.json").read_text())
    equal = {}
    for kind, parts in job["plans"].items():
        whole, chain = load(folder, job["whole"]), [load(folder, part) for part in parts]
        equal[kind] = True
        for step in job["steps"]:
            stored = np.load(folder / step)
            values = {int(name): stored[name] for name in stored.files}
            expected = run(whole, values)
            for part in chain:
                values.update(run(part, values))
            equal[kind] &= all(same(value, values[t]) for t, value in expected.items())
    answer = {"runtime": version("tflite-runtime"), "equal": equal}
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
