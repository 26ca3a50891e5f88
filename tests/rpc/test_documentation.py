"""The examples and tables of docs/service.md are true."""

import re
from pathlib import Path

import numpy as np
import pytest

from band.config.daemon import DaemonConfig, ModelConfig
from band.errors import OUTCOMES, ErrorCode
from band.rpc.client import Client
from band.rpc.daemon import Daemon
from band.rpc.methods import BAND
from band.rpc.parameters import OURS
from band.testing.daemons import device_file

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "service.md").read_text(encoding="utf-8")


def _rows(first_column: str) -> list[list[str]]:
    """Return the rows of the table whose header starts so."""
    lines = PAGE.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {first_column} |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def test_the_examples_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    examples = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    assert len(examples) == 2
    config = DaemonConfig(
        address="127.0.0.1:0",
        device=device_file(tmp_path),
        models=(ModelConfig(zoo="squeezenet_1_1"),),
    )
    with Daemon(config) as daemon:
        for example in examples:
            exec(example.replace("127.0.0.1:8001", daemon.address), {})
    printed = capsys.readouterr().out
    assert "(1, 1000)" in printed
    assert "cpu0 runs" in printed


def test_the_status_table_is_that_of_the_code() -> None:
    documented = {
        code: (row[0], int(row[2]))
        for row in _rows("status")
        for code in re.findall(r"[a-z_]+", row[1].split(":")[0])
    }
    assert documented == {code.value: OUTCOMES[code] for code in ErrorCode}


def test_every_request_parameter_is_documented() -> None:
    documented = {name for row in _rows("parameter") for name in re.findall(r"`(\w+)`", row[0])}
    assert documented == {"priority", "timeout", *OURS}


def test_every_method_of_band_is_documented() -> None:
    text = PAGE[PAGE.index("## Methods of `band.v1.Band`") :]
    documented = set(re.findall(r"\b[A-Z][a-z]+[A-Z]?[A-Za-z]*", text.split("\n\n")[1]))
    assert set(BAND) <= documented


def test_the_response_parameters_are_those_documented(daemon: Daemon, client: Client) -> None:
    image = np.zeros((1, 16, 16, 3), np.float32)
    reply = client.infer("chain", {"image": image}, slo_us=1_000_000)
    text = PAGE[PAGE.index("## Response parameters") : PAGE.index("## Errors")]
    documented = set(re.findall(r"`(band_\w+)`", text))
    assert set(reply.parameters) | {"band_word"} == documented
