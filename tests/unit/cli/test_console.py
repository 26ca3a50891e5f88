"""Files that cannot be written are refused before a verb takes its time."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from band.cli.console import check_places
from band.cli.main import build_app
from band.errors import BandError, ErrorCode


def test_a_file_that_can_be_written_is_let_pass_untouched(tmp_path: Path) -> None:
    old = tmp_path / "old.json"
    old.write_text("kept", encoding="utf-8")
    check_places(old, str(tmp_path / "new.csv"), None, "-")
    assert old.read_text(encoding="utf-8") == "kept"
    assert list(tmp_path.iterdir()) == [old]


def test_a_folder_that_the_verb_makes_need_not_be_there(tmp_path: Path) -> None:
    made = tmp_path / "study"
    check_places(made / "cells.csv", folder=made)
    with pytest.raises(BandError, match=f"there is no folder {made}; name another file"):
        check_places(made / "cells.csv")


def test_no_folder_and_a_folder_are_no_files(tmp_path: Path) -> None:
    with pytest.raises(BandError, match="it is a folder; name another file") as caught:
        check_places(None, tmp_path)
    assert caught.value.code is ErrorCode.INVALID_REQUEST


@pytest.mark.parametrize(
    "command",
    [
        "replay {trace} --device pixel4 --policy heft --json {no}/x.json",
        "sweep --trace {trace} --device pixel4 --policy heft --csv {no}/x.csv",
        "sweep --trace {trace} --device pixel4 --policy heft --parquet {no}/x.parquet",
        "search {trace} --device pixel4 --out {no}/plan.yaml",
        "search {trace} --device pixel4 --json {no}/x.json",
        "check squeezenet_1_1 --json {no}/x.json",
        "xrbench --score {trace} --scenario VR_gaming --summary {no}/x.csv",
    ],
)
def test_verbs_that_take_their_time_look_at_their_files_first(command: str, tmp_path: Path) -> None:
    """The trace is no trace, so that whoever gets as far as reading it says something else."""
    trace = tmp_path / "t.jsonl"
    trace.write_text("no trace", encoding="utf-8")
    words = command.format(trace=trace, no=tmp_path / "none").split()
    error = CliRunner().invoke(build_app(), words).exception
    assert isinstance(error, BandError)
    assert "there is no folder" in error.message
