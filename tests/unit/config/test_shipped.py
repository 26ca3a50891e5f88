"""Every shipped file loads, and every figure in the shipped devices is what the source says."""

import json
from typing import Any

import pytest

from band.config.daemon import load_daemon
from band.config.device import list_devices, load_device
from band.config.params import parse_params
from band.config.policy import load_policy
from band.device.profile import Mark, Processor, ProcessorKind
from band.scheduler.loader import list_policies, resolve
from band.share import share_dir
from band.testing.data import NO_DATA, data_dir

CONFIGS = share_dir("configs")
SHIPPED = ("coral_dev_board", "host", "pixel4", "snapdragon_865", "snapdragon_8gen3")
EMULATED = tuple(name for name in SHIPPED if name != "host")
needs_data = pytest.mark.skipif(data_dir("devices") is None, reason=NO_DATA)


def published() -> Any:
    folder = data_dir("devices")
    assert folder is not None
    return json.loads((folder / "published_latency.json").read_text(encoding="utf-8"))


def processor(device: str, name: str) -> Processor:
    found = load_device(device).processor(name)
    assert found is not None
    return found


def coefficients(device: str, name: str, dtype: str) -> tuple[float, float, float]:
    cost = next(c for c in processor(device, name).costs if c.dtype == dtype)
    return cost.dispatch_us / 1000, cost.per_op_us / 1000, cost.us_per_gmac / 1000


def test_these_devices_are_shipped() -> None:
    assert list_devices() == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_a_device_file_is_named_after_its_device(name: str) -> None:
    assert load_device(name).name == name


@pytest.mark.parametrize("name", SHIPPED)
def test_every_coefficient_carries_its_source(name: str) -> None:
    device = load_device(name)
    for processor in device.processors:
        for cost in processor.costs:
            assert {n for n, _ in cost.details} >= {"dispatch_us", "us_per_gmac"}
            assert all(e.source for _, e in cost.details)
        assert processor.support.source
    assert device.default_link is not None
    assert device.default_link.evidence.source


@pytest.mark.parametrize("name", SHIPPED)
def test_every_cpu_takes_float_models(name: str) -> None:
    for processor in load_device(name).processors:
        if processor.kind is ProcessorKind.CPU:
            assert "float32" in {c.dtype for c in processor.costs}


@pytest.mark.parametrize("name", EMULATED)
def test_an_emulated_device_is_emulated_as_a_whole(name: str) -> None:
    device = load_device(name)
    assert all(p.emulated for p in device.processors)
    assert device.noise_sigma == 0.2
    assert dict(device.details)["noise_sigma"].mark is Mark.HYPOTHESIS


def test_the_host_is_real_and_keeps_wall_time() -> None:
    host = load_device("host")
    assert not host.emulated
    assert host.time_scale == 1


def test_a_switch_costs_a_millisecond_and_the_copy() -> None:
    for name in EMULATED:
        assert load_device(name).transfer_us(0, 1, 430_000) == 2000


@needs_data
@pytest.mark.parametrize(
    ("device", "name", "dtype", "profile", "part", "precision"),
    [
        ("pixel4", "cpu", "float32", "pixel4", "cpu4", "float32"),
        ("pixel4", "gpu", "float32", "pixel4", "gpu", "float16"),
        ("pixel4", "npu", "int8", "pixel4", "tpu", "int8"),
        ("snapdragon_865", "dsp", "int8", "snapdragon_865_dsp", "dsp", "int8"),
        ("snapdragon_8gen3", "npu", "int8", "snapdragon_8gen3", "npu", "int8"),
        ("snapdragon_8gen3", "gpu", "float32", "snapdragon_8gen3", "gpu", "float16"),
        ("snapdragon_8gen3", "cpu", "float32", "snapdragon_8gen3", "cpu", "float32"),
        ("snapdragon_8gen3", "cpu", "int8", "snapdragon_8gen3", "cpu", "int8"),
        ("coral_dev_board", "cpu", "int8", "coral_dev_board", "cpu_a53x4", "int8"),
        ("coral_dev_board", "npu", "int8", "coral_dev_board", "edgetpu", "int8"),
    ],
)
def test_coefficients_are_the_recommended_ones(
    device: str, name: str, dtype: str, profile: str, part: str, precision: str
) -> None:
    source = published()["profiles"]["devices"][profile]["processors"][part]
    expected = (source["dispatch_ms"], source.get("per_op_ms", 0.0))
    rate = source["ms_per_gmac"][precision]
    assert coefficients(device, name, dtype) == pytest.approx((*expected, rate))


@needs_data
def test_coefficients_with_a_form_of_their_own_are_the_recommended_ones() -> None:
    devices = published()["profiles"]["devices"]
    cpu = devices["pixel4"]["processors"]["cpu4"]
    assert coefficients("pixel4", "cpu", "int8") == pytest.approx(
        (cpu["dispatch_ms_int8"], 0, cpu["ms_per_gmac"]["int8"])
    )
    half = devices["snapdragon_8gen3"]["processors"]["npu"]["float16"]
    assert coefficients("snapdragon_8gen3", "npu", "float32") == pytest.approx(
        (half["dispatch_ms"], half["per_op_ms"], half["ms_per_gmac"])
    )
    edge = devices["coral_dev_board"]["processors"]["edgetpu"]
    cost = processor("coral_dev_board", "npu").costs[0]
    assert cost.onchip_mb == edge["onchip_mb"]
    assert cost.us_per_offchip_mb == pytest.approx(edge["ms_per_mb_offchip"] * 1000)


def test_the_snapdragon_865_is_the_pixel_4_times_085() -> None:
    for name, dtype in (("cpu", "float32"), ("cpu", "int8"), ("gpu", "float32")):
        scaled = tuple(0.85 * x for x in coefficients("pixel4", name, dtype))
        assert coefficients("snapdragon_865", name, dtype) == pytest.approx(scaled)


@needs_data
@pytest.mark.parametrize(
    ("device", "name", "source", "unit", "runtime", "precisions"),
    [
        (
            "snapdragon_8gen3",
            "npu",
            "Samsung Galaxy S24",
            "NPU",
            "TFLite + QNN delegate",
            {"mobilenet_v2_uint8.tflite": "w8a8"},
        ),
        ("coral_dev_board", "cpu", "Coral Dev Board", "CPU (Cortex-A53)", "TFLite", {}),
        ("coral_dev_board", "npu", "Coral Dev Board", "EdgeTPU", "TFLite edgetpu", {}),
    ],
)
def test_published_rows_are_all_rows_of_exact_files_of_that_processor(
    device: str, name: str, source: str, unit: str, runtime: str, precisions: dict[str, str]
) -> None:
    default = "float16" if unit == "NPU" else "uint8"
    expected = {
        row["file"]: round(row["ms"] * 1000)
        for row in published()["rows"]
        if row.get("file")
        and (row["device"], row["processor"], row["runtime"]) == (source, unit, runtime)
        and row["scope"] == "model"
        and row["precision"] == precisions.get(row["file"], default)
    }
    assert expected
    rows = processor(device, name).published
    assert {row.model: row.latency_us for row in rows} == expected


def test_policy_files_name_each_shipped_policy_with_parameters_it_takes() -> None:
    files = sorted((CONFIGS / "policies").glob("*.yaml"))
    assert [f.stem for f in files] == sorted(
        s.name for s in list_policies() if s.path is not None and s.path.parent.name == "policies"
    )
    for file in files:
        policy = load_policy(file)
        assert policy.name == file.stem
        parse_params(resolve(policy.ref).params_type, policy.params, policy.where)


def test_the_daemon_file_loads() -> None:
    assert load_daemon(CONFIGS / "daemon.yaml").models[0].served_name == "squeezenet"
