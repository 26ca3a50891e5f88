from pathlib import Path
from types import ModuleType

import pytest

import band.runtime.backends
from band.clock import MonotonicClock
from band.errors import BandError, ErrorCode
from band.runtime.backends.protocol import BackendContext
from band.runtime.discovery import backend_names, open_backend
from band.testing.devices import make_device, make_processor


def _open(**processor: object) -> object:
    device = make_device(make_processor("cpu0", **processor))  # type: ignore[arg-type]
    context = BackendContext(device=device, clock=MonotonicClock())
    return open_backend(device.processors[0], context)


def test_the_shipped_backends_are_found_by_file_name() -> None:
    assert backend_names() == ("cpu", "emulated")


def test_a_new_backend_is_one_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one_more.py").write_text(
        "from dataclasses import dataclass\n"
        "@dataclass(frozen=True)\n"
        "class Options:\n"
        "    depth: int = 3\n"
        "class Backend:\n"
        "    def __init__(self, processor, options, context):\n"
        "        self.depth = options.depth\n"
    )
    path = [*band.runtime.backends.__path__, str(tmp_path)]
    monkeypatch.setattr(band.runtime.backends, "__path__", path)
    assert "one-more" in backend_names()
    backend = _open(backend="one-more", options={"depth": 5})
    assert backend.depth == 5  # type: ignore[attr-defined]


def test_test_backends_are_known_only_while_asked_for(scripted: ModuleType) -> None:
    assert "scripted" in backend_names()
    assert scripted.SCRIPTS == {}


def test_an_unknown_backend_names_the_nearest() -> None:
    with pytest.raises(BandError, match="'emulatd'; did you mean 'emulated'") as caught:
        _open(backend="emulatd")
    assert caught.value.code is ErrorCode.INVALID_CONFIG


def test_a_module_that_is_no_backend_is_refused() -> None:
    with pytest.raises(BandError, match="unknown backend 'protocol'"):
        _open(backend="protocol")


def test_an_unknown_option_names_the_nearest() -> None:
    with pytest.raises(BandError, match=r"cpu0.*'core'.*'cores'"):
        _open(backend="cpu", options={"core": "0"})
