"""The page docs/configuration.md: its examples load, and it names every key there is."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from band.config import (
    device_schema,
    dynamics_schema,
    numbers,
    op_rules,
    scheduler,
    support_schema,
)
from band.config.daemon import AnalysisConfig, DaemonConfig, ModelConfig, load_daemon
from band.config.device import load_device
from band.config.op_rules import load_rules
from band.config.policy import PolicyConfig, load_policy
from band.config.scheduler import load_scheduler
from band.config.support_tables import support_at
from band.config.yaml_loader import load_yaml
from band.device.limits import ANY_SIZES
from band.device.support_table import Support

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")


def load_support(path: str) -> Support:
    """Return a support table that is a file of its own."""
    return support_at(load_yaml(path), ())


LOADERS: dict[str, Callable[[str], Any]] = {
    "daemon": load_daemon,
    "policy": load_policy,
    "device": load_device,
    "support": load_support,
    "rules": load_rules,
    "scheduler": load_scheduler,
}
FOUND = re.findall(r"```yaml\n# (\w+)(?: (\S+))?\n(.*?)```", PAGE, re.DOTALL)
EXAMPLES = [
    pytest.param(kind, text, id=f"{kind}{number}") for number, (kind, _, text) in enumerate(FOUND)
]
SCHEMAS: list[type[BaseModel]] = [
    DaemonConfig,
    ModelConfig,
    AnalysisConfig,
    PolicyConfig,
    *(
        kind
        for module in (device_schema, dynamics_schema, numbers, support_schema, op_rules, scheduler)
        for kind in vars(module).values()
        if isinstance(kind, type)
        and issubclass(kind, BaseModel)
        and kind.__module__ == module.__name__
    ),
]


def test_there_is_an_example_of_each_kind_of_file() -> None:
    assert {param.values[0] for param in EXAMPLES} == set(LOADERS)


@pytest.mark.parametrize(("kind", "text"), EXAMPLES)
def test_an_example_loads(kind: str, text: str, tmp_path: Path) -> None:
    for _, name, other in FOUND:
        if name:
            (tmp_path / name).write_text(other, encoding="utf-8")
    for name, log in re.findall(r"`(\S+\.csv)`:\n\n```csv\n(.*?)```", PAGE, re.DOTALL):
        (tmp_path / name).write_text(log, encoding="utf-8")
    file = tmp_path / "example.yaml"
    file.write_text(text, encoding="utf-8")
    LOADERS[kind](str(file))


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.__name__)
def test_every_key_is_named(schema: type[BaseModel]) -> None:
    missing = [key for key in schema.model_fields if f"`{key}`" not in PAGE]
    assert not missing, f"docs/configuration.md does not name {missing}"


def test_every_size_is_named() -> None:
    assert not [name for name in ANY_SIZES if f"`{name}`" not in PAGE]


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
        "advise_ms",
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
