"""Schedules and summaries: written, read back, scored alone, refused with their line."""

from pathlib import Path

import pytest

from band.errors import BandError
from band.testing.xrbench_cases import tiny_case
from band.xrbench import compat, correct
from band.xrbench.result import Mode
from band.xrbench.scenarios import Scenario, ScenarioModel, find_scenario
from band.xrbench.schedule import (
    COLUMNS,
    read_schedule,
    read_summary,
    schedule_csv,
    score_schedule,
    summary_csv,
)

MODELS = [ScenarioModel(name="a", fps=10), ScenarioModel(name="b", fps=20)]
SLOW = {"a": [60.0], "b": [30.0]}
ROW = "0,a,0,0.000000,0.000000,100.000000,60.000000,-40.000000,1.500000"


def test_the_published_schedule_alone_gives_the_published_score(published: Path) -> None:
    rows = read_schedule(published / "schedule_VR_gaming__Single_4K__WS.csv")
    scores = score_schedule(find_scenario("VR_gaming"), rows, Mode.COMPAT)
    assert scores.overall == pytest.approx(86.4661, abs=1e-4)


@pytest.mark.parametrize("mode", list(Mode))
def test_a_schedule_scores_what_its_run_scored(mode: Mode, tmp_path: Path) -> None:
    case = tiny_case(MODELS, SLOW, energy_mj=100.0)
    result = compat.run(case) if mode is Mode.COMPAT else correct.run(case, "fcfs")
    assert sum(result.dropped.values()) > 0
    path = tmp_path / "schedule.csv"
    path.write_text(schedule_csv(result.inferences), encoding="utf-8")
    scores = score_schedule(case.scenario, read_schedule(path), mode)
    assert scores.overall == pytest.approx(result.scores.overall, abs=1e-4)
    assert {n: m.dropped for n, m in scores.models.items()} == result.dropped


def test_a_summary_is_read_as_it_was_written(tmp_path: Path) -> None:
    scores = compat.run(tiny_case(MODELS, SLOW, energy_mj=100.0)).scores
    path = tmp_path / "summary.csv"
    path.write_text(summary_csv(scores), encoding="utf-8")
    models, overall = read_summary(path)
    assert list(models) == ["a", "b"]
    assert overall == pytest.approx(scores.overall, abs=1e-6)
    assert models["b"] == pytest.approx(
        (scores.models["b"].realtime, scores.models["b"].energy, scores.models["b"].qoe), abs=1e-6
    )


def test_an_accuracy_that_is_not_one_gets_a_column_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text(f"{','.join(COLUMNS)},Accuracy\n{ROW},0.500000\n", encoding="utf-8")
    (row,) = read_schedule(path)
    assert row.accuracy == 0.5
    assert schedule_csv([row]) == path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("AcceleratorID\n", "s.csv:1: a schedule begins with the columns"),
        (f"{','.join(COLUMNS)}\n0,a\n", "s.csv:2: a row has 9 columns, this 2"),
        (
            f"{','.join(COLUMNS)}\n{ROW}\n{ROW.replace('60.0', 'x')}\n",
            "s.csv:3: 'x00000' in column",
        ),
        (f"{','.join(COLUMNS)}\n{ROW.replace('0,a,0', '0,a,-1')}\n", "'-1' in column Frame ID"),
    ],
)
def test_a_wrong_row_is_named_by_its_line(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "s.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BandError) as told:
        read_schedule(path)
    assert sentence in told.value.message


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("0,a,0", "0,c,0"), "has no model 'c'"),
        (("0,a,0", "0,a,7"), "frame 7 of a is beyond its run"),
        (("", ""), "frame 0 of a is given twice"),
    ],
)
def test_a_schedule_of_something_else_is_refused(
    tmp_path: Path, change: tuple[str, str], sentence: str
) -> None:
    path = tmp_path / "s.csv"
    path.write_text(f"{','.join(COLUMNS)}\n{ROW}\n{ROW.replace(*change)}\n", encoding="utf-8")
    scenario = Scenario(name="s", models=tuple(MODELS))
    with pytest.raises(BandError, match=sentence):
        score_schedule(scenario, read_schedule(path), Mode.CORRECT)


def test_a_schedule_of_a_scenario_that_tosses_coins_cannot_be_scored() -> None:
    with pytest.raises(BandError, match="does not tell which of its frames were wanted"):
        score_schedule(find_scenario("AR_Assistant"), [], Mode.CORRECT)
