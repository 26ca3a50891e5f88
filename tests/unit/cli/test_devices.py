"""The verb ``band devices``."""

import json
import sys
from pathlib import Path

import pytest

from band.cli.main import main
from band.config.device import core_count, list_devices


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    argv = sys.argv
    sys.argv = ["band", *args]
    try:
        with pytest.raises(SystemExit) as stopped:
            main()
    finally:
        sys.argv = argv
    captured = capsys.readouterr()
    return int(stopped.value.code or 0), captured.out, captured.err


def test_the_bare_verb_lists_the_devices(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "devices")
    assert code == 0
    assert out == run(capsys, "devices", "list")[1]
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line[:1].strip()}
    assert set(list_devices()) <= set(rows)
    assert rows["pixel4"][:3] == ["1", "emulated", "6"]
    assert rows["host"][1:3] == ["real", "1"]


def test_json_says_of_each_device_whether_it_is_emulated(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, _ = run(capsys, "devices", "list", "--json", "-")
    devices = {d["name"]: d for d in json.loads(out)["devices"]}
    assert code == 0
    assert {name: d["emulated"] for name, d in devices.items()} == {
        name: name != "host" for name in list_devices()
    }
    npu = devices["snapdragon_8gen3"]["processors"][2]
    assert npu["published"][0]["latency_us"] == 392
    assert {c["mark"] for p in devices["pixel4"]["processors"] for c in p["costs"]} <= {
        "derived",
        "hypothesis",
    }
    assert npu["active_mw"] == 3800
    assert npu["evidence"]["active_mw"]["mark"] == "hypothesis"
    assert devices["pixel4"]["evidence"]["noise_sigma"]["mark"] == "hypothesis"
    assert (devices["pixel4"]["contention"], devices["pixel4"]["thermal"]) == ([], [])


def test_probe_opens_each_processor_of_the_host(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "devices", "probe", "--json", "-")
    document = json.loads(out)
    assert code == 0
    assert document["device"] == "host"
    assert len(document["processors"]) == core_count()
    for row in document["processors"]:
        assert row["works"] is True
        assert row["word"] == ""
        assert row["runtime"] == "ai-edge-litert"
        assert row["runtime_version"]


def test_probe_marks_an_emulated_processor(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "devices", "probe", "pixel4", "--json", "-")
    assert [row["word"] for row in json.loads(out)["processors"]] == ["emulated"] * 3


def test_probe_says_why_a_processor_cannot_work(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "odd.yaml"
    number = "{value: 1, mark: hypothesis, source: a test}"
    costs = f"costs: {{float32: {{dispatch_us: {number}, us_per_gmac: {number}}}}}"
    file.write_text(
        'name: odd\nversion: "1"\ndescription: Odd.\nprocessors:\n'
        f"  - {{name: a, kind: npu, backend: no-such, {costs}}}\n"
        f"  - {{name: b, kind: cpu, backend: cpu, available: false, {costs}}}\n",
        encoding="utf-8",
    )
    code, text, _ = run(capsys, "devices", "probe", str(file), "--json", "-")
    first, second = json.loads(text)["processors"]
    assert code == 0
    assert not first["works"]
    assert "unknown backend 'no-such'" in first["detail"]
    assert not second["works"]
    assert "not available" in second["detail"]


def test_an_unknown_device_is_one_sentence_and_exit_code_2(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, err = run(capsys, "devices", "probe", "pixel5")
    assert (code, out) == (2, "")
    assert err == "error: unknown device 'pixel5'; did you mean 'pixel4'?\n"
