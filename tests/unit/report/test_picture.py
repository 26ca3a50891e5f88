"""The grid of a partition."""

from dataclasses import replace

from band.report.picture import Cell, picture
from band.testing.partitions import Case


def test_each_processor_has_a_cell_for_each_op(small: Case) -> None:
    drawn = small.picture
    assert drawn.ops == (0, 1, 2, 3, 4, 5)
    cpu, gpu, npu = drawn.rows
    taken, chosen, refused = Cell.TAKEN, Cell.CHOSEN, Cell.REFUSED
    assert cpu.cells == (taken, taken, chosen, taken, taken, taken)
    assert gpu.cells == (chosen, chosen, refused, chosen, chosen, chosen)
    assert npu.cells == (refused,) * 6
    assert (cpu.ops, gpu.ops, npu.ops) == (6, 5, 0)
    assert not npu.available
    assert list(gpu.reasons) == [2]
    assert drawn.word == "emulated"
    assert drawn.title == "small on emulated made"


def test_the_plan_covers_each_column_once_and_turns_at_its_cuts(long: Case) -> None:
    drawn = long.picture
    columns = [c for _, extent in drawn.steps for c in range(extent.first, extent.last + 1)]
    assert columns == list(range(700))
    assert sum(row.cells.count(Cell.CHOSEN) for row in drawn.rows) == 700
    turns = [extent.first for _, extent in drawn.steps[1:]]
    assert turns == [drawn.units[cut.boundary].first for cut in drawn.cuts]
    assert len(turns) > 10


def test_without_a_plan_nothing_is_chosen(small: Case) -> None:
    nothing = replace(small.explanation, plans=())
    drawn = picture(small.graph, small.device, small.partition, nothing)
    assert drawn.latency_us is None
    assert drawn.steps == ()
    assert all(Cell.CHOSEN not in row.cells for row in drawn.rows)
