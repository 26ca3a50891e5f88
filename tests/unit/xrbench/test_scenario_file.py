"""Scenario files of the release: what is read, and mistakes with their line."""

from pathlib import Path

import pytest

from band.errors import BandError
from band.xrbench.scenario_file import read_scenario

TEXT = """\
// eyes and gaze
Network Gaze {

Dependency: {
\tEyes\t
}
Probability: 0.75
FPS: 60

Layer conv1 {
\tType: CONV
\tDimensions: { N: 1, K: 16, C: 3, Y: 160, X: 100, R: 3, S: 3 }
}
}

Network Eyes {
FPS: 60 // a camera
Layer conv1 {
    Type: CONV
    Stride { X: 2, Y: 2 }
    Dimensions { K: 32, C: 32, R: 3, S: 3, Y: 160, X: 100 }
    Dataflow { SpatialMap(1,1) K; Cluster(64, P); TemporalMap(1,1) Y'; }
}
Layer conv2 { Type: CONV Dimensions: { N: 1, K: 32, C: 32, Y: 160, X: 100, R: 1, S: 1 } }
}
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "Mine.m"
    path.write_text(text, encoding="utf-8")
    return path


def test_networks_come_upstream_first_with_rate_probability_and_macs(tmp_path: Path) -> None:
    scenario = read_scenario(write(tmp_path, TEXT))
    eyes, gaze = scenario.models
    assert (scenario.name, scenario.stochastic) == ("Mine", True)
    assert (eyes.name, eyes.fps, eyes.probability, eyes.depends_on) == ("Eyes", 60, 1.0, ())
    assert (gaze.name, gaze.probability, gaze.depends_on) == ("Gaze", 0.75, ("Eyes",))
    assert eyes.gmac == pytest.approx(32 * 32 * 160 * 100 * (9 + 1) / 1e9)
    assert gaze.gmac == pytest.approx(16 * 3 * 160 * 100 * 9 / 1e9)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("FPS: 60\n", "FPS: sixty\n", "8: FPS must be a whole number from 2 to 1000, not 'sixty'"),
        ("FPS: 60\n", f"FPS: {'9' * 5_000}\n", "8: FPS must be a whole number"),
        ("FPS: 60 //", "FPS: 0 //", "17: FPS must be a whole number"),
        ("FPS: 60\n", "", "2: network Gaze has no FPS"),
        ("0.75", "1.5", "7: Probability must be from 0 to 1, not '1.5'"),
        ("Probability", "Probabilty", "7: a network has no key 'Probabilty'; did you mean"),
        ("\tEyes", "\tEye", "2: Gaze depends on 'Eye', which is not here; did you mean 'Eyes'?"),
        ("\tEyes", "\tGaze", "2: the dependencies of Gaze go in a circle"),
        ("Network Eyes", "Network Gaze", "16: network Gaze is given twice, first on line 2"),
        ("Network Eyes", "Net Eyes", "16: 'Net' stands where 'Network NAME {' is expected"),
        ("K: 16", "K: x", "12: dimension K is no whole number"),
        ("K: 16", f"K: {'9' * 400}", "12: dimension K is no whole number"),
        ("K: 16", "K: 16, A: 999999999, B: 999999999", "12: no layer has that many"),
        ("R: 1, S: 1 } }\n}", "R: 1, S: 1 } }\n", "16: network Eyes is not closed"),
        (TEXT, "// nothing\n", "1: the file has no block"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    assert old in TEXT
    with pytest.raises(BandError) as told:
        read_scenario(write(tmp_path, TEXT.replace(old, new, 1)))
    assert f"Mine.m:{sentence}" in told.value.message


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BandError, match="there is no scenario file"):
        read_scenario(tmp_path / "other.m")
    (tmp_path / "binary.m").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BandError, match="cannot be read as text"):
        read_scenario(tmp_path / "binary.m")


@pytest.mark.parametrize("cut", range(0, len(TEXT), 7))
def test_a_file_cut_anywhere_is_read_or_refused_in_one_sentence(tmp_path: Path, cut: int) -> None:
    path = write(tmp_path, TEXT[:cut])
    told = f"{path}: read"
    try:
        assert read_scenario(path).models
    except BandError as error:
        told = error.message
    assert told.startswith(str(path))
    assert "\n" not in told
