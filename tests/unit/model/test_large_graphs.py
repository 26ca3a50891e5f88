"""Reading and slicing take time in proportion to the number of ops."""

from time import process_time

import pytest

from band.model.atoms import atoms
from band.model.builder import GraphBuilder
from band.model.tflite_reader import read_model
from band.model.tflite_writer import write_slice

OPS = 1_250
TIMES_AS_MANY = 4
# Quadratic code needs 16 times as long for four times as many ops.
ALLOWED_RATIO = 9.0


def seconds(op_count: int) -> float:
    """Return the CPU time to read a net and to write each of its atoms as a slice."""
    b = GraphBuilder("large")
    x = b.input("x", (1, 8))
    for _ in range(op_count // 5):
        y = b.activation(x)
        x = b.add(x, b.fully_connected(b.add(b.activation(y, "TANH"), y), 8))
    content = b.build(x).source
    assert isinstance(content, bytes)
    start_s = process_time()
    model = read_model(content)
    for part in atoms(model.graph):
        write_slice(model, part)
    assert len(model.graph.ops) == op_count
    return process_time() - start_s


@pytest.mark.slow
def test_five_thousand_ops_take_about_four_times_as_long_as_a_quarter_of_them() -> None:
    seconds(OPS // 10)  # first calls import and fill caches
    few = min(seconds(OPS) for _ in range(2))
    many = min(seconds(OPS * TIMES_AS_MANY) for _ in range(2))
    assert many / few < ALLOWED_RATIO
