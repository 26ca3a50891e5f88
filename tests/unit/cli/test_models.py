"""``band models`` lists what there is and says what went wrong in one sentence."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from band.cli.main import build_app
from band.model.zoo import known_names


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAND_CACHE", str(tmp_path))


def test_the_list_has_one_row_per_model_with_all_columns() -> None:
    done = CliRunner().invoke(build_app(), ["models", "list"])
    assert done.exit_code == 0
    assert done.stdout.splitlines()[0].split()[:4] == ["model", "source", "size", "here"]
    for name in known_names():
        assert f"\n{name} " in done.stdout


def test_the_list_is_the_default() -> None:
    listed = CliRunner().invoke(build_app(), ["models", "list"]).stdout
    assert CliRunner().invoke(build_app(), ["models"]).stdout == listed


def test_json_tells_what_is_here_and_how_big_it_is() -> None:
    done = CliRunner().invoke(build_app(), ["models", "list", "--json", "-"])
    rows = {row["name"]: row for row in json.loads(done.stdout)["models"]}
    assert set(rows) == set(known_names())
    assert rows["squeezenet_1_1"]["here"] is True
    hand = rows["hand_landmark_full"]
    assert (hand["source"], hand["size_bytes"], hand["here"]) == ("set xr", 5_478_917, False)


def test_an_unknown_set_exits_with_2_and_one_sentence() -> None:
    program = "from band.cli.main import main; main()"
    command = [sys.executable, "-c", program, "models", "pull", "nope"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "no model set 'nope'; the sets are: xr" in done.stderr
    assert "Traceback" not in done.stderr
