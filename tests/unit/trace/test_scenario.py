from pathlib import Path

import pytest

from band.errors import BandError, ErrorCode
from band.trace.scenario import list_scenarios, load_scenario, node_order

SCENARIO = """\
name: office
models: {palm: palm_detection_full, hand: hand_landmark_full}
streams:
  - name: hands
    fps: 30
    jitter: 0.1
    deadline_ms: 33
    nodes:
      - {model: palm}
      - {model: hand, depends_on: [palm], count: {uniform: [0, 2]}, deadline_ms: 20}
  - name: door
    fps: 10
    probability: 0.5
    nodes:
      - {model: hand, depends_on: [palm], count: {same_as: palm}}
      - {model: palm, count: {poisson: 1.5, max: 4}}
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "office.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_scenario_file_is_read_into_its_streams(tmp_path: Path) -> None:
    scenario, path = load_scenario(write(tmp_path, SCENARIO))
    assert path == tmp_path / "office.yaml"
    assert [s.name for s in scenario.streams] == ["hands", "door"]
    assert scenario.streams[0].nodes[1].count.uniform == (0, 2)
    assert scenario.streams[0].jitter_us == pytest.approx(3333.33, abs=0.01)
    assert scenario.models["hand"] == "hand_landmark_full"


def test_nodes_are_ordered_after_what_they_refer_to(tmp_path: Path) -> None:
    scenario, _ = load_scenario(write(tmp_path, SCENARIO))
    assert node_order(scenario.streams[0]) == (0, 1)
    assert node_order(scenario.streams[1]) == (1, 0)


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("fps: 30", "fps: 0", 5, "greater than 0"),
        ("fps: 30", "fpss: 30", 4, "lacks the key 'fps'"),
        ("fps: 10", 'fps: "10"', 12, "must be a number"),
        ("jitter: 0.1", "jiter: 0.1", 6, "unknown key 'jiter'; did you mean 'jitter'?"),
        ("jitter: 0.1", "jitter_ms: 90", 4, "more than its period"),
        ("jitter: 0.1", "jitter: 0.1\n    jitter_ms: 1", 4, "give one of the two"),
        ("deadline_ms: 33", "deadline_ms: -3", 7, "greater than 0"),
        ("[palm], count: {uni", "[pal], count: {uni", 10, "unknown node 'pal' in 'depends_on'"),
        ("{same_as: palm}", "{same_as: face}", 15, "unknown node 'face' in 'count'"),
        ("{same_as: palm}}", "2, when: [face]}", 15, "unknown node 'face' in 'when'"),
        ("{poisson: 1.5, max: 4}", "-1", 16, "at least 0"),
        ("{poisson: 1.5, max: 4}", "many", 16, "a count is a whole number or one of"),
        ("{poisson: 1.5, max: 4}", "{poison: 1.5}", 16, "did you mean 'poisson'?"),
        ("model: palm, count", "model: palm, depends_on: [hand], count", 14, "in a circle"),
        ("- {model: palm}", "- {model: plam}", 9, "unknown model 'plam'; did you mean 'palm'?"),
        ("- {model: palm}", "- {model: hand}", 10, "has two nodes 'hand'"),
        ("name: door", "name: hands", 11, "two streams named 'hands'"),
        ("probability: 0.5", "probability: 1.5", 13, "at most 1"),
    ],
)
def test_a_mistake_is_named_with_file_and_line(
    tmp_path: Path, old: str, new: str, line: int, words: str
) -> None:
    assert old in SCENARIO
    path = write(tmp_path, SCENARIO.replace(old, new, 1))
    with pytest.raises(BandError) as caught:
        load_scenario(path)
    assert caught.value.code is ErrorCode.INVALID_CONFIG
    assert caught.value.message.startswith(f"{path}:{line}: ")
    assert words in caught.value.message


def test_an_unknown_name_is_answered_with_the_nearest_shipped_one() -> None:
    with pytest.raises(BandError, match="did you mean 'vr_gaming'") as caught:
        load_scenario("vr_gamin")
    assert caught.value.code is ErrorCode.NOT_FOUND


@pytest.mark.parametrize("name", list_scenarios())
def test_every_shipped_scenario_is_valid_and_named_as_its_file(name: str) -> None:
    scenario, path = load_scenario(name)
    assert scenario.name == path.stem == name


def test_the_example_of_the_documentation_is_valid(tmp_path: Path) -> None:
    docs = Path(__file__).parents[3] / "docs" / "traces.md"
    example = docs.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    scenario, _ = load_scenario(write(tmp_path, example))
    assert scenario.streams[0].nodes[1].count.uniform == (0, 2)
