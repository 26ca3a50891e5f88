"""The drawing of a partition: complete, well-formed, and no text over another."""

import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import replace
from itertools import combinations

import pytest

from band.report.partition_svg import partition_svg
from band.report.picture import Cell, picture
from band.report.svg_canvas import text_width
from band.testing.partitions import Case, long_case

Box = tuple[float, float, float, float]


def _root(document: str) -> ET.Element:
    return ET.fromstring(document.replace('xmlns="http://www.w3.org/2000/svg"', "", 1))


def _number(shape: ET.Element, name: str) -> float:
    return float(shape.get(name, "nan"))


def _boxes(root: ET.Element) -> list[tuple[str, Box]]:
    """Return each text with the space it takes: left, top, right, bottom."""
    found = []
    for text in root.iter("text"):
        content, size = text.text or "", _number(text, "font-size")
        width = text_width(content, size, bold=text.get("font-weight") == "bold")
        x, y = _number(text, "x"), _number(text, "y")
        left = x - {"start": 0.0, "middle": 0.5, "end": 1.0}[text.get("text-anchor", "")] * width
        found.append((content, (left, y - 0.8 * size, left + width, y + 0.2 * size)))
    return found


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _check_layout(root: ET.Element) -> None:
    width, height = _number(root, "width"), _number(root, "height")
    boxes = _boxes(root)
    for content, (left, top, right, bottom) in boxes:
        assert left >= 0, content
        assert top >= 0, content
        assert right <= width, content
        assert bottom <= height, content
    for (first, one), (second, other) in combinations(boxes, 2):
        assert not _overlap(one, other), (first, second)


def _check_cells(root: ET.Element, case: Case) -> None:
    cells = [r for r in root.iter("rect") if (r.get("class") or "").startswith("cell")]
    drawn = case.picture
    assert len(cells) == len(drawn.ops) * len(drawn.rows)
    expected = Counter(cell.name.lower() for row in drawn.rows for cell in row.cells)
    assert Counter((c.get("class") or "").split()[1] for c in cells) == expected
    tips = {c.findtext("title") for c in cells}
    assert len(tips) == len(cells)


@pytest.mark.parametrize(("op_count", "seed"), [(1, 1), (3, 1), (60, 2), (300, 4)])
def test_models_of_all_lengths_are_complete_and_legible(op_count: int, seed: int) -> None:
    case = long_case(op_count, seed)
    root = _root(partition_svg(case.picture))
    _check_cells(root, case)
    _check_layout(root)


def test_700_ops_with_many_cuts_are_complete_and_legible(long: Case) -> None:
    root = _root(partition_svg(long.picture))
    _check_cells(root, long)
    _check_layout(root)
    assert min(_number(r, "width") for r in root.iter("rect") if "cell" in r.get("class", "")) >= 2
    cuts = [r for r in root.iter("rect") if r.get("class") == "cut"]
    assert len(cuts) == len(long.picture.cuts)
    assert "There is room for flags at" in (root.findall("text")[1].text or "")


def test_tooltips_name_op_type_processor_and_reason(small: Case) -> None:
    tips = [t.text for t in _root(partition_svg(small.picture)).iter("title")]
    assert "op 2 ADD on gpu: refused by the test" in tips
    assert "op 2 ADD on cpu0: the plan runs it here" in tips
    assert "op 0 ADD on cpu0: could run here" in tips
    assert "op 0 ADD on npu: not available" in tips
    cut = small.explanation.plans[0].cuts[0]
    share = f"({100 * cut.share:.1f} % of the plan)"
    said = f"cut before unit 1, gpu to cpu0: 1 tensor, 2.0 KiB, {cut.transfer_us} us {share}"
    assert said in tips


def test_the_plan_is_one_line_through_the_rows_of_its_processors(small: Case) -> None:
    root = _root(partition_svg(small.picture))
    (line,) = (shape for shape in root.iter("polyline") if shape.get("class") == "plan")
    points = [tuple(map(float, p.split(","))) for p in line.get("points", "").split()]
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    cells = {
        (_number(r, "x"), _number(r, "y") + _number(r, "height") / 2)
        for r in root.iter("rect")
        if r.get("class") == "cell chosen"
    }
    starts = points[::2]
    assert len(starts) == 3
    assert all(start in cells for start in starts)


def test_steps_and_moves_fill_the_bar_of_time(small: Case) -> None:
    root = _root(partition_svg(small.picture))
    bars = [r for r in root.iter("rect") if r.get("class") in ("step", "move")]
    assert [r.get("class") for r in bars] == ["step", "move", "step", "move", "step"]
    ends = [_number(r, "x") + _number(r, "width") for r in bars]
    for bar, before in zip(bars[1:], ends, strict=False):
        assert _number(bar, "x") - before <= 1.1


def test_a_model_without_a_plan_is_drawn_with_the_reason(small: Case) -> None:
    nothing = replace(small.explanation, plans=())
    drawn = picture(small.graph, small.device, small.partition, nothing)
    root = _root(partition_svg(drawn, note="No plan: op 3 (<ODD> & co) runs nowhere." * 4))
    _check_layout(root)
    assert any("<ODD> & co" in (t.text or "") for t in root.iter("text"))
    assert not [r for r in root.iter("rect") if r.get("class") in ("step", "cut")]
    assert Cell.CHOSEN.name.lower() not in ET.tostring(root, encoding="unicode")
