"""Compat mode: equal to the release's published results, deviations included."""

import statistics
from pathlib import Path

import pytest

from band.errors import BandError
from band.testing.xrbench_cases import tiny_case
from band.testing.xrbench_data import cost_table, dual_cases, expected
from band.xrbench import compat, correct
from band.xrbench.case import make_case
from band.xrbench.costs import Accelerator, Cost, CostTable, Setting
from band.xrbench.result import CaseResult, Mode
from band.xrbench.scenarios import Scenario, ScenarioModel, find_scenario
from band.xrbench.schedule import maybe_running, read_schedule, schedule_csv, score_schedule

SCHEDULE = "schedule_VR_gaming__Single_4K__WS.csv"


def frames(result: CaseResult, model: str) -> list[int]:
    return sorted(i.frame for i in result.inferences if i.model == model)


def test_all_published_cases_with_complete_costs_score_the_same(published: Path) -> None:
    table, refused, played = cost_table(published), [], 0
    for entry in expected(published):
        try:
            case = make_case(table, entry["setting"], find_scenario(entry["scenario"]))
        except BandError as error:
            refused.append(error.message.split(";")[0])
            continue
        scores = compat.run(case).scores
        played += 1
        assert scores.overall == pytest.approx(entry["overall"], abs=1e-3), case.name
        assert set(scores.models) == set(entry["models"])
        for name, model in entry["models"].items():
            found = scores.models[name]
            assert found.realtime == pytest.approx(model["realtime"], abs=1e-3)
            assert found.energy == pytest.approx(model["energy"], abs=1e-3)
            assert found.qoe == pytest.approx(model["qoe"], abs=1e-3)
    assert played == 17
    assert refused == [
        "AS_ED_TCN was never measured on accelerator 0 of Dual_4K__WS_OS",
        "AS_ED_TCN was never measured on accelerator 1 of Dual_8K__RS_RS",
        "AS_ED_TCN was never measured on accelerator 0 of Dual_8K__WS_OS",
    ]


def test_a_schedule_scores_as_its_run_or_says_which_frames_it_does_not_tell(
    published: Path,
) -> None:
    table, different, silent = cost_table(published), 0, 0
    for entry in expected(published):
        try:
            case = make_case(table, entry["setting"], find_scenario(entry["scenario"]))
        except BandError:
            continue
        for rule in compat.RULES:
            result = compat.run(case, rule)
            scores = score_schedule(case.scenario, result.inferences, Mode.COMPAT)
            told = maybe_running(case.scenario, result.inferences)
            silent += not told
            if scores.overall != pytest.approx(result.scores.overall, abs=1e-6):
                different += 1
                assert told, case.name
                assert scores.overall < result.scores.overall
    assert (different, silent) == (4, 43)


def test_the_nine_dual_cases_have_their_published_mean(published: Path) -> None:
    overall = [compat.run(case).scores.overall for case in dual_cases(published)]
    assert statistics.fmean(overall) == pytest.approx(61.50, abs=0.005)


def test_the_published_schedule_comes_out_row_by_row(published: Path) -> None:
    path = published / SCHEDULE
    case = make_case(cost_table(published), "Single_4K__WS", find_scenario("VR_gaming"))
    result = compat.run(case)
    rows = read_schedule(path)
    assert len(rows) == len(result.inferences) == 115
    for row, mine in zip(rows, result.inferences, strict=True):
        assert (row.accelerator, row.model, row.frame) == (mine.accelerator, mine.model, mine.frame)
        for name in ("injected_ms", "dispatched_ms", "deadline_ms", "completed_ms", "delay_ms"):
            assert getattr(row, name) == pytest.approx(getattr(mine, name), abs=1e-3)
        assert row.energy_mj == pytest.approx(mine.energy_mj, abs=1e-6)
    assert schedule_csv(result.inferences) == path.read_text(encoding="utf-8")


def test_a_frame_due_between_two_events_arrives_at_the_next_one() -> None:
    models = [ScenarioModel(name="a", fps=100), ScenarioModel(name="b", fps=66)]
    case = tiny_case(models, {"a": [1.0], "b": [1.0]})
    late, faithful = (
        next(i for i in result.inferences if (i.model, i.frame) == ("b", 1))
        for result in (compat.run(case), correct.run(case, "fcfs"))
    )
    assert (late.injected_ms, late.deadline_ms) == (20.0, 30.0), "due at 15, seen at 20"
    assert (faithful.dispatched_ms, faithful.deadline_ms) == (15.0, 30.0)


def test_a_dependent_of_a_dropped_frame_stays_until_its_own_deadline() -> None:
    models = [
        ScenarioModel(name="_first", fps=2),
        ScenarioModel(name="a", fps=20),
        ScenarioModel(name="b", fps=20, depends_on=("a",)),
    ]
    case = tiny_case(models, {"_first": [690.0], "a": [10.0], "b": [1.0]})
    # The last frames arrive at 650: of b as of a all those due before are dropped, one by one.
    assert compat.run(case).dropped == {"_first": 0, "a": 12, "b": 12}
    assert correct.run(case, "fcfs").dropped == {"_first": 0, "a": 13, "b": 13}


def test_what_runs_when_the_last_frame_has_arrived_is_neither_logged_nor_scored() -> None:
    case = tiny_case([ScenarioModel(name="a", fps=10)], {"a": [1.0]})
    assert frames(compat.run(case), "a") == list(range(6))
    assert frames(correct.run(case, "fcfs"), "a") == list(range(7))


def test_a_dependent_goes_by_the_number_of_completions_upstream() -> None:
    models = [
        ScenarioModel(name="_first", fps=2),
        ScenarioModel(name="a", fps=20),
        ScenarioModel(name="b", fps=20, depends_on=("a",)),
    ]
    case = tiny_case(models, {"_first": [70.0], "a": [10.0], "b": [1.0]})
    compatible, faithful = compat.run(case), correct.run(case, "fcfs")
    assert frames(compatible, "a") == list(range(1, 13)), "frame 0 is late when the first is done"
    assert frames(compatible, "b") == [], "one completion behind for the rest of the run"
    assert frames(faithful, "b") == frames(faithful, "a") == list(range(1, 14))


def test_no_frame_waits_for_a_busy_faster_accelerator() -> None:
    models = [ScenarioModel(name="a", fps=10), ScenarioModel(name="b", fps=10)]
    result = compat.run(tiny_case(models, {"a": [10.0, 50.0], "b": [10.0, 90.0]}))
    assert {(i.model, i.accelerator) for i in result.inferences} == {("a", 0), ("b", 1)}


def test_each_rule_prefers_what_its_name_says() -> None:
    setting = Setting(
        name="s",
        accelerators=(
            Accelerator(id=0, costs={"a": Cost(1.0, 100.0)}),
            Accelerator(id=1, costs={"a": Cost(50.0, 1.0)}),
            Accelerator(id=2, costs={"a": Cost(4.0, 10.0)}),
        ),
    )
    scenario = Scenario(name="n", models=(ScenarioModel(name="a", fps=10),))
    case = make_case(CostTable(source="", settings={"s": setting}), "s", scenario)
    chosen = {rule: compat.run(case, rule).inferences[0].accelerator for rule in compat.RULES}
    assert chosen == {"latency_greedy": 0, "energy_greedy": 1, "edp_greedy": 2}


def test_another_policy_is_sent_to_correct_mode() -> None:
    case = tiny_case([ScenarioModel(name="a", fps=10)], {"a": [1.0]})
    with pytest.raises(BandError, match="cannot run 'heft'; use --mode correct"):
        compat.run(case, "heft")


@pytest.mark.parametrize("mode", ["compat", "correct"])
def test_coins_fall_alike_for_a_seed_and_as_often_as_their_probability(mode: str) -> None:
    models = [ScenarioModel(name="a", fps=50, probability=0.3)]
    case = tiny_case(models, {"a": [1.0]})

    def run(seed: int) -> list[int]:
        result = (
            compat.run(case, seed=seed)
            if mode == "compat"
            else correct.run(case, "fcfs", seed=seed)
        )
        return frames(result, "a")

    assert run(7) == run(7)
    counts = [len(run(seed)) for seed in range(60)]
    assert len({tuple(run(seed)) for seed in range(5)}) == 5
    wanted = 60 * 35 * 0.3
    lost = 60 if mode == "compat" else 0  # at most the last frame of each run
    assert -lost < sum(counts) - wanted + 4 * (wanted * 0.7) ** 0.5, "within four sigma"
    assert sum(counts) - wanted < 4 * (wanted * 0.7) ** 0.5
