"""Rules of a daemon's file reach its clients; strict mode keeps a daemon from starting."""

from pathlib import Path

import pytest

from band.config.daemon import load_daemon
from band.errors import BandError, ErrorCode
from band.rpc.client import Client
from band.rpc.daemon import Daemon
from band.testing.daemons import device_file


def config(folder: Path, model_dir: Path, rules: str) -> Path:
    """Write the file of a daemon with one model under ``rules``; return its path."""
    device = device_file(folder, processors=2)
    file = folder / "daemon.yaml"
    file.write_text(
        f"address: 127.0.0.1:0\ndevice: {device}\n"
        f"models:\n  - path: {model_dir / 'chain.tflite'}\n{rules}",
        encoding="utf-8",
    )
    return file


def test_a_plan_tells_which_rule_keeps_an_op_off(model_dir: Path, tmp_path: Path) -> None:
    file = config(tmp_path, model_dir, "    exclude: {processor: cpu1, ops: MEAN}\n")
    with Daemon(load_daemon(file)) as daemon, Client(daemon.address) as client:
        plan = client.plan("chain")
    assert [(r.type, r.processor, r.reason) for r in plan.refusals] == [
        ("MEAN", "cpu1", "excluded by rule daemon.yaml:5")
    ]
    mean = plan.refusals[0].op
    assert all(u.processors == ["cpu0"] for u in plan.units if mean in u.ops)


def test_a_daemon_does_not_start_with_a_model_that_strict_mode_refuses(
    model_dir: Path, tmp_path: Path
) -> None:
    rules = "    exclude: {processor: cpu1, ops: MEAN}\n    strict: cpu1\n"
    file = config(tmp_path, model_dir, rules)
    with pytest.raises(BandError) as caught, Daemon(load_daemon(file)):
        pass
    assert caught.value.code is ErrorCode.FALLBACK_REFUSED
    assert caught.value.outcome == ("FAILED_PRECONDITION", 3)
    assert "op 3 (MEAN): excluded by rule daemon.yaml:5" in caught.value.message
