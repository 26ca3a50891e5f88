"""The page docs/configuration.md: its examples load, and it names every key there is."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from band.config import device_schema
from band.config.daemon import AnalysisConfig, DaemonConfig, ModelConfig, load_daemon
from band.config.device import load_device
from band.config.policy import PolicyConfig, load_policy

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
LOADERS: dict[str, Callable[[str], Any]] = {
    "daemon": load_daemon,
    "policy": load_policy,
    "device": load_device,
}
EXAMPLES = [
    pytest.param(kind, text, id=kind)
    for kind, text in re.findall(r"```yaml\n# (\w+)\n(.*?)```", PAGE, re.DOTALL)
]
SCHEMAS: list[type[BaseModel]] = [
    DaemonConfig,
    ModelConfig,
    AnalysisConfig,
    PolicyConfig,
    *(
        kind
        for kind in vars(device_schema).values()
        if isinstance(kind, type) and issubclass(kind, BaseModel)
    ),
]


def test_there_is_an_example_of_each_kind_of_file() -> None:
    assert {param.values[0] for param in EXAMPLES} == set(LOADERS)


@pytest.mark.parametrize(("kind", "text"), EXAMPLES)
def test_an_example_loads(kind: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / "example.yaml"
    file.write_text(text, encoding="utf-8")
    LOADERS[kind](str(file))


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.__name__)
def test_every_key_is_named(schema: type[BaseModel]) -> None:
    missing = [key for key in schema.model_fields if f"`{key}`" not in PAGE]
    assert not missing, f"docs/configuration.md does not name {missing}"


def test_the_defaults_in_the_table_are_the_defaults() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", PAGE, re.MULTILINE))
    fields = DaemonConfig.model_fields
    for key in ("address", "server_name", "device"):
        assert rows[key] == fields[key].default
    for key in (
        "max_message_mib",
        "queue_limit",
        "window",
        "default_priority",
        "policy_budget_us",
        "drain_timeout_s",
    ):
        assert float(rows[key]) == fields[key].default
    assert rows["policy"] == DaemonConfig().policy.name
    assert rows["mode"] == AnalysisConfig().mode
    assert rows["preparation"] == AnalysisConfig().preparation
    assert rows["plans"] == str(AnalysisConfig().plans)


def test_the_shipped_daemon_file_holds_the_defaults() -> None:
    shipped = load_daemon(ROOT / "configs" / "daemon.yaml").model_dump()
    shipped["models"] = ()
    shipped["policy"]["params"] = {}
    assert shipped == DaemonConfig().model_dump()
