"""Real models on the shipped devices: what is refused, and what they are expected to take.

The names are those of the delegates' published lists; see the ``source`` of each table.
"""

from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from band.config.device import load_device
from band.device.cost import estimate_us
from band.device.profile import Processor
from band.device.support import refusals
from band.model.graph import Graph
from band.model.tflite_reader import read_model
from band.testing.data import NO_DATA, data_dir

MODELS = data_dir("models") or Path()
pytestmark = pytest.mark.skipif(data_dir("models") is None, reason=NO_DATA)


@cache
def graph(name: str) -> Graph:
    return read_model(MODELS / f"{name}.tflite").graph


def processor(device: str, name: str) -> Processor:
    found = load_device(device).processor(name)
    assert found is not None
    return found


def refused_types(device: str, name: str, model: str) -> tuple[Counter[str], Counter[str]]:
    """Return the types of the refused compute ops, and of the refused weight ops."""
    net = graph(model)
    weight = set(net.weight_ops)
    refused = refusals(processor(device, name), net)
    compute = Counter(net.ops[op].type for op in refused if op not in weight)
    return compute, Counter(net.ops[op].type for op in refused if op in weight)


def test_the_gpu_lacks_one_op_of_the_hand_model() -> None:
    compute, weight = refused_types("pixel4", "gpu", "hand_landmark_full")
    assert compute == {"MEAN": 1}
    assert weight == {"DEQUANTIZE": 102}
    reasons = refusals(processor("pixel4", "gpu"), graph("hand_landmark_full"))
    assert any(r.startswith("gpu takes no MEAN (") for r in reasons.values())


def test_the_gpu_lacks_the_depth_to_space_ops_of_the_pose_detector() -> None:
    compute, weight = refused_types("pixel4", "gpu", "pose_detection")
    assert compute == {"DEPTH_TO_SPACE": 3}
    assert weight == {"DEQUANTIZE": 144, "DENSIFY": 38}


@pytest.mark.parametrize(
    "model", ["palm_detection_full", "face_landmark", "iris_landmark", "face_detection_back"]
)
def test_the_gpu_takes_whole_float_models(model: str) -> None:
    assert refused_types("pixel4", "gpu", model)[0] == {}


def test_the_gpu_takes_no_quantised_model() -> None:
    net = graph("mobilenet_v2_uint8")
    refused = refusals(processor("pixel4", "gpu"), net)
    assert sorted(refused) == list(range(len(net.ops)))
    (reason,) = set(refused.values())
    assert reason.startswith("uint8 tensor: gpu takes float32, float16 only (")


def test_the_dsp_takes_8_bit_models_and_no_float_one() -> None:
    assert refused_types("snapdragon_865", "dsp", "mobilenet_v2_uint8")[0] == {}
    net = graph("hand_landmark_full")
    assert set(net.compute_ops) <= set(refusals(processor("snapdragon_865", "dsp"), net))


def test_the_dsp_lacks_what_its_list_lacks() -> None:
    net = graph("movenet_lightning_int8")
    refused = refusals(processor("snapdragon_865", "dsp"), net)
    by_name = Counter(net.ops[op].type for op, why in refused.items() if "takes no" in why)
    assert by_name == {
        "CAST": 5,
        "DEQUANTIZE": 4,
        "GATHER_ND": 4,
        "FLOOR_DIV": 2,
        "UNPACK": 2,
        "SQRT": 1,
        "DIV": 1,
    }


def test_the_edge_tpu_takes_a_prefix() -> None:
    assert refused_types("coral_dev_board", "npu", "mobilenet_v2_uint8")[0] == {}
    net = graph("deeplabv3_mnv2_dm05_uint8")
    refused = refusals(processor("coral_dev_board", "npu"), net)
    first = min(refused)
    assert first > 0
    assert sorted(refused) == list(range(first, len(net.ops)))


@pytest.mark.parametrize("model", ["hand_landmark_full", "style_transfer_int8", "pose_detection"])
def test_the_new_npu_takes_whole_models(model: str) -> None:
    assert refused_types("snapdragon_8gen3", "npu", model)[0] == {}


@pytest.mark.parametrize("device", ["host", "pixel4", "coral_dev_board"])
def test_a_cpu_takes_all_but_custom_ops_it_has_no_kernel_for(device: str) -> None:
    cpu = load_device(device).processors[0]
    for path in sorted(MODELS.glob("*.tflite")):
        net = graph(path.stem)
        customs = {net.ops[op].type for op in refusals(cpu, net)}
        assert customs <= {
            "CUSTOM:PosenetDecoderOp",
            "CUSTOM:TransformLandmarks",
            "CUSTOM:Landmarks2TransformMatrix",
            "CUSTOM:TransformTensorBilinear",
        }, path.name


def test_the_log_of_golden_case_a_is_what_the_npu_refuses() -> None:
    file = Path(__file__).resolve().parents[2] / "golden" / "case_a.yaml"
    device = load_device(str(file))
    assert [(p.name, p.available) for p in device.processors] == [
        ("cpu0", True),
        ("cpu1", True),
        ("dsp", False),
        ("npu", True),
        ("gpu", True),
    ]
    found = [len(refusals(p, graph("style_transfer_int8"))) for p in device.processors]
    assert found == [0, 0, 0, 155, 0]


@pytest.mark.parametrize(
    ("device", "name", "model", "us"),
    [
        # dispatch + rate * GMAC, GMAC counted: 0.33097 and 0.42986
        ("pixel4", "cpu", "hand_landmark_full", 1960 + 24500 * 0.33097),
        ("pixel4", "gpu", "hand_landmark_full", 3890 + 6890 * 0.33097),
        ("pixel4", "cpu", "pose_detection", 1960 + 24500 * 0.42986),
        ("pixel4", "npu", "mobilenet_v2_uint8", 1390 + 6250 * 0.30078),
        ("snapdragon_865", "dsp", "mobilenet_v2_uint8", 4060 + 1600 * 0.30078),
        # published rows of the exact file
        ("snapdragon_8gen3", "npu", "hand_landmark_full", 353),
        ("snapdragon_8gen3", "npu", "face_landmark", 151),
        ("snapdragon_8gen3", "npu", "mobilenet_v2_uint8", 289),
        ("coral_dev_board", "cpu", "mobilenet_v2_uint8", 122_000),
        ("coral_dev_board", "npu", "mobilenet_v2_uint8", 2600),
        # not the exact file: the formula, fp16 on the NPU
        ("snapdragon_8gen3", "npu", "face_landmark_fp32", 270 + 310 * 0.03498),
    ],
)
def test_a_whole_model_costs_what_its_source_says(
    device: str, name: str, model: str, us: float
) -> None:
    net = graph(model)
    assert estimate_us(processor(device, name), net, net.compute_ops) == pytest.approx(us, abs=2)


def test_units_of_a_model_add_up_to_it_but_for_the_dispatch() -> None:
    net = graph("pose_detection")
    for found in load_device("pixel4").processors[:2]:
        whole = estimate_us(found, net, net.compute_ops)
        half = len(net.compute_ops) // 2
        parts = estimate_us(found, net, net.compute_ops[:half])
        parts += estimate_us(found, net, net.compute_ops[half:])
        assert parts - whole == pytest.approx(found.costs[0].dispatch_us, abs=2)
