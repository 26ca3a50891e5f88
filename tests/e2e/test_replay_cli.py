"""``band trace``, ``replay`` and ``decisions`` as a user types them, on generated nets."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from band.cli.main import main
from band.config.daemon import load_daemon
from band.scheduler.loader import resolve

Run = Callable[..., tuple[int, str, str]]

SCENARIO = """\
name: crowd
models: {detector: eagleeye_detector, icn: eagleeye_icn}
streams:
  - name: camera
    fps: 20
    jitter: 0.2
    deadline_ms: 80
    nodes:
      - {model: detector}
      - {model: icn, depends_on: [detector], count: {uniform: [0, 3]}}
"""


@pytest.fixture
def band(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run a command line in an empty folder; return exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "crowd.yaml").write_text(SCENARIO, encoding="utf-8")

    def run(*args: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["band", *args])
        with pytest.raises(SystemExit) as ended:
            main()
        written = capsys.readouterr()
        return int(ended.value.code or 0), written.out, written.err

    return run


@pytest.fixture
def trace(band: Run) -> str:
    code, out, _ = band(
        *("trace", "generate", "crowd.yaml", "--seconds", "2", "--seed", "5", "--out", "t.jsonl")
    )
    assert code == 0
    assert out.startswith("t.jsonl: 40 frames, ")
    return "t.jsonl"


def document(text: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def test_a_trace_is_generated_byte_for_byte_alike_for_a_seed(band: Run, tmp_path: Path) -> None:
    for name, seed in (("a", "5"), ("b", "5"), ("c", "6")):
        line = ("trace", "generate", "crowd.yaml", "--seconds", "2", "--seed", seed, "--out", name)
        assert band(*line)[0] == 0
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_a_trace_is_shown_with_its_models_and_streams(band: Run, trace: str) -> None:
    code, out, _ = band("trace", "show", trace)
    assert code == 0
    assert "eagleeye_icn" in out
    assert "camera" in out
    shown = document(band("trace", "show", trace, "--json", "-")[1])
    assert shown["frames"] == 40
    assert shown["requests"] == sum(model["requests"] for model in shown["models"])


def test_replaying_twice_on_sim_gives_byte_identical_json(band: Run, trace: str) -> None:
    line = ("replay", trace, "--device", "pixel4", "--seed", "3", "--json", "-")
    (code, first, _), (_, second, _) = band(*line), band(*line)
    assert code == 0
    assert first == second
    assert band(*line[:5], "4", "--json", "-")[1] != first


def test_replay_compares_all_policies_that_need_no_parameter(band: Run, trace: str) -> None:
    _, out, _ = band("replay", trace, "--device", "pixel4", "--json", "-")
    runs = document(out)["runs"]
    names = [run["policy"] for run in runs]
    assert {"shortest_expected_latency", "heft", "round_robin", "fixed_worker"} <= set(names)
    for run in runs:
        requests = run["requests"]
        ended = sum(requests[key] for key in ("completed", "failed", "cancelled"))
        assert requests["sent"] == ended + sum(requests["dropped"].values()) > 40
        assert run["word"] == "simulated"
        assert "wall" not in run


def test_replay_prints_tables_that_say_simulated(band: Run, trace: str) -> None:
    code, out, err = band("replay", trace, "--device", "pixel4", "--policy", "heft", "--wall")
    assert code == 0
    assert "on simulated pixel4" in out
    assert "capacity bound: under no policy" in out
    assert "wall decision_p50_us" in out
    assert "simulated" not in err


def test_what_replay_leaves_can_be_decided_again_and_a_changed_event_is_found(
    band: Run, trace: str, tmp_path: Path
) -> None:
    code, out, err = band(
        *("replay", trace, "--device", "pixel4", "--policy", "heft", "--policy", "sel"),
        *("--out", "made", "--json", "-"),
    )
    assert code == 0
    assert "made/trace.json" in err
    assert json.loads((tmp_path / "made" / "summary.json").read_text()) == document(out)
    inbox = tmp_path / "made" / "heft.inbox.jsonl"
    code, out, _ = band("decisions", str(inbox))
    assert code == 0
    assert out.startswith("identical: ")
    text = inbox.read_text(encoding="utf-8")
    place = text.index('"type":"RequestArrived"', len(text) // 2)
    changed = text[:place] + text[place:].replace('"model":"', '"model":"no_', 1)
    inbox.write_text(changed, encoding="utf-8")
    code, out, _ = band("decisions", str(inbox))
    assert code == 1
    assert "the decisions differ" in out
    inbox.write_text("nothing\n", encoding="utf-8")
    code, _, err = band("decisions", str(inbox))
    assert code == 2
    assert "this line is not JSON" in err


def test_the_scheduler_of_a_replay_is_set_by_a_file_and_its_record_carries_it(
    band: Run, trace: str, tmp_path: Path
) -> None:
    settings = "admission: {at_arrival: true, queue_limits: {models: {icn: 0}}}\n"
    (tmp_path / "core.yaml").write_text(settings, encoding="utf-8")
    told = ("--policy", "heft", "--device", "pixel4", "--scheduler", "core.yaml", "--out", "o")
    code, out, _ = band("replay", trace, *told, "--json", "-")
    assert code == 0
    (run,) = document(out)["runs"]
    assert run["models"]["icn"]["requests"]["completed"] == 0
    assert run["models"]["icn"]["requests"]["dropped"]["queue_full"] > 0
    code, out, _ = band("decisions", "o/heft.inbox.jsonl")
    assert (code, out[:9]) == (0, "identical")
    (tmp_path / "core.yaml").write_text("admission: {at_arival: true}\n", encoding="utf-8")
    code, _, err = band("replay", trace, *told)
    assert code == 2
    assert "core.yaml:1: unknown key 'at_arival'; did you mean 'at_arrival'?" in err
    slots = "reservations: [{processor: gqu, period_us: 9, length_us: 1}]\n"
    (tmp_path / "core.yaml").write_text(slots, encoding="utf-8")
    code, _, err = band("replay", trace, *told)
    assert code == 2
    assert "reserved on 'gqu', which device 'pixel4' lacks; did you mean 'gpu'?" in err


def test_a_policy_in_a_folder_is_found_without_touching_the_package(
    band: Run, trace: str, tmp_path: Path
) -> None:
    shipped = resolve("heft").path
    assert shipped is not None
    text = shipped.read_text(encoding="utf-8").replace('name="heft"', 'name="mine"')
    text = text.replace('aliases=("heterogeneous_earliest_finish_time",),', "")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "mine.py").write_text(text, encoding="utf-8")
    line = ("replay", trace, "--policy", "mine", "--policy-dir", "own", "--json", "-")
    code, out, _ = band(*line)
    assert code == 0
    assert [run["policy"] for run in document(out)["runs"]] == ["mine"]


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        (("replay", "none.jsonl"), 2, "there is no trace none.jsonl"),
        (("replay", "crowd.yaml"), 2, "crowd.yaml:1: this line is not JSON"),
        (("replay", "t.jsonl", "--device", "pixel5"), 2, "did you mean 'pixel4'"),
        (("replay", "t.jsonl", "--policy", "hefty"), 2, "did you mean 'heft'"),
        (("replay", "t.jsonl", "--profile", "p.json"), 2, "p.json"),
        (("replay", "t.jsonl", "--on", "nowhere"), 2, "nowhere"),
        (("replay", "t.jsonl", "--on", "unix:///none.sock", "--device", "host"), 2, "--device"),
        (("replay", "t.jsonl", "--on", "unix:///tmp/no-such-daemon.sock"), 5, "no daemon answers"),
        (("replay", "t.jsonl", "--out", "crowd.yaml/x"), 2, "cannot write to"),
        (("trace", "show", "crowd.yaml"), 2, "crowd.yaml:1"),
        (("trace", "generate", "nobody", "--seconds", "1", "--out", "x"), 2, "unknown scenario"),
        (("trace", "generate", "crowd.yaml", "--seconds", "1", "--out", "no/x"), 2, "cannot write"),
        (("trace", "import", "none.json", "--out", "x"), 2, "there is no file"),
        (("decisions", "none"), 2, "there is no inbox"),
    ],
)
def test_a_mistake_is_one_sentence_and_an_exit_code(
    band: Run, trace: str, line: tuple[str, ...], code: int, words: str
) -> None:
    ended, _, err = band(*line)
    assert (ended, words in err) == (code, True), err
    assert "Traceback" not in err


def test_bands_workload_is_imported_and_replayed(band: Run, tmp_path: Path) -> None:
    frame = {
        "0": {"model": "det.tflite", "count": 1, "dependency": []},
        "1": {"model": "icn.tflite", "count": 3, "dependency": [0]},
    }
    (tmp_path / "workload.json").write_text(json.dumps([frame] * 3), encoding="utf-8")
    line = ("trace", "import", "workload.json", "--out", "w.jsonl")
    code, _, err = band(*line)
    assert code == 2
    assert "give either --fps or --period-ms" in err
    code, out, err = band(
        *(*line, "--period-ms", "50", "--deadline-ms", "40"),
        *("--model", "det.tflite=eagleeye_detector", "--model", "other.tflite=x"),
    )
    assert code == 0
    assert out.startswith("w.jsonl: 3 frames, 12 requests")
    assert "the workload uses no such file" in err
    assert "name another with --model icn.tflite=MODEL" in " ".join(err.split())
    code, _, _ = band(
        *(*line, "--fps", "20", "--model", "det.tflite=eagleeye_detector"),
        *("--model", "icn.tflite=eagleeye_icn"),
    )
    assert code == 0
    code, out, _ = band("replay", "w.jsonl", "--policy", "heft", "--json", "-")
    assert code == 0
    assert document(out)["runs"][0]["frames"] == {"sent": 3, "complete": 3, "on_time": 3}


def test_bands_configuration_becomes_yaml_and_dead_keys_are_named(
    band: Run, tmp_path: Path
) -> None:
    config = {"models": [{"graph": "m.tflite"}], "schedulers": ["round_robin"], "num_threads": 4}
    (tmp_path / "band.json").write_text(json.dumps(config), encoding="utf-8")
    code, out, err = band("trace", "import", "band.json", "--out", "daemon.yaml")
    assert code == 0
    assert out == "daemon.yaml: 1 models\n"
    assert "dead key num_threads: mrsnu/band does not read it" in err
    assert load_daemon("daemon.yaml").policy.name == "round_robin"
