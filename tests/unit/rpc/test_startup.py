"""The command line over the configuration file."""

from pathlib import Path

import pytest

from band.analysis.partition import Mode
from band.config.daemon import DaemonConfig
from band.errors import BandError, ErrorCode
from band.rpc.startup import check_policy, configured, engine_options

FILE = """
address: unix:///run/band.sock
device: pixel4
policy: {name: heft, params: {window: 4}}
models:
  - zoo: squeezenet_1_1
    name: squeeze
record_dir: records
queue_limit: 7
window: 5
default_priority: 3
policy_budget_us: 123
analysis: {mode: band, minimum_subgraph_size: 2, plans: 1}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "daemon.yaml"
    path.write_text(FILE)
    return path


def test_without_a_file_the_defaults_hold() -> None:
    assert configured(None) == DaemonConfig()


def test_what_the_command_line_does_not_say_stays_as_in_the_file(file: Path) -> None:
    config = configured(file)
    assert (config.address, config.device) == ("unix:///run/band.sock", "pixel4")
    assert (config.policy.ref, config.policy.params) == ("heft", {"window": 4})
    assert config.record_dir == file.parent / "records"
    assert [model.served_name for model in config.models] == ["squeeze"]


def test_the_command_line_wins_and_adds_models(file: Path) -> None:
    config = configured(
        file,
        address="127.0.0.1:0",
        device="host",
        policy="round_robin",
        models=("nets/face.tflite", "mobilenet_v2"),
        record_dir=Path("elsewhere"),
    )
    assert (config.address, config.device) == ("127.0.0.1:0", "host")
    assert (config.policy.ref, config.policy.params) == ("round_robin", {})
    assert config.record_dir == Path("elsewhere")
    assert [(m.served_name, m.ref) for m in config.models] == [
        ("squeeze", "squeezenet_1_1"),
        ("face", "nets/face.tflite"),
        ("mobilenet_v2", "mobilenet_v2"),
    ]


def test_two_models_of_one_name_are_refused(file: Path) -> None:
    with pytest.raises(BandError, match="two models named 'squeeze'") as caught:
        configured(file, models=("other/squeeze.tflite",))
    assert caught.value.code is ErrorCode.INVALID_CONFIG


def test_a_policy_is_a_name_a_file_an_object_or_a_yaml_file(tmp_path: Path) -> None:
    written = tmp_path / "mine.yaml"
    written.write_text("name: heft\nparams: {window: 2}\n")
    assert configured(None, policy="heft").policy.ref == "heft"
    assert configured(None, policy="mine/rule.py").policy.ref == "mine/rule.py"
    assert configured(None, policy="package:Rule").policy.ref == "package:Rule"
    assert configured(None, policy=str(written)).policy.params == {"window": 2}


def test_settings_reach_the_engine(file: Path) -> None:
    options = engine_options(configured(file))
    assert (options.core.queue_limit, options.core.window, options.core.default_priority) == (
        7,
        5,
        3,
    )
    assert options.policy_budget_us == 123
    assert (options.analysis.mode, options.analysis.minimum_subgraph_size) == (Mode.BAND, 2)
    assert options.analysis.plans == 1


def test_a_wrong_policy_parameter_is_named_with_its_line(file: Path) -> None:
    check_policy(configured(file))
    file.write_text(FILE.replace("window: 4", "windw: 4"))
    with pytest.raises(BandError, match=r"daemon\.yaml:4: .*'windw'"):
        check_policy(configured(file))
