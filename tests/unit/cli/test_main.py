"""What every verb has in common: one sentence for what goes wrong, and its exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from band import __version__
from band.cli import main as command
from band.cli.console import READER_GONE_EXIT_CODE, emit_json
from band.errors import BandError

PROGRAM = "from band.cli.main import main; main()"


def _run(*args: str, stdout: int) -> tuple[int, str]:
    """Run a command with that standard output; return its exit code and standard error."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *args],
        stdout=stdout, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


@pytest.mark.parametrize("target", ["missing/found.json", "."])
def test_a_json_file_that_cannot_be_written_is_one_sentence(tmp_path: Path, target: str) -> None:
    with pytest.raises(BandError, match=r"cannot write .*; name another file") as caught:
        emit_json({"found": 1}, str(tmp_path / target))
    assert caught.value.outcome.exit_code == 2


def test_json_goes_to_the_named_file(tmp_path: Path) -> None:
    emit_json({"found": "é"}, str(tmp_path / "found.json"))
    text = (tmp_path / "found.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"found": "é"}
    assert "é" in text


def test_the_version_needs_no_verb() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "--version"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.split()[:2]) == (0, ["band", __version__])


@pytest.mark.parametrize("args", [("devices",), ("devices", "list", "--json", "-")])
def test_a_reader_that_went_away_ends_the_command_quietly(args: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        assert _run(*args, stdout=writer) == (READER_GONE_EXIT_CODE, "")
    finally:
        os.close(writer)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the full device of Linux")
@pytest.mark.parametrize("args", [("devices",), ("devices", "list", "--json", "-")])
def test_a_full_disk_is_no_internal_error(args: tuple[str, ...]) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        code, said = _run(*args, stdout=full)
    finally:
        os.close(full)
    assert code == 4
    assert said == "error: No space left on device; make room and run it again\n"


def _raise(error: BaseException, cause: BaseException | None = None) -> typer.Typer:
    app = typer.Typer()

    @app.command()
    def fails() -> None:
        raise error from cause

    return app


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (KeyboardInterrupt(), None),
        # What an extension module makes of Ctrl-C while it is imported.
        (ImportError("initialization failed"), KeyboardInterrupt()),
    ],
)
def test_ctrl_c_is_said_to_be_that_wherever_it_strikes(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    cause: BaseException | None,
) -> None:
    monkeypatch.setattr(command, "build_app", lambda: _raise(error, cause))
    monkeypatch.setattr(sys, "argv", ["band"])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == command.INTERRUPTED_EXIT_CODE
    assert capsys.readouterr().err == "interrupted\n"


def test_what_nobody_foresaw_is_an_internal_error_without_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "build_app", lambda: _raise(ImportError("no such thing")))
    monkeypatch.setattr(sys, "argv", ["band"])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 70
    said = capsys.readouterr().err
    assert said == "internal error: ImportError: no such thing (run with --debug)\n"
