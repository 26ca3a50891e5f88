"""The seven scenarios, and what the names of settings say."""

import pytest

from band.errors import BandError
from band.xrbench.hardware import AcceleratorKind, hardware
from band.xrbench.scenarios import SCENARIOS, find_scenario


def test_there_are_the_seven_scenarios_of_the_release() -> None:
    assert [(s.name, len(s.models), s.stochastic) for s in SCENARIOS] == [
        ("VR_gaming", 3, False),
        ("AR_gaming", 3, False),
        ("AR_Assistant", 6, True),
        ("outdoor_activity_A", 4, True),
        ("outdoor_activity_B", 3, True),
        ("social_interactionA", 4, False),
        ("social_interactionB", 3, False),
    ]


@pytest.mark.parametrize(
    ("fps", "period_ms", "frames"),
    [(60, 16, 43), (45, 22, 31), (30, 33, 21), (15, 66, 10), (10, 100, 7), (3, 333, 2)],
)
def test_periods_are_whole_milliseconds(fps: int, period_ms: int, frames: int) -> None:
    models = [m for s in SCENARIOS for m in s.models if m.fps == fps]
    assert models
    assert {(m.period_ms, m.frames) for m in models} == {(period_ms, frames)}


def test_dependents_come_after_what_they_depend_on_and_share_its_rate() -> None:
    depending = 0
    for scenario in SCENARIOS:
        seen: set[str] = set()
        for model in scenario.models:
            assert seen.issuperset(model.depends_on)
            assert all(scenario.model(u).fps == model.fps for u in model.depends_on)
            depending += bool(model.depends_on)
            seen.add(model.name)
    assert depending == 6


def test_a_network_costs_the_same_macs_wherever_it_occurs() -> None:
    found: dict[str, set[float | None]] = {}
    for scenario in SCENARIOS:
        for model in scenario.models:
            name = "detector" if "D2go" in model.name else model.name
            found.setdefault(name, set()).add(model.gmac)
    assert all(len(gmac) == 1 and None not in gmac for gmac in found.values())


def test_unknown_names_get_the_nearest_known_one() -> None:
    with pytest.raises(BandError, match=r"'VR_gamin'; did you mean 'VR_gaming'\?"):
        find_scenario("VR_gamin")
    with pytest.raises(BandError, match=r"no model 'ES_RITNe'; did you mean 'ES_RITNet'\?"):
        find_scenario("VR_gaming").model("ES_RITNe")


def test_the_name_of_a_setting_tells_its_accelerators() -> None:
    assert hardware("Single_4K__WS") == (AcceleratorKind(4096, "WS"),)
    assert hardware("Dual_4K__WS_OS") == (AcceleratorKind(2048, "WS"), AcceleratorKind(2048, "OS"))
    assert hardware("Dual_8K_BigLittle__RS_RS") == (
        AcceleratorKind(6144, "RS"),
        AcceleratorKind(2048, "RS"),
    )
    assert (
        hardware("Quad_4K__WS_OS_WS_OS")
        == (
            AcceleratorKind(1024, "WS"),
            AcceleratorKind(1024, "OS"),
        )
        * 2
    )
    assert str(AcceleratorKind(2048, "OS")) == "2048 elements, output-stationary"


@pytest.mark.parametrize(
    "name", ["mine", "Dual_4K__WS", "Quad_4K_BigLittle__WS_WS", "Dual_4K__X_Y"]
)
def test_a_name_of_another_kind_tells_nothing(name: str) -> None:
    assert hardware(name) is None
