"""A profile's file: whole or as it was, read back as written, refused if it is anything else."""

import json
import os
from dataclasses import fields, replace
from pathlib import Path

import pytest

from band.device.fit import CostFit
from band.errors import BandError, ErrorCode
from band.runtime.host import Host
from band.runtime.profiling import FittedCosts, Measured, Profile, read_profile


def _profile(mean_us: int) -> Profile:
    entry = Measured(
        model="chain",
        sha256="ab",
        ops=(0, 1, 2),
        processor="cpu",
        runtime="ai-edge-litert",
        runtime_version="2.3.0",
        delegate="xnnpack",
        threads=1,
        word="",
        runs=3,
        mean_us=mean_us,
        p95_us=mean_us + 5,
        cpu_us=40,
        predicted_us=50,
    )
    fit = CostFit(prices=(("dispatch", 4.5), ("op", 0.25)), speed=1.5, samples=9)
    return Profile(
        device="made",
        device_version="1",
        host=Host(cpu="Abacus", cores=3, architecture="wood"),
        band_version="0.1",
        measured=(entry, entry),
        fits=(FittedCosts(processors=("cpu",), basis="cpu", error_median=None, fit=fit),),
    )


def test_a_profile_comes_back_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    _profile(77).write(path)
    assert read_profile(path) == _profile(77)


def test_the_file_has_one_line_for_each_measurement(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    _profile(77).write(path)
    lines = path.read_text().splitlines()
    assert sum('"mean_us": 77' in line for line in lines) == 2
    document = json.loads(path.read_text())
    assert (document["format"], document["format_version"]) == ("band-profile", 2)
    assert document["host"] == {"cpu": "Abacus", "cores": 3, "architecture": "wood"}


def test_what_it_costs_is_processor_time_where_that_is_known() -> None:
    (entry, _) = _profile(77).measured
    assert (entry.cost_us, entry.error) == (40, 0.25)
    bare = replace(entry, cpu_us=None, predicted_us=None)
    assert (bare.cost_us, bare.error) == (77, None)


class _Crash(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("step", ["fsync", "replace", "chmod"])
def test_a_crash_while_writing_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "p.json"
    _profile(1).write(path)
    before = path.read_bytes()

    def crash(*_: object) -> None:
        raise _Crash

    with monkeypatch.context() as patch:
        patch.setattr(os if step == "fsync" else Path, step, crash)
        with pytest.raises(_Crash):
            _profile(2).write(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    _profile(2).write(path)
    assert read_profile(path) == _profile(2)


def test_what_a_killed_process_leaves_behind_is_not_the_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "p.json"
    _profile(1).write(path)

    def crash(*_: object, **__: object) -> None:
        raise _Crash

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", crash)
        patch.setattr(Path, "unlink", crash)  # a killed process cleans nothing up
        with pytest.raises(_Crash):
            _profile(2).write(path)
    assert len(list(tmp_path.iterdir())) == 2
    assert read_profile(path) == _profile(1)


def test_others_may_read_a_profile_as_they_may_read_any_file(tmp_path: Path) -> None:
    path, plain = tmp_path / "p.json", tmp_path / "plain"
    plain.write_text("")
    _profile(1).write(path)
    assert path.stat().st_mode == plain.stat().st_mode


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ('"mean_us": 7', '"mean_us": 0', "measured.0.mean_us"),
        ('"runs": 3', '"runs": -3', "measured.0.runs"),
        ('"speed": 1.5', '"speed": NaN', "fits.0.fit.speed"),
        ('"speed": 1.5', '"speed": 1e400', "fits.0.fit.speed"),
    ],
)
def test_figures_that_cannot_be_are_refused_by_their_place(
    tmp_path: Path, old: str, new: str, where: str
) -> None:
    path = tmp_path / "p.json"
    _profile(7).write(path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(BandError, match=rf"no profile of this version of band \({where}: Input"):
        read_profile(path)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"format": "other"}', '{"format": "band-profile"}', "\x00"]
)
def test_a_file_that_is_no_profile_is_one_sentence(tmp_path: Path, content: str) -> None:
    path = tmp_path / "p.json"
    path.write_text(content)
    with pytest.raises(
        BandError, match=r"p\.json is no profile of this version of band \(\w"
    ) as caught:
        read_profile(path)
    assert caught.value.code is ErrorCode.INVALID_CONFIG
    with pytest.raises(BandError) as missing:
        read_profile(tmp_path / "none.json")
    assert missing.value.code is ErrorCode.NOT_FOUND
    with pytest.raises(BandError, match="cannot be read"):
        read_profile(tmp_path)


@pytest.mark.parametrize("kind", [Profile, Measured, FittedCosts, CostFit, Host])
def test_the_page_names_every_field_of_the_file(kind: type) -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "profiles.md").read_text()
    missing = [field.name for field in fields(kind) if f"`{field.name}`" not in page]
    assert not missing, f"docs/profiles.md does not name {missing}"
