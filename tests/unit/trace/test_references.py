import hashlib
from pathlib import Path

import pytest

from band.errors import BandError, ErrorCode
from band.model.source import open_model
from band.trace.references import trace_models


def test_a_path_is_written_relative_to_the_trace_with_the_digest_of_the_file(
    tmp_path: Path,
) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "x.tflite").write_bytes(b"content")
    (made,) = trace_models(
        {"x": "models/x.tflite"}, base=tmp_path, folder=tmp_path / "traces" / "today"
    )
    assert made.path == "../../models/x.tflite"
    assert made.sha256 == hashlib.sha256(b"content").hexdigest()


def test_a_generated_net_is_named_with_the_digest_that_it_will_have() -> None:
    (made,) = trace_models({"icn": "eagleeye_icn"}, base=Path(), folder=Path())
    assert (made.zoo, made.path) == ("eagleeye_icn", None)
    assert made.sha256 == open_model("eagleeye_icn").graph.sha256


def test_a_pulled_model_has_its_digest_whether_it_was_pulled_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAND_CACHE", str(tmp_path / "empty"))
    (made,) = trace_models({"hand": "hand_landmark_full"}, base=Path(), folder=Path())
    assert made.sha256 is not None
    assert made.sha256.startswith("11c272b891e1")


def test_an_unknown_name_and_a_missing_file_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(BandError, match="hand_landmark_full") as caught:
        trace_models({"hand": "hand_landmark_ful"}, base=tmp_path, folder=tmp_path)
    assert caught.value.code is ErrorCode.UNKNOWN_MODEL
    with pytest.raises(BandError, match="there is no file") as caught:
        trace_models({"x": "x.tflite"}, base=tmp_path, folder=tmp_path)
    assert caught.value.code is ErrorCode.NOT_FOUND


def test_a_file_that_need_not_exist_has_no_digest(tmp_path: Path) -> None:
    (made,) = trace_models({"x": "x.tflite"}, base=tmp_path, folder=tmp_path, must_exist=False)
    assert (made.path, made.sha256) == ("x.tflite", None)
