"""Models are opened by path or by name; the cache is where it should be."""

from pathlib import Path

import pytest

from band.errors import BandError, ErrorCode
from band.model.cache import cache_dir, cached_path, is_cached
from band.model.source import is_path, open_model, split_reference, with_shapes_named
from band.model.work import graph_work
from band.model.zoo import GENERATED, SETS, XR, PulledFile, generated, known_names
from band.testing.data import NO_DATA, data_dir
from band.testing.models import chain
from band.testing.open_models import open_image

# Millions of multiply-accumulates and number of ops, from the papers or by design.
SIZES = {
    "squeezenet_1_1": (353, 40),
    "mobilenet_v2": (301, 65),
    "encoder_decoder": (130, 56),
    "eagleeye_detector": (46, 60),
    "eagleeye_icn": (316, 52),
    "eagleeye_arc_mobile": (221, 96),
    "eagleeye_arc_resnet": (655, 40),
}


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BAND_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_path_has_a_slash_or_the_ending_and_all_else_is_a_name() -> None:
    assert is_path("./net")
    assert is_path("net.tflite")
    assert is_path("NET.TFLITE")
    assert not is_path("squeezenet_1_1")


@pytest.mark.parametrize("name", [net.name for net in GENERATED])
def test_a_generated_net_has_its_size_and_repeats_exactly(name: str) -> None:
    net = generated(name)
    assert net is not None
    model = open_model(name)
    assert (round(graph_work(model.graph).macs / 1e6), len(model.graph.ops)) == SIZES[name]
    assert model.name == name
    assert model.graph.sha256 == net.build().graph.sha256


def test_names_are_unique() -> None:
    assert len(known_names()) == len(set(known_names())) == len(GENERATED) + len(XR.files)
    assert [s.name for s in SETS] == ["xr"]


def test_a_file_is_opened_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(chain().content)
    assert open_model(str(path)).graph.sha256 == chain().graph.sha256


def test_a_reference_can_say_the_shapes_of_inputs(tmp_path: Path) -> None:
    path = tmp_path / "open_image.tflite"
    path.write_bytes(open_image().content)
    model = open_model(f"{path}?image=1,24,16,3")
    assert model.graph.tensors[model.graph.inputs[0]].shape == (1, 24, 16, 3)
    assert is_path("open_image.tflite?image=1,24,16,3")
    ref = with_shapes_named("a.tflite", {"x": (1, 2), "y:0": (3,)})
    assert split_reference(ref) == ("a.tflite", {"x": (1, 2), "y:0": (3,)})
    assert split_reference(with_shapes_named("net", {})) == ("net", {})


@pytest.mark.parametrize("shapes", ["image", "image=", "image=1,two", "image=1;2", ""])
def test_shapes_that_cannot_be_read_are_refused(shapes: str) -> None:
    with pytest.raises(BandError, match="write NAME=1,16000 behind the question mark") as caught:
        open_model(f"a.tflite?{shapes}")
    assert caught.value.code is ErrorCode.INVALID_REQUEST


def test_an_unknown_name_lists_the_nearest() -> None:
    with pytest.raises(BandError, match="did you mean mobilenet_v2") as caught:
        open_model("mobilnet_v2")
    assert caught.value.code is ErrorCode.UNKNOWN_MODEL
    with pytest.raises(BandError, match="see `band models list`"):
        open_model("zzzzzz")


def test_a_model_that_was_not_pulled_says_how_to_get_it() -> None:
    with pytest.raises(BandError, match="run `band models pull xr` once") as caught:
        open_model("hand_landmark_full")
    assert caught.value.code is ErrorCode.NOT_FOUND


def test_a_pulled_model_opens_and_a_changed_one_does_not(empty_cache: Path) -> None:
    folder = data_dir("models")
    if folder is None:
        pytest.skip(NO_DATA)
    file = next(f for f in XR.files if f.name == "hand_recrop")
    path = cached_path(XR, file)
    path.parent.mkdir(parents=True)
    content = (folder / "hand_recrop.tflite").read_bytes()
    path.write_bytes(content)
    assert is_cached(XR, file)
    assert open_model("hand_recrop").name == "hand_recrop"
    # One weight differs: a valid model, but not the one that was pinned.
    path.write_bytes(content[:-1000] + bytes([content[-1000] ^ 1]) + content[-999:])
    with pytest.raises(BandError, match=r"is not the file that was pulled|is damaged") as caught:
        open_model("hand_recrop")
    assert caught.value.code is ErrorCode.INVALID_MODEL


def test_the_pinned_files_are_the_real_ones() -> None:
    folder = data_dir("models")
    if folder is None:
        pytest.skip(NO_DATA)
    for file in XR.files:
        path = folder / f"{file.name}.tflite"
        assert path.stat().st_size == file.byte_count
        assert open_model(str(path)).graph.sha256 == file.sha256


def test_the_cache_is_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cache_dir() == tmp_path / "cache"
    monkeypatch.delenv("BAND_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_dir() == tmp_path / "xdg" / "band"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_dir() == tmp_path / "home" / ".cache" / "band"


def test_a_file_of_another_size_is_not_cached() -> None:
    file = PulledFile(name="x", member="x", byte_count=3, sha256="", summary="")
    path = cached_path(XR, file)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"12")
    assert not is_cached(XR, file)
    path.write_bytes(b"123")
    assert is_cached(XR, file)
