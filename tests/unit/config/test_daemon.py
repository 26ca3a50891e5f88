"""The daemon's file: defaults, short forms, relative paths, and its mistakes."""

from pathlib import Path

import pytest

from band.analysis.partition import Mode, Preparation
from band.config.daemon import DaemonConfig, load_daemon
from band.config.policy import load_policy
from band.errors import BandError, ErrorCode


def write(folder: Path, text: str, name: str = "daemon.yaml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def failure(file: Path) -> str:
    with pytest.raises(BandError) as caught:
        load_daemon(file)
    assert caught.value.code is ErrorCode.INVALID_CONFIG
    return caught.value.message.removeprefix(f"{file.parent}/")


def test_one_key_is_enough(tmp_path: Path) -> None:
    config = load_daemon(write(tmp_path, "device: pixel4\n"))
    assert config == DaemonConfig(device="pixel4")
    assert config.policy.ref == "shortest_expected_latency"
    assert (config.analysis.mode, config.analysis.preparation) == (
        Mode.COST,
        Preparation.MERGE_UNIT_SUBGRAPH,
    )


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        "device: devices/mine.yaml\npolicy: {path: rules/mine.py}\npolicy_dirs: [rules, /abs]\n"
        "models: [{path: m/hands.tflite}, {path: /abs/x.tflite, name: y}, {zoo: squeezenet_1_1}]\n"
        "record_dir: out\n"
    )
    write(tmp_path / "conf", text)
    monkeypatch.chdir(tmp_path)
    config = load_daemon("conf/daemon.yaml")
    folder = tmp_path / "conf"
    assert config.device == str(folder / "devices/mine.yaml")
    assert config.policy.ref == str(folder / "rules/mine.py")
    assert config.policy_dirs == (folder / "rules", Path("/abs"))
    assert config.record_dir == folder / "out"
    assert [(m.served_name, m.ref) for m in config.models] == [
        ("hands", str(folder / "m/hands.tflite")),
        ("y", "/abs/x.tflite"),
        ("squeezenet_1_1", "squeezenet_1_1"),
    ]


def test_input_shapes_become_part_of_the_reference(tmp_path: Path) -> None:
    write(tmp_path, "models: [{zoo: net, input_shapes: {x: [1, 16000], 'y:0': [2]}}]\n")
    (model,) = load_daemon(tmp_path / "daemon.yaml").models
    assert (model.served_name, model.ref) == ("net", "net?x=1,16000&y:0=2")
    write(tmp_path, "models: [{zoo: net, input_shapes: {x: [1, wide]}}]\n")
    with pytest.raises(BandError, match=r"daemon.yaml:1"):
        load_daemon(tmp_path / "daemon.yaml")


@pytest.mark.parametrize(
    ("written", "ref"),
    [
        ("heft", "heft"),
        ("package:object", "package:object"),
        ("{entry_point: 'package:object'}", "package:object"),
        ("{name: lsf, params: {window: 4}}", "lsf"),
    ],
)
def test_a_policy_has_short_and_long_forms(tmp_path: Path, written: str, ref: str) -> None:
    assert load_daemon(write(tmp_path, f"policy: {written}\n")).policy.ref == ref


def test_a_policy_may_be_a_python_file_in_short_form(tmp_path: Path) -> None:
    config = load_daemon(write(tmp_path, "policy: mine.py\n"))
    assert config.policy.ref == str(tmp_path / "mine.py")


def test_parameters_know_their_line(tmp_path: Path) -> None:
    text = "device: host\npolicy:\n  name: heft\n  params:\n    window: 4\n"
    file = write(tmp_path, text)
    policy = load_daemon(file).policy
    assert (policy.params, policy.where) == ({"window": 4}, f"{file}:4")


def test_a_policy_file_is_read_in_place_of_the_entry(tmp_path: Path) -> None:
    inner = write(tmp_path / "p", "name: heft\nparams: {window: 3}\n", "mine.yaml")
    policy = load_daemon(write(tmp_path, "policy: p/mine.yaml\n")).policy
    assert (policy.ref, policy.params, policy.where) == ("heft", {"window": 3}, f"{inner}:2")


def test_a_python_file_in_a_policy_file_is_relative_to_that_file(tmp_path: Path) -> None:
    write(tmp_path / "p", "path: mine.py\n", "mine.yaml")
    policy = load_daemon(write(tmp_path, "policy: {file: p/mine.yaml}\n")).policy
    assert policy.ref == str(tmp_path / "p" / "mine.py")


def test_a_policy_file_that_names_another_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path, "file: other.yaml\n", "mine.yaml")
    with pytest.raises(BandError, match=":1: a policy file cannot name another"):
        load_policy(file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("polcy: heft\n", ":1: unknown key 'polcy'; did you mean 'policy'?"),
        ("policy: 3\n", ":1: 'policy' must be a mapping of keys to values, not 3"),
        (
            "policy: {params: {a: 1}}\n",
            ":1: a policy has exactly one of name, path, entry_point, file; none is given",
        ),
        (
            "device: host\npolicy: {name: a, path: b.py}\n",
            ":2: a policy has exactly one of name, path, entry_point, file; not name and path",
        ),
        ("policy: {path: rules/mine}\n", ":1: the policy file 'rules/mine' does not end in .py"),
        (
            "policy: {file: p.yaml, params: {a: 1}}\n",
            ":1: the parameters of a policy stand in its own file, p.yaml",
        ),
        ("models: [{name: x}]\n", ":1: a model has either a path or a zoo name; neither"),
        (
            "models:\n  - {path: a.tflite, zoo: b}\n",
            ":2: a model has either a path or a zoo name; not both",
        ),
        ("models: [{path: a.onnx}]\n", ":1: 'a.onnx' does not end in .tflite"),
        (
            "models:\n  - zoo: a\n  - {path: x/a.tflite}\n",
            ":3: there are two models named 'a'; give one another name",
        ),
        ("models: [squeezenet]\n", ":1: 'models[0]' must be a mapping of keys to values, not the"),
        ("queue_limit: 0\n", ":1: 'queue_limit' must be at least 1, not 0"),
        ("max_message_mib: 2048\n", ":1: 'max_message_mib' must be at most 2047, not 2048"),
        ("max_message_mib: 64 MiB\n", ":1: 'max_message_mib' must be a whole number, not the"),
        ("drain_timeout_s: soon\n", ":1: 'drain_timeout_s' must be a number, not the text 'soon'"),
        ("analysis: {mode: fast}\n", ":1: 'analysis.mode' must be one of cost, band, not the"),
        ("analysis: {mod: cost}\n", ":1: unknown key 'mod'; did you mean 'mode'?"),
        ('address: ""\n', ":1: 'address' must not be empty"),
    ],
)
def test_a_mistake_is_one_sentence_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    assert failure(write(tmp_path, text)).startswith(f"daemon.yaml{message}")


def test_a_missing_policy_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(BandError, match="there is no file") as caught:
        load_daemon(write(tmp_path, "policy: nowhere.yaml\n"))
    assert caught.value.code is ErrorCode.NOT_FOUND
