"""Files above 2 GiB: weights behind the flatbuffer, mapped instead of read, cut into small slices.

The fast tests lower the limits, so that small files take the same way.
"""

import os
import resource
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from band.errors import BandError, ErrorCode
from band.model import content, tflite_schema
from band.model.atoms import atoms
from band.model.builder import GraphBuilder
from band.model.model import Model
from band.model.tflite_reader import read_model
from band.model.tflite_schema import pack, schema
from band.model.tflite_writer import save_whole, write_slice, write_whole
from band.runtime.engine import Engine
from band.testing.devices import split_device
from band.testing.models import chain, residual
from band.testing.reference import Reference, assert_equal

TABLES = 40
ROWS = 14 << 20  # int32 values in each table: 56 MiB
ALLOWED_GROWTH_BYTES = 700 << 20
# Less than all weights of the small models here, and more than those of any one op.
LOW_LIMIT_BYTES = 2500
SMALL = {model.name: model for model in (chain(), residual())}


def run(interpreter: Any, values: dict[str, Any]) -> list[Any]:
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], values[detail["name"]])
    interpreter.invoke()
    return [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]


def names_of(model: Model, tensors: tuple[int, ...]) -> list[str]:
    return [model.graph.tensors[t].name for t in tensors]


def run_chain(model: Model, values: dict[str, Any]) -> list[Any]:
    """Run one slice after the other, each freed before the next is written."""
    values = dict(values)
    for part in atoms(model.graph):
        written = write_slice(model, part)
        interpreter = Interpreter(model_content=written.content, num_threads=1)
        made = run(interpreter, values)
        values.update(zip(names_of(model, written.outputs), made, strict=True))
    return [values[name] for name in names_of(model, model.graph.outputs)]


@pytest.fixture
def low_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "MAPPED_FROM_BYTES", 1)
    monkeypatch.setattr(tflite_schema, "MAXIMUM_DATA_BYTES", LOW_LIMIT_BYTES)


@pytest.mark.usefixtures("low_limits")
@pytest.mark.parametrize("name", SMALL)
def test_a_whole_model_above_the_limit_has_its_weights_behind_the_flatbuffer(
    name: str, tmp_path: Path
) -> None:
    model = SMALL[name]
    path = tmp_path / "large.tflite"
    save_whole(model, path)
    assert path.read_bytes() == write_whole(model).content
    tree = schema().ModelT.InitFromObj(schema().Model.GetRootAs(path.read_bytes(), 0))
    placed = [b for b in tree.buffers if b.size]
    assert placed
    assert all(b.offset % 16 == 0 and b.data is None for b in placed)
    image = np.linspace(-1, 1, 768, dtype=np.float32).reshape(1, 16, 16, 3)
    expected = run(Interpreter(model_content=model.content, num_threads=1), {"image": image})
    got = run(Interpreter(model_path=str(path), num_threads=1), {"image": image})
    assert [v.tobytes() for v in got] == [v.tobytes() for v in expected]
    mapped = read_model(path)
    assert isinstance(mapped.content, memoryview)
    assert mapped.source == path
    assert [v.tobytes() for v in run_chain(mapped, {"image": image})] == [
        v.tobytes() for v in expected
    ]


@pytest.mark.usefixtures("low_limits")
@pytest.mark.parametrize("name", SMALL)
def test_a_slice_above_the_limit_takes_the_same_form_and_is_served(name: str) -> None:
    model = SMALL[name]
    reference = Reference(model)
    part = write_slice(model, model.graph.compute_ops)
    tree = schema().ModelT.InitFromObj(schema().Model.GetRootAs(part.content, 0))
    assert any(b.size for b in tree.buffers)
    with Engine(split_device()) as engine:
        engine.register(model)
        inputs = reference.inputs(seed=1)
        assert_equal(engine.infer(model.name, inputs).outputs, reference.outputs(inputs))


@pytest.mark.usefixtures("low_limits")
def test_a_mapped_model_is_the_same_model(tmp_path: Path) -> None:
    path = tmp_path / "chain.tflite"
    read = SMALL["chain"]
    path.write_bytes(read.content)
    mapped = read_model(path)
    assert mapped.graph.sha256 == read.graph.sha256
    assert mapped.graph.ops == read.graph.ops
    assert write_slice(mapped, [1]).content == write_slice(read, [1]).content


@pytest.mark.usefixtures("low_limits")
@pytest.mark.parametrize("size", [0, 5, 2000])
def test_a_mapped_file_that_is_no_model_is_refused(size: int, tmp_path: Path) -> None:
    path = tmp_path / "cut.tflite"
    path.write_bytes(SMALL["chain"].content[:size])
    with pytest.raises(BandError) as caught:
        read_model(path)
    assert caught.value.code is ErrorCode.INVALID_MODEL


@pytest.mark.slow
def test_a_file_above_2_gib_is_cut_and_runs_as_slices(tmp_path: Path) -> None:
    if shutil.disk_usage(tmp_path).free < 4 << 30 or sys.maxsize < 1 << 40:
        pytest.skip("needs 64-bit addresses and 4 GiB on disk (the file itself is sparse)")
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit not in (-1, resource.RLIM_INFINITY) and limit < 8 << 30:
        pytest.skip("needs 8 GiB of address space")
    path = tmp_path / "lookups.tflite"
    write_lookups(path)
    assert path.stat().st_size > 2 << 30
    before = memory_bytes()
    model = read_model(path)
    assert len(model.graph.compute_ops) == TABLES
    assert sum(t.buffer_bytes for t in model.graph.tensors) > 2 << 30
    start = np.array([3, 5], np.int32)
    whole = run(Interpreter(model_path=str(path), num_threads=1), {"start": start})
    assert memory_bytes() - before < ALLOWED_GROWTH_BYTES
    chained = run_chain(model, {"start": start})
    assert [v.tobytes() for v in whole] == [v.tobytes() for v in chained]
    assert whole[0].tolist() == [expected_end(3), expected_end(5)]


def write_lookups(path: Path) -> None:
    """Write a chain of table lookups, each result the index of the next, into a sparse file.

    Table k maps 3 + k to 4 + k and 5 + k to 6 + k; the rest of a table is a hole in the file.
    """
    b = GraphBuilder("lookups")
    x = b.input("start", (2,), "int32")
    tables = []
    for number in range(TABLES):
        tables.append(b.packed(f"table_{number}", (1,), "int32", bytes(4)))
        out = b.tensor(f"found_{number}", (2,), "int32")
        b.op("GATHER", (tables[-1], x), (out,), axis=0)
        x = out
    model = b.build(x)
    tree = schema().ModelT.InitFromObj(schema().Model.GetRootAs(bytes(model.content), 0))
    size = 4 * ROWS
    tensors = tree.subgraphs[0].tensors
    for number, table in enumerate(tables):
        tensors[table].shape = np.array([ROWS], np.int32)
        buffer = tree.buffers[tensors[table].buffer]
        buffer.data, buffer.size = None, size
        buffer.offset = (1 << 20) + number * size
    with path.open("wb") as file:
        file.write(pack(tree))
        for number in range(TABLES):
            file.seek((1 << 20) + number * size + 4 * (3 + number))
            file.write(np.arange(4 + number, 7 + number, dtype=np.int32).tobytes())
        file.truncate((1 << 20) + TABLES * size)


def expected_end(start: int) -> int:
    return start + TABLES


def memory_bytes() -> int:
    """Return the resident memory of this process that is its own: no mapped file counts."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return (int(pages[1]) - int(pages[2])) * os.sysconf("SC_PAGE_SIZE")
