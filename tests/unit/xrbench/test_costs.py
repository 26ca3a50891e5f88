"""Cost tables: what is read, and the sentence for what is wrong or missing."""

import json
from pathlib import Path
from typing import Any

import pytest

from band.errors import BandError, ErrorCode
from band.testing.xrbench_cases import make_costs, tiny_case
from band.xrbench.case import latency_us, make_case
from band.xrbench.costs import Cost, load_costs
from band.xrbench.scenarios import Scenario, ScenarioModel, find_scenario


def write(tmp_path: Path, *accelerators: dict[str, Any]) -> Path:
    path = tmp_path / "costs.json"
    document = {"source": "a test", "settings": {"Dual": {"accelerators": list(accelerators)}}}
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")
    return path


def entry(number: int, **latencies: float) -> dict[str, Any]:
    models = {name: {"latency_ms": ms, "energy_mj": 2.5} for name, ms in latencies.items()}
    return {"id": number, "models": models}


def test_accelerators_come_by_number_with_their_costs(tmp_path: Path) -> None:
    table = load_costs(write(tmp_path, entry(1, a=3.0), entry(0, a=1.5, b=4)))
    assert table.source == "a test"
    setting = table.setting("Dual")
    assert [accelerator.id for accelerator in setting.accelerators] == [0, 1]
    assert setting.cost("a", setting.accelerators[1]) == Cost(3.0, 2.5, 1.0)


def test_a_pair_that_was_never_measured_is_named() -> None:
    table = make_costs({"a": [1.0, 2.0], "b": [1.0]})
    scenario = Scenario(name="s", models=tuple(ScenarioModel(name=n, fps=10) for n in "ab"))
    with pytest.raises(
        BandError, match=r"^b was never measured on accelerator 1 of tiny; "
    ) as told:
        make_case(table, "tiny", scenario)
    assert told.value.code is ErrorCode.NOT_FOUND


@pytest.mark.parametrize("measured", ["OD_D2go_FasterRCNN", "D2go_FastRCNN"])
def test_the_object_detector_is_found_under_either_of_its_names(measured: str) -> None:
    costs = {m.name: [1.0] for m in find_scenario("AR_Assistant").models if "D2go" not in m.name}
    table = make_costs({**costs, measured: [7.0]})
    case = make_case(table, "tiny", find_scenario("AR_Assistant"))
    assert case.costs[-1][0].latency_ms == 7.0


def test_an_unknown_setting_gets_the_nearest_known_one(tmp_path: Path) -> None:
    table = load_costs(write(tmp_path, entry(0, a=1.0)))
    with pytest.raises(BandError, match=r"no setting 'Dula'; did you mean 'Dual'\?"):
        table.setting("Dula")


def test_mistakes_are_told_with_their_line(tmp_path: Path) -> None:
    with pytest.raises(BandError, match=r"costs\.json:\d+: .*two accelerators of Dual have the id"):
        load_costs(write(tmp_path, entry(0, a=1.0), entry(0, a=2.0)))
    with pytest.raises(BandError, match=r"costs\.json:\d+: .*latency_ms"):
        load_costs(write(tmp_path, entry(0, a=0.0)))
    bad = entry(0, a=1.0)
    bad["models"]["a"]["latency"] = 2
    with pytest.raises(BandError, match=r"costs\.json:\d+: .*latency.*did you mean"):
        load_costs(write(tmp_path, bad))
    with pytest.raises(BandError, match="there is no file"):
        load_costs(tmp_path / "other.json")


def test_microseconds_are_rounded_up_but_not_for_a_doubles_sake() -> None:
    assert latency_us(Cost(1.503136, 0)) == 1504
    assert latency_us(Cost(1.001, 0)) == 1001  # 1.001 * 1000 is above 1001 as a double
    assert latency_us(Cost(2.0, 0)) == 2000
    assert latency_us(Cost(1e-9, 0)) == 1


def test_a_case_names_setting_and_scenario() -> None:
    case = tiny_case([ScenarioModel(name="a", fps=10)], {"a": [1.0]})
    assert case.name == "tiny tiny"
