"""docs/xrbench.md is true: its scenarios, its cost table, its options, its figures."""

import inspect
import re
from pathlib import Path

from typer.testing import CliRunner

from band.cli.main import build_app
from band.xrbench import bound as bound_module
from band.xrbench import correct
from band.xrbench.case import make_case
from band.xrbench.costs import load_costs
from band.xrbench.programme import BUCKET
from band.xrbench.scenarios import RUN_MS, SCENARIOS, find_scenario
from band.xrbench.scores import ENERGY_LIMIT_MJ, STEEPNESS_PER_MS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "xrbench.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table below a heading, without its two head lines."""
    section = PAGE.split(f"\n{heading}\n", 1)[1]
    lines = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    assert lines is not None
    return [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in lines[0].splitlines()[2:]
    ]


def test_the_scenarios_are_those_that_are_played() -> None:
    found = []
    name = ""
    for first, model, fps, probability, after, gmac in rows("## Scenarios"):
        name = first or name
        found.append((name, model.split(" ")[0], int(fps), float(probability), after, float(gmac)))
    assert found == [
        (s.name, m.name, m.fps, m.probability, "".join(m.depends_on), m.gmac)
        for s in SCENARIOS
        for m in s.models
    ]
    assert f"A run is {RUN_MS} ms long" in PAGE


def test_the_cost_table_of_the_page_can_be_played(tmp_path: Path) -> None:
    (written,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "costs.json"
    path.write_text(written, encoding="utf-8")
    case = make_case(load_costs(path), "Single_4K__WS", find_scenario("VR_gaming"))
    assert 0 < correct.run(case, "edf").scores.overall < 100


def test_every_option_of_the_command_is_on_the_page() -> None:
    told = CliRunner().invoke(build_app(), ["xrbench", "--help"], env={"COLUMNS": "200"}).stdout
    options = set(re.findall(r"--[a-z-]+", told)) - {"--help", "--policy-dir"}
    assert options <= set(re.findall(r"--[a-z-]+", PAGE))


def test_formulas_have_the_constants_of_the_code() -> None:
    assert f"exp({STEEPNESS_PER_MS:g} x delay)" in PAGE
    assert f"({ENERGY_LIMIT_MJ:g} - energy) / {ENERGY_LIMIT_MJ:g}" in PAGE
    assert BUCKET == 4
    assert "buckets of four completed frames" in PAGE
    assert f"start slots of {bound_module.SLOT_MS:g} ms" in PAGE
    assert "relaxed" in inspect.signature(bound_module.bound).parameters
