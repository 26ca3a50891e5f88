import json
from pathlib import Path
from typing import Any

import pytest

from band.analysis.partition import Mode, Preparation
from band.config.daemon import load_daemon
from band.errors import BandError, ErrorCode
from band.trace.band_config import ImportedConfig, import_config

BENCHMARK: dict[str, Any] = {
    "models": [
        {"graph": "retinaface.tflite", "period_ms": 100, "batch_size": 5, "slo_us": 200000},
        {"graph": "arc/arc_mbv2.tflite", "worker_id": 1},
        {"graph": "retinaface.tflite"},
    ],
    "log_path": "log.json",
    "schedulers": ["heterogeneous_earliest_finish_time", "round_robin"],
    "schedule_window_size": 10,
    "minimum_subgraph_size": 7,
    "subgraph_preparation_type": "merge_unit_subgraph",
    "planner_cpu_masks": "PRIMARY",
    "profile_online": True,
    "num_threads": 2,
    "allow_work_steal": True,
    "model_profile": "p.json",
    "workload": "w.json",
    "workers": [{"device": "CPU", "num_threads": 1}],
    "execution_mode": "periodic",
    "running_time_ms": 60000,
    "cpu_mask": "ALL",
}


def imported(tmp_path: Path, config: object) -> ImportedConfig:
    path = tmp_path / "band.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    return import_config(path)


def test_what_has_a_counterpart_is_a_configuration_that_the_daemon_reads(tmp_path: Path) -> None:
    made = imported(tmp_path, BENCHMARK)
    (tmp_path / "daemon.yaml").write_text(made.yaml("band.json"), encoding="utf-8")
    config = load_daemon(tmp_path / "daemon.yaml")
    assert config.policy.name == "heft"
    assert config.window == 10
    assert config.analysis.mode is Mode.BAND
    assert config.analysis.minimum_subgraph_size == 7
    assert config.analysis.preparation is Preparation.MERGE_UNIT_SUBGRAPH
    assert [model.path for model in config.models] == [
        tmp_path / "retinaface.tflite",
        tmp_path / "arc" / "arc_mbv2.tflite",
    ]


def test_keys_that_band_never_reads_are_named_as_dead(tmp_path: Path) -> None:
    assert imported(tmp_path, BENCHMARK).dead == [
        "planner_cpu_masks",
        "profile_online",
        "num_threads",
        "allow_work_steal",
        "model_profile",
        "workload",
    ]


def test_what_has_no_counterpart_is_named_with_the_way_out(tmp_path: Path) -> None:
    dropped = dict(imported(tmp_path, BENCHMARK).dropped)
    assert set(dropped) == {
        *("models[0].batch_size", "models[0].period_ms", "models[0].slo_us", "models[1].worker_id"),
        *("log_path", "schedulers[1]", "workers", "execution_mode", "running_time_ms", "cpu_mask"),
    }
    assert "docs/traces.md" in dropped["models[0].period_ms"]
    assert "device file" in dropped["workers"]
    assert dropped["cpu_mask"] == "Band has no such key"


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ({"schedulers": [4]}, "schedulers[0]"),
        ({"schedulers": ["work_stealing"]}, "schedulers[0]"),
        ({"schedule_window_size": "10"}, "schedule_window_size"),
        ({"schedule_window_size": 2**31 - 1}, "schedule_window_size"),
        ({"minimum_subgraph_size": 0}, "minimum_subgraph_size"),
        ({"subgraph_preparation_type": "magic"}, "subgraph_preparation_type"),
    ],
)
def test_a_value_that_cannot_be_taken_over_is_named(
    tmp_path: Path, config: dict[str, object], key: str
) -> None:
    made = imported(tmp_path, config)
    assert [name for name, _ in made.dropped] == [key]
    assert made.config == {}


def test_an_empty_configuration_is_the_daemons_defaults(tmp_path: Path) -> None:
    (tmp_path / "daemon.yaml").write_text(imported(tmp_path, {}).yaml("x"), encoding="utf-8")
    assert load_daemon(tmp_path / "daemon.yaml").models == ()


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ([], "a configuration is a JSON object"),
        ({"models": {}}, "'models' is a list"),
        ({"models": [{}]}, "models[0] lacks 'graph'"),
        ({"models": ["x.tflite"]}, "models[0] lacks 'graph'"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(
    tmp_path: Path, config: object, words: str
) -> None:
    with pytest.raises(BandError) as caught:
        imported(tmp_path, config)
    assert caught.value.code is ErrorCode.INVALID_CONFIG
    assert words in caught.value.message
