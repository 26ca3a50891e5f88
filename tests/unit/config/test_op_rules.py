"""Rules in YAML: in a file, a device, a model's entry of a daemon's file; and their mistakes."""

from pathlib import Path

import pytest

from band.config.daemon import load_daemon
from band.config.device import load_device
from band.config.op_rules import load_rules
from band.device.rules import NO_RULES, Rule, Rules
from band.device.selection import Selection
from band.errors import BandError, ErrorCode
from band.rpc.startup import engine_options

NUMBER = "{value: 10, mark: derived, source: a test}"
DEVICE = f"""\
name: made
version: "1"
description: Made.
processors:
  - name: cpu
    kind: cpu
    backend: emulated
    count: 2
    costs: &costs {{float32: {{dispatch_us: {NUMBER}, us_per_gmac: {NUMBER}}}}}
  - {{name: gpu, kind: gpu, backend: emulated, costs: *costs}}
"""


def write(folder: Path, text: str, name: str = "rules.yaml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def test_a_file_holds_rules_of_all_kinds(tmp_path: Path) -> None:
    text = """\
exclude:
  - processor: gpu
    ops: [SOFTMAX, 7, 12-20, "CUSTOM:Mine"]
    tensors: [a/b;c, "block_.*"]
  - {processor: [npu, dsp0]}
only: {processor: cpu, ops: ARG_MAX, tensors: out}
strict: [gpu, npu]
"""
    found = load_rules(write(tmp_path, text))
    assert found == Rules(
        entries=(
            Rule(
                processors=("gpu",),
                selection=Selection(
                    types=("SOFTMAX", "CUSTOM:Mine"),
                    ranges=((7, 7), (12, 20)),
                    tensors=("a/b;c", "block_.*"),
                ),
            ),
            Rule(processors=("npu", "dsp0")),
            Rule(
                processors=("cpu",),
                selection=Selection(types=("ARG_MAX",), tensors=("out",)),
                only=True,
            ),
        ),
        strict=("gpu", "npu"),
    )
    assert [entry.at for entry in found.entries] == ["rules.yaml:2", "rules.yaml:5", "rules.yaml:6"]
    assert found.strict_at == "rules.yaml:7"


@pytest.mark.parametrize(
    ("written", "strict"),
    [("true", True), ("false", False), ("gpu", ("gpu",)), ("[gpu]", ("gpu",))],
)
def test_strict_is_yes_no_or_processors(
    tmp_path: Path, written: str, strict: bool | tuple[str, ...]
) -> None:
    assert load_rules(write(tmp_path, f"strict: {written}\n")).strict == strict


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("exclud: []\n", "1: unknown key 'exclud'; did you mean 'exclude'?"),
        ("exclude: {ops: [ADD]}\n", "1: 'exclude' lacks the key 'processor'"),
        (
            "exclude:\n  - processor: gpu\n    op: [ADD]\n",
            "3: unknown key 'op'; did you mean 'ops'?",
        ),
        (
            "exclude:\n  - {processor: gpu, ops: [SOFTMX]}\n",
            "2: unknown operator 'SOFTMX'; did you mean 'SOFTMAX'?",
        ),
        ("only: {processor: gpu, ops: [20-12]}\n", "1: '20-12' names no ops; write a type"),
        ("only: {processor: gpu, ops: [-1]}\n", "1: '-1' names no ops; write a type"),
        ("only: {processor: gpu, ops: [true]}\n", "1: 'True' names no ops; write a type"),
        ("only: {processor: 3}\n", "1: 'processor' must be text, or a list of texts"),
        ("only: {processor: []}\n", "1: 'processor' is empty; leave it out or name something"),
        ("only: {processor: gpu, tensors: [1]}\n", "1: 'tensors' must be text, or a list of"),
        ("only: 3\n", "1: 'only' must be a mapping of keys to values, not 3"),
        ("strict: 3\n", "1: 'strict' must be text, or a list of texts"),
    ],
)
def test_a_mistake_is_one_sentence_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BandError) as caught:
        load_rules(write(tmp_path, text))
    assert caught.value.code is ErrorCode.INVALID_CONFIG
    assert caught.value.message.startswith(f"{tmp_path}/rules.yaml:{message}")


def test_a_device_has_rules_of_its_own_and_from_files(tmp_path: Path) -> None:
    write(tmp_path, "exclude: {processor: gpu, ops: MEAN}\nstrict: true\n")
    text = f"{DEVICE}rules: rules.yaml\nexclude: {{processor: [gpu, cpu1], ops: ADD}}\n"
    device = load_device(str(write(tmp_path, text, "made.yaml")))
    assert device.strict == (2,)
    reasons = [[e.reason for e in p.support.exclusions] for p in device.processors]
    assert reasons == [
        [],
        ["excluded by rule made.yaml:12"],
        ["excluded by rule rules.yaml:1", "excluded by rule made.yaml:12"],
    ]


def test_a_device_refuses_a_rule_for_a_processor_it_does_not_have(tmp_path: Path) -> None:
    file = write(tmp_path, f"{DEVICE}exclude: {{processor: gpu0, ops: ADD}}\n", "made.yaml")
    with pytest.raises(BandError, match=r"made\.yaml:11: device made has no processor 'gpu0'"):
        load_device(str(file))


def test_a_daemon_gives_each_model_its_rules(tmp_path: Path) -> None:
    write(tmp_path, "only: {processor: cpu, ops: MEAN}\n")
    text = """\
models:
  - path: a.tflite
    rules: [rules.yaml]
    exclude: {processor: gpu, ops: [SOFTMAX]}
    strict: gpu
  - zoo: squeezenet_1_1
"""
    config = load_daemon(write(tmp_path, text, "daemon.yaml"))
    rules = engine_options(config).rules
    assert rules["squeezenet_1_1"] == NO_RULES
    assert [entry.at for entry in rules["a"].entries] == ["rules.yaml:1", "daemon.yaml:4"]
    assert rules["a"].strict == ("gpu",)
    options = engine_options(config)
    assert options.analysis_of("a").rules == rules["a"]
    assert options.analysis_of("squeezenet_1_1") == options.analysis


def test_a_missing_file_of_rules_is_not_found(tmp_path: Path) -> None:
    text = "models: [{path: a.tflite, rules: none.yaml}]\n"
    with pytest.raises(BandError, match=r"there is no file '.*none\.yaml'"):
        load_daemon(write(tmp_path, text, "daemon.yaml"))
