"""The picture of a partition in a terminal."""

from dataclasses import replace

import pytest

from band.report.partition_strip import strip
from band.report.picture import picture
from band.testing.partitions import Case, long_case


def _lines(case: Case, width: int = 80, *, ascii_only: bool = False) -> list[str]:
    return [line.plain for line in strip(case.picture, width, ascii_only=ascii_only)]


def test_each_op_of_a_short_model_has_its_own_characters(small: Case) -> None:
    lines = _lines(small)
    assert lines[1] == "cpu0 ▒▒▒▒▒▒▒▒████▒▒▒▒▒▒▒▒▒▒▒▒ 6/6"
    assert lines[2] == " gpu ████████····████████████ 5/6"
    assert lines[3] == " npu not available"
    assert lines[4] == "cuts         ▲   ▲"
    assert "one op = 4 characters" in lines[-1]


def test_a_terminal_without_blocks_gets_plain_characters(small: Case) -> None:
    lines = _lines(small, ascii_only=True)
    assert lines[2] == " gpu ########....############ 5/6"
    assert "".join(lines).isascii()


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("op_count", [1, 61, 300, 700])
def test_no_line_is_longer_than_the_terminal(width: int, op_count: int) -> None:
    case = long_case(op_count)
    lines = _lines(case, width)
    assert max(map(len, lines)) <= width
    drawn = {len(line.split(" ")[-2]) for line in lines[1:5]}
    assert len(drawn) == 1  # all rows are equally long


def test_a_character_for_several_ops_tells_all_some_and_none(long: Case) -> None:
    lines = _lines(long)
    size = int(lines[-1].split(" ops a character")[0].split()[-1])
    gpu = lines[2].split()[1]
    cells = long.picture.rows[1].cells
    for place, glyph in enumerate(gpu):
        group = cells[place * size : (place + 1) * size]
        chosen, refused = group.count(2), group.count(0)
        expected = {
            "█": chosen == len(group),
            "▓": 0 < chosen < len(group),
            "▒": not chosen and not refused,
            "░": not chosen and 0 < refused < len(group),
            "·": refused == len(group),
        }
        assert expected[glyph], (place, glyph)
    assert set(gpu) == set("█▓▒░·")


def test_without_a_plan_the_legend_promises_none(small: Case) -> None:
    nothing = replace(small.explanation, plans=())
    drawn = picture(small.graph, small.device, small.partition, nothing)
    text = "\n".join(line.plain for line in strip(drawn, 80))
    assert "plan" not in text
    assert "cuts" not in text
