"""Imports the JSON configuration of mrsnu/band as the YAML of our daemon.

Band's file is one flat object that mixes engine and benchmark settings. Nothing of it is lost
silently: each key is taken over, or named with the reason why not.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from band.analysis.partition import Preparation
from band.errors import BandError, ErrorCode
from band.scheduler.loader import resolve
from band.scheduler.options import DEFAULT_POLICY
from band.trace.band_workload import load_json

_DEAD: Final = (
    "planner_cpu_masks",
    "profile_online",
    "num_threads",
    "allow_work_steal",
    "model_profile",
    "workload",
    "latency_profile_path",
    "profile_copy_computation_ratio",
)
"""Keys that Band accepts and never reads, or that only its older versions read."""

_ELSEWHERE: Final[Mapping[str, str]] = {
    "workers": "processors are described by a device file; see configs/devices",
    "cpu_masks": "processors are described by a device file; see configs/devices",
    "availability_check_interval_ms": "a worker that fails is restarted at once",
    "log_path": "use `band serve --record DIR`, or `band replay --out DIR` for a timeline",
    "profile_warmup_runs": "slices are measured when a model is registered",
    "profile_num_runs": "slices are measured when a model is registered",
    "profile_smoothing_factor": "the estimator's factor is fixed",
    "profile_data_path": "make a profile with `band profile`",
    "execution_mode": "rates belong to a scenario; see docs/traces.md",
    "running_time_ms": "give `band trace generate --seconds`",
}
_MODEL_KEYS: Final = ("period_ms", "batch_size", "worker_id", "slo_us", "slo_scale")
_INT_MAX: Final = 2**31 - 1


@dataclass(slots=True, kw_only=True)
class ImportedConfig:
    """What became of a configuration.

    Attributes:
        config: the daemon's configuration, as plain data.
        dead: keys that Band itself never reads.
        dropped: (key, why) of what has no counterpart here.
    """

    config: dict[str, Any] = field(default_factory=dict)
    dead: list[str] = field(default_factory=list)
    dropped: list[tuple[str, str]] = field(default_factory=list)

    def yaml(self, source: str) -> str:
        """Return the configuration as a YAML file."""
        text = yaml.safe_dump(self.config, sort_keys=False) if self.config else "{}\n"
        return f"# Imported from {source} of mrsnu/band.\n{text}"


def import_config(path: Path) -> ImportedConfig:
    """Return the daemon configuration for a Band configuration file.

    Raises:
        BandError: NOT_FOUND; INVALID_TRACE if the file is not JSON; INVALID_CONFIG if it is not
            an object, or names no model file where it lists one.
    """
    data = load_json(path)
    if not isinstance(data, dict):
        raise BandError(ErrorCode.INVALID_CONFIG, f"{path}: a configuration is a JSON object")
    imported = ImportedConfig()
    for key, value in data.items():
        taker = _TAKERS.get(key)
        if taker is not None:
            taker(imported, value, path)
        elif key in _DEAD:
            imported.dead.append(key)
        else:
            imported.dropped.append((key, _ELSEWHERE.get(key, "Band has no such key")))
    return imported


def _take_models(imported: ImportedConfig, value: Any, path: Path) -> None:
    if not isinstance(value, list):
        raise BandError(ErrorCode.INVALID_CONFIG, f"{path}: 'models' is a list")
    models: list[dict[str, str]] = []
    for i, model in enumerate(value):
        graph = model.get("graph") if isinstance(model, dict) else None
        if not isinstance(graph, str) or not graph:
            raise BandError(
                ErrorCode.INVALID_CONFIG, f"{path}: models[{i}] lacks 'graph', its model file"
            )
        if {"path": graph} not in models:
            models.append({"path": graph})
        for key in sorted(model.keys() - {"graph"}):
            why = "rates and limits belong to a scenario; see docs/traces.md"
            known = key in _MODEL_KEYS
            name = f"models[{i}].{key}"
            if key in _DEAD:
                imported.dead.append(name)
            else:
                imported.dropped.append((name, why if known else "Band has no such key"))
    imported.config["models"] = models


def _take_schedulers(imported: ImportedConfig, value: Any, path: Path) -> None:
    del path
    names = value if isinstance(value, list) else [value]
    for i, name in enumerate(names):
        if not isinstance(name, str):
            imported.dropped.append((f"schedulers[{i}]", f"{name!r} is not a name"))
            continue
        if "policy" in imported.config:
            imported.dropped.append((f"schedulers[{i}]", f"one policy is in force, not {name} too"))
            continue
        try:
            imported.config["policy"] = {"name": resolve(name).name}
        except BandError:
            why = f"there is no policy {name}; {DEFAULT_POLICY} is in force"
            imported.dropped.append((f"schedulers[{i}]", why))


def _take_window(imported: ImportedConfig, value: Any, path: Path) -> None:
    del path
    if type(value) is not int or value < 1:
        imported.dropped.append(("schedule_window_size", "it is a whole number above 0"))
    elif value >= _INT_MAX:
        imported.dropped.append(("schedule_window_size", "a window has a limit here; 16 is usual"))
    else:
        imported.config["window"] = value


def _take_minimum_size(imported: ImportedConfig, value: Any, path: Path) -> None:
    del path
    if type(value) is not int or value < 1:
        imported.dropped.append(("minimum_subgraph_size", "it is a whole number above 0"))
    else:
        _analysis(imported)["minimum_subgraph_size"] = value


def _take_preparation(imported: ImportedConfig, value: Any, path: Path) -> None:
    del path
    if value in set(Preparation):
        _analysis(imported)["preparation"] = str(value)
    else:
        names = ", ".join(Preparation)
        imported.dropped.append(("subgraph_preparation_type", f"it is one of {names}"))


def _analysis(imported: ImportedConfig) -> dict[str, Any]:
    """Return the analysis section; these settings have Band's meaning in Band's mode only."""
    section: dict[str, Any] = imported.config.setdefault("analysis", {"mode": "band"})
    return section


_TAKERS: Final[Mapping[str, Callable[[ImportedConfig, Any, Path], None]]] = {
    "models": _take_models,
    "schedulers": _take_schedulers,
    "schedule_window_size": _take_window,
    "minimum_subgraph_size": _take_minimum_size,
    "subgraph_preparation_type": _take_preparation,
}
