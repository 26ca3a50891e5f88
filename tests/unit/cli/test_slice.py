"""``band slice`` writes files that, wired by their manifest, compute what the model does."""

import json
from pathlib import Path
from typing import Any

import pytest
from ai_edge_litert.interpreter import Interpreter
from typer.testing import CliRunner, Result

from band.cli.main import build_app
from band.errors import BandError, ErrorCode
from band.model.slice import Slice
from band.model.tflite_reader import read_model
from band.model.tflite_writer import write_whole
from band.runtime.seeded import seeded_values
from band.testing.chains import LoadedPart
from band.testing.models import half_weights

# A CPU that takes everything; two accelerators, both faster, without PRELU and MEAN.
DEVICE = """
name: two
version: "1"
description: a CPU and two accelerators with gaps
processors:
  - name: cpu
    kind: cpu
    backend: cpu
    costs:
      float32:
        dispatch_us: {value: 10, mark: hypothesis, source: a test}
        us_per_gmac: {value: 100000000, mark: hypothesis, source: a test}
  - name: npu
    kind: npu
    backend: emulated
    support:
      source: a test
      ops: {CONV_2D: , DEPTHWISE_CONV_2D: , ADD: , FULLY_CONNECTED: }
    costs:
      float32:
        dispatch_us: {value: 1, mark: hypothesis, source: a test}
        us_per_gmac: {value: 1, mark: hypothesis, source: a test}
  - name: gpu
    kind: gpu
    backend: emulated
    support:
      source: a test
      ops: {CONV_2D: , DEPTHWISE_CONV_2D: , ADD: , FULLY_CONNECTED: }
    costs:
      float32:
        dispatch_us: {value: 5, mark: hypothesis, source: a test}
        us_per_gmac: {value: 10000000, mark: hypothesis, source: a test}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "two.yaml").write_text(DEVICE)
    (tmp_path / "half.tflite").write_bytes(half_weights().content)
    return tmp_path


def run(folder: Path, *options: str, model: str | None = None) -> Result:
    model = model or str(folder / "half.tflite")
    device = str(folder / "two.yaml")
    command = ["slice", model, "--device", device, "--out", str(folder / "out"), *options]
    return CliRunner().invoke(build_app(), command)


def loaded(folder: Path, row: dict[str, Any]) -> LoadedPart:
    part = Slice(
        ops=tuple(row["ops"]),
        inputs=tuple(t["tensor"] for t in row["inputs"]),
        outputs=tuple(t["tensor"] for t in row["outputs"]),
        content=(folder / "out" / row["file"]).read_bytes(),
    )
    assert part.sha256 == row["sha256"]
    return LoadedPart(part, lambda c: Interpreter(model_content=c, num_threads=1))


def test_the_files_and_their_wiring_are_the_model(folder: Path) -> None:
    done = run(folder, "--all")
    assert done.exit_code == 0, done.output
    manifest = json.loads((folder / "out" / "slices.json").read_text())
    model = read_model(folder / "half.tflite")
    assert manifest["sha256"] == model.graph.sha256
    by_units = {tuple(row["units"]): row for row in manifest["slices"]}
    count = len(manifest["units"])
    assert count > 2
    values = seeded_values(model.graph, model.graph.inputs, 1)
    whole = loaded(folder, by_units[0, count - 1])
    expected = whole.run(values)
    first = parts = 0
    while first < count:
        last = min(last for begin, last in by_units if begin == first)
        values.update(loaded(folder, by_units[first, last]).run(values))
        first, parts = last + 1, parts + 1
    assert parts > 2
    for tensor, value in expected.items():
        assert values[tensor].tobytes() == value.tobytes()
    assert (folder / "out" / by_units[0, count - 1]["file"]).read_bytes() == (
        write_whole(model).content
    )


def test_without_all_only_what_registration_loads_is_written(folder: Path) -> None:
    few = json.loads(run(folder, "--json", "-").stdout)
    every = json.loads(run(folder, "--json", "-", "--all").stdout)
    assert 0 < len(few["slices"]) < len(every["slices"])
    files = {row["file"] for row in every["slices"]}
    assert {row["file"] for row in few["slices"]} < files
    assert {p.name for p in (folder / "out").glob("*.tflite")} == files
    assert few["emulated"] is True
    assert {name for row in few["slices"] for name in row["processors"]} == {
        "cpu", "npu", "gpu"
    }  # fmt: skip


def test_the_table_has_one_row_per_slice_and_says_emulated(folder: Path) -> None:
    done = run(folder)
    rows = done.stdout.splitlines()[1:]
    assert len(rows) == len(json.loads((folder / "out" / "slices.json").read_text())["slices"])
    assert all("(emulated)" in row for row in rows)
    assert "slices.json" in done.stderr


def test_bad_arguments_are_one_sentence(folder: Path) -> None:
    (folder / "out").write_text("a file")
    refused = run(folder)
    assert isinstance(refused.exception, BandError)
    assert "name another folder with --out" in refused.exception.message
    unknown = run(folder, model="no_such_net")
    assert isinstance(unknown.exception, BandError)
    assert unknown.exception.code is ErrorCode.UNKNOWN_MODEL
