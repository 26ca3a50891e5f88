"""Pulling goes through the real pip, here with a package of our own instead of a registry."""

import hashlib
import zipfile
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from band.errors import BandError, ErrorCode
from band.model import pull as pulling
from band.model.cache import cached_path, set_dir
from band.model.zoo import PulledFile, PulledSet
from band.testing.models import chain, residual

FILES = {
    "small/chain.tflite": bytes(chain().content),
    "small/residual.tflite": bytes(residual().content),
}
WHEEL = "band_test_models-1.0-cp311-cp311-manylinux_2_28_x86_64.whl"


def model_set(files: Mapping[str, bytes], requirement: str = "band-test-models==1.0") -> PulledSet:
    return PulledSet(
        name="small",
        requirement=requirement,
        licence="Apache-2.0",
        files=tuple(
            PulledFile(
                name=Path(member).stem,
                member=member,
                byte_count=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
                summary="",
            )
            for member, content in files.items()
        ),
    )


def write_wheel(folder: Path, files: Mapping[str, bytes]) -> None:
    info = "band_test_models-1.0.dist-info"
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / WHEEL, "w") as archive:
        for member, content in files.items():
            archive.writestr(member, content)
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: band-test-models\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp311-cp311-manylinux_2_28_x86_64\n",
        )
        archive.writestr(f"{info}/RECORD", "")


@pytest.fixture(autouse=True)
def no_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pip see one folder and no index, and keep files in a cache of this test."""
    monkeypatch.setenv("BAND_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "packages"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    (tmp_path / "packages").mkdir()


def use(wanted: PulledSet, monkeypatch: pytest.MonkeyPatch) -> PulledSet:
    monkeypatch.setattr(pulling, "pulled_set", lambda name: wanted)
    return wanted


def test_a_set_is_pulled_once_and_told_step_by_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = use(model_set(FILES), monkeypatch)
    write_wheel(tmp_path / "packages", FILES)
    told: list[tuple[str, int, int]] = []
    paths = pulling.pull("small", lambda *step: told.append(step))
    assert [p.name for p in paths] == ["chain.tflite", "residual.tflite"]
    assert [p.read_bytes() for p in paths] == list(FILES.values())
    assert told[0] == ("download", 0, 0)
    assert told[-1] == ("unpack", 2, 2)
    assert sorted(p.name for p in set_dir(wanted).iterdir()) == [p.name for p in paths]
    # Without the package, a second pull finds everything in the cache.
    (tmp_path / "packages" / WHEEL).unlink()
    told.clear()
    assert pulling.pull("small", lambda *step: told.append(step)) == paths
    assert told == []


def test_only_damaged_files_are_pulled_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = use(model_set(FILES), monkeypatch)
    write_wheel(tmp_path / "packages", FILES)
    first, second = pulling.pull("small")
    first.write_bytes(b"x" * wanted.files[0].byte_count)
    before = second.stat().st_ino
    pulling.pull("small")
    assert first.read_bytes() == FILES["small/chain.tflite"]
    assert second.stat().st_ino == before


def test_a_package_that_cannot_be_reached_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    use(model_set(FILES), monkeypatch)
    with pytest.raises(BandError, match=r"cannot get band-test-models==1.0 with pip") as caught:
        pulling.pull("small")
    assert caught.value.code is ErrorCode.UNREACHABLE
    assert "No matching distribution found" in caught.value.message
    assert "\n" not in caught.value.message


def test_a_python_without_pip_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    use(model_set(FILES), monkeypatch)
    monkeypatch.setattr(pulling, "version", absent)
    with pytest.raises(BandError, match=r"has no pip; run `.* -m ensurepip`") as caught:
        pulling.pull("small")
    assert caught.value.code is ErrorCode.UNSUPPORTED_FEATURE


@pytest.mark.parametrize(
    ("shipped", "says"),
    [
        ({**FILES, "small/residual.tflite": b"other"}, "small/residual.tflite .* differs from"),
        ({"small/chain.tflite": FILES["small/chain.tflite"]}, "is missing"),
    ],
)
def test_a_package_with_other_files_is_refused_and_leaves_nothing_of_them(
    shipped: Mapping[str, bytes], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = use(model_set(FILES), monkeypatch)
    write_wheel(tmp_path / "packages", shipped)
    with pytest.raises(BandError, match=says) as caught:
        pulling.pull("small")
    assert caught.value.code is ErrorCode.INVALID_MODEL
    assert not cached_path(wanted, wanted.files[1]).exists()
    assert not list(set_dir(wanted).glob(".pull-*"))


def test_a_cache_that_cannot_be_written_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(model_set(FILES), monkeypatch)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BAND_CACHE", str(tmp_path / "file"))
    with pytest.raises(BandError, match="set BAND_CACHE to another folder"):
        pulling.pull("small")


def test_an_unknown_set_lists_the_known_ones() -> None:
    with pytest.raises(BandError, match="no model set 'nope'; the sets are: xr") as caught:
        pulling.pull("nope")
    assert caught.value.code is ErrorCode.NOT_FOUND
