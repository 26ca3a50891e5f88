"""Files that list cases."""

from pathlib import Path

import pytest

from band.errors import BandError
from band.xrbench.batch import CaseName, read_cases


def test_other_keys_of_a_case_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "cases.json"
    path.write_text('[{"setting": "a", "scenario": "b", "overall": 1}]', encoding="utf-8")
    assert read_cases(path) == (CaseName("a", "b"),)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[", "it is not JSON"),
        ("{}", "it must be a list"),
        ("[]", "it must be a list"),
        ('[{"setting": "a", "scenario": "b"}, {"setting": "a"}]', "entry 1 must be an object"),
        ('[{"setting": 1, "scenario": "b"}]', "entry 0 must be an object"),
    ],
)
def test_a_wrong_list_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "cases.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BandError, match=problem):
        read_cases(path)
    with pytest.raises(BandError, match="there is no file"):
        read_cases(tmp_path / "none.json")
