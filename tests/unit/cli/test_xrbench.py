"""``band xrbench`` as a user types it."""

import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from band.cli.main import main
from band.cli.xrbench_view import grid_table
from band.testing.xrbench_cases import tiny_case
from band.xrbench import compat
from band.xrbench.batch import CaseName, Outcome
from band.xrbench.result import Bound
from band.xrbench.scenarios import ScenarioModel
from band.xrbench.schedule import read_schedule, read_summary

Band = Callable[..., tuple[int, str, str]]


def latencies(**models: float) -> dict[str, Any]:
    return {name: {"latency_ms": ms, "energy_mj": 150.0} for name, ms in models.items()}


COSTS = {
    "source": "a test",
    "settings": {
        "Single_4K__WS": {
            "accelerators": [
                {
                    "id": 0,
                    "models": latencies(
                        ES_RITNet=2.0,
                        GE_FBNet_C=4.0,
                        HT_hand_graph_cnn_half=9.0,
                        AS_ED_TCN=1.0,
                    ),
                }
            ]
        },
        "Mine": {"accelerators": [{"id": 0, "models": latencies(a=35.0, b=60.0)}]},
    },
}
SCENARIO = "Network a { FPS: 20 }\nNetwork b { FPS: 10 }\n"
VR = ("--costs", "costs.json", "--setting", "Single_4K__WS", "--scenario", "VR_gaming")
OWN = ("--costs", "costs.json", "--setting", "Mine", "--scenario", "own.m")


@pytest.fixture
def band(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Band:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "costs.json").write_text(json.dumps(COSTS), encoding="utf-8")
    (tmp_path / "own.m").write_text(SCENARIO, encoding="utf-8")

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["band", "xrbench", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    return run


def test_one_case_gives_one_document_and_carries_the_word(band: Band) -> None:
    code, told, _ = band(*VR, "--mode", "compat", "--policy", "latency_greedy", "--json", "-")
    document = json.loads(told)
    assert code == 0
    assert {"setting", "scenario", "policy", "mode", "overall", "models"} <= document.keys()
    assert (document["mode"], document["simulated"]) == ("compat", True)
    assert {"realtime", "energy", "qoe"} <= document["models"]["ES_RITNet"].keys()
    assert document["accelerators"] == [{"elements": 4096, "dataflow": "WS"}]


def test_the_table_shows_models_overall_and_bound(band: Band) -> None:
    code, told, _ = band(*OWN, "--policy", "edf", "--bound", "--bound-seconds", "1")
    assert code == 0
    assert "Mine own, edf, correct mode (simulated)" in told
    overall, bound = (
        float(re.search(rf"^{name} +([\d.]+)", told, re.MULTILINE)[1])  # type: ignore[index]
        for name in ("overall", r"bound(?: \(time over\))?")
    )
    assert 0 < overall <= bound


def test_a_bound_whose_time_was_over_is_marked_in_a_table_and_in_its_mean() -> None:
    result = compat.run(tiny_case([ScenarioModel(name="a", fps=30)], {"a": [5.0]}))
    outcomes = [
        Outcome(
            case=CaseName("tiny", name),
            policy="latency_greedy",
            result=result,
            bound=Bound(overall=overall, proven=proven, variables=1),
        )
        for name, overall, proven in (("x", 70.0, True), ("y", 80.0, False))
    ]
    written = io.StringIO()
    Console(file=written, width=100).print(grid_table("correct", outcomes))
    x, y, mean = (
        line.split()[-1]
        for line in written.getvalue().splitlines()
        if line.startswith(("tiny", "mean"))
    )
    assert (x, y, mean) == ("70.00", "80.00*", "75.00*")
    assert "* time over" in written.getvalue()


def test_several_policies_make_a_table_and_a_list_of_documents(band: Band) -> None:
    policies = ("--policy", "edf", "--policy", "sjf")
    code, told, _ = band(*OWN, *policies)
    assert code == 0
    assert "overall scores, correct mode (simulated)" in told
    documents = json.loads(band(*OWN, *policies, "--json", "-")[1])["cases"]
    assert [document["policy"] for document in documents] == ["edf", "sjf"]


def test_refused_cases_stand_beside_the_others_and_the_exit_code_is_2(
    band: Band, tmp_path: Path
) -> None:
    cases = [
        {"setting": "Single_4K__WS", "scenario": "social_interactionB"},
        {"setting": "Single_4K__WS", "scenario": "AR_gaming"},
    ]
    (tmp_path / "cases.json").write_text(json.dumps(cases), encoding="utf-8")
    several = ("--costs", "costs.json", "--cases", "cases.json", "--policy", "fcfs")
    code, told, err = band(*several, "--json", "-")
    first, second = json.loads(told)["cases"]
    assert code == 2
    assert first["overall"] > 0
    sentence = "DE_midas_v21_small was never measured on accelerator 0 of Single_4K__WS"
    assert second["error"]["code"] == "not_found"
    assert second["error"]["message"].startswith(sentence)
    assert sentence in err
    assert "refused" in band(*several)[1]


def test_parameters_go_to_the_policies_that_have_them(band: Band) -> None:
    plain = json.loads(band(*OWN, "--policy", "sjf", "--json", "-")[1])
    shed = json.loads(band(*OWN, "--policy", "sjf", "--param", "shed=true", "--json", "-")[1])
    assert shed["models"] != plain["models"]
    code, _, err = band(*OWN, "--policy", "sjf", "--param", "shd=true")
    assert (code, "did you mean 'shed'?" in err) == (2, True)
    assert "write KEY=VALUE" in band(*OWN, "--policy", "sjf", "--param", "shed")[2]
    assert band(*OWN, "--policy", "sjf", "--param", "shed=maybe")[0] == 2
    assert (
        "no policy asked for has a parameter 'salvage'"
        in band(*OWN, "--policy", "fcfs", "--salvage")[2]
    )


def test_schedule_and_summary_are_files_of_the_release(band: Band, tmp_path: Path) -> None:
    files = ("--schedule", "s.csv", "--summary", "m.csv")
    document = json.loads(band(*OWN, "--policy", "edf", *files, "--json", "-")[1])
    rows = read_schedule(tmp_path / "s.csv")
    assert len(rows) == sum(model["completed"] for model in document["models"].values())
    _, overall = read_summary(tmp_path / "m.csv")
    assert overall == pytest.approx(document["overall"], abs=1e-5)
    scored = json.loads(band("--score", "s.csv", "--scenario", "own.m", "--json", "-")[1])
    assert scored["overall"] == pytest.approx(document["overall"], abs=1e-4)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "name a cost table with --costs FILE"),
        (("--costs", "costs.json", "--policy", "edf"), "name a case with --setting S"),
        (VR, "name a policy with --policy P"),
        ((*VR, "--policy", "edf", "--mode", "compat"), "use --mode correct"),
        ((*VR, "--policy", "edf", "--mode", "corect"), "there is no mode 'corect'; did you mean"),
        ((*VR, "--policy", "efd"), "unknown policy 'efd'; did you mean 'edf'?"),
        ((*VR, "--policy", "edf", "--cases", "x.json"), "leave out the other two options"),
        ((*VR, "--policy", "edf", "--policy", "sjf", "--schedule", "s"), "take one case and one"),
        ((*VR[:4], "--scenario", "VR_gamin", "--policy", "edf"), "did you mean 'VR_gaming'?"),
        ((*VR[:2], "--setting", "Min", *VR[4:], "--policy", "edf"), "did you mean 'Mine'?"),
        (
            (*VR, "--policy", "latency_greedy", "--mode", "compat", "--bound"),
            "the bound is that of correct mode",
        ),
        (
            (*VR, "--policy", "latency_greedy", "--mode", "compat", "--param", "a=1"),
            "have no parameters",
        ),
        (("--score", "s.csv"), "--score needs the scenario of the schedule"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    band: Band, arguments: tuple[str, ...], sentence: str
) -> None:
    code, told, err = band(*arguments)
    assert (code, told) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1
