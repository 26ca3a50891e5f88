"""What each kind of mistake in a device file says. The good file has one line per key."""

from pathlib import Path

import pytest

from band.config.device import load_device
from band.errors import BandError, ErrorCode

GOOD = """\
name: good
version: "1"
description: A device.
processors:
  - name: cpu
    kind: cpu
    backend: emulated
    threads: 2
    support:
      source: a test
      max_rank: 4
      ops:
        ADD: {max_version: 2}
    costs:
      float32:
        dispatch_us: {value: 10, mark: derived, source: a test}
        us_per_gmac: {value: 100, mark: derived, source: a test}
  - name: gpu
    kind: gpu
    backend: emulated
    costs:
      float32:
        dispatch_us: {value: 10, mark: derived, source: a test}
        us_per_gmac: {value: 100, mark: derived, source: a test}
links:
  - ends: [cpu, gpu]
    sync_us: {value: 10, mark: derived, source: a test}
    bytes_per_s: {value: 1e9, mark: derived, source: a test}
"""
SHA = "0123456789abcdef" * 4


def failure(tmp_path: Path, old: str, new: str) -> str:
    assert GOOD.count(old) >= 1
    file = tmp_path / "x.yaml"
    file.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(BandError) as caught:
        load_device(str(file))
    assert caught.value.code is ErrorCode.INVALID_CONFIG
    return caught.value.message.removeprefix(f"{tmp_path}/")


def test_the_good_file_loads(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(GOOD, encoding="utf-8")
    assert [p.name for p in load_device(str(file)).processors] == ["cpu", "gpu"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("threads: 2", "treads: 2", ":8: unknown key 'treads'; did you mean 'threads'?"),
        ("threads: 2", "Threads: 2", ":8: unknown key 'Threads'; did you mean 'threads'?"),
        (
            "max_version",
            "maximal_ver",
            ":13: unknown key 'maximal_ver'; did you mean 'max_version'?",
        ),
        (
            "mark: derived",
            "confidence: 1",
            ":16: 'processors[0].costs.float32.dispatch_us' lacks the key 'mark' "
            "(1 more mistake in this file)",
        ),
        (
            "threads: 2",
            'threads: "2"',
            ":8: 'processors[0].threads' must be a whole number, not the text '2'",
        ),
        (
            "threads: 2",
            "threads: 2.5",
            ":8: 'processors[0].threads' must be a whole number, not 2.5",
        ),
        (
            "threads: 2",
            "threads: true",
            ":8: 'processors[0].threads' must be a whole number, not true",
        ),
        ("threads: 2", "threads:", ":8: 'processors[0].threads' must be a whole number, not empty"),
        ("threads: 2", "threads: 0", ":8: 'processors[0].threads' must be at least 1, not 0"),
        ('version: "1"', "version: 1", ":2: 'version' must be text, not 1"),
        ("name: good", "name: [a]", ":1: 'name' must be text, not a list"),
        ("name: good", "name: a b", ":1: 'a b' is not a name (letters, digits, '_' and '-')"),
        (
            "kind: cpu",
            "kind: tpu",
            ":6: 'processors[0].kind' must be one of cpu, gpu, dsp, npu, not the text 'tpu'",
        ),
        (
            "mark: derived",
            "mark: guessed",
            ":16: 'processors[0].costs.float32.dispatch_us.mark' must be one of measured, "
            "published, derived, hypothesis, not the text 'guessed'",
        ),
        (
            ", source: a test}",
            "}",
            ":16: 'processors[0].costs.float32.dispatch_us' lacks the key 'source'",
        ),
        (
            "value: 10,",
            "value: -1,",
            ":16: 'processors[0].costs.float32.dispatch_us.value' must be at least 0.0, not -1",
        ),
        (
            "value: 10,",
            "value: .nan,",
            ":16: 'processors[0].costs.float32.dispatch_us.value' must be a finite number, not nan",
        ),
        (
            "{value: 1e9, mark: derived, source: a test}",
            "1000000000",
            ":28: 'links[0].bytes_per_s' must be a mapping of keys to values, not 1000000000",
        ),
        ("description: A device.\n", "", ":1: the key 'description' is missing"),
        ("    kind: cpu\n", "", ":5: 'processors[0]' lacks the key 'kind'"),
        (
            "      float32:",
            "      float99:",
            ":15: 'float99' is not a compute type (float32, int8, int16)",
        ),
        (
            "      float32:",
            "      int8:",
            ":14: a CPU needs coefficients for float32; mark them hypothesis if nothing is known",
        ),
        ("ADD: {", "CONV2D: {", ":13: unknown operator 'CONV2D'; did you mean 'CONV_2D'?"),
        (
            "ADD: {",
            "NOTHING_LIKE_IT: {",
            ":13: unknown operator 'NOTHING_LIKE_IT'; it is none of the ",
        ),
        (
            "max_rank: 4",
            "dtypes: [float]",
            ":11: 'float' is not a tensor type (float32, ",
        ),
        (
            "max_rank: 4",
            "refused_ops: [ADD]",
            ":11: 'refused_ops' has no meaning beside 'ops'; leave one out",
        ),
        (
            "max_rank: 4",
            "op_lists: {abc: {model: m, unsupported: [1], reason: r}}",
            ":11: 'abc' is not a sha256 (64 lower-case hexadecimal digits)",
        ),
        (
            "max_rank: 4",
            f"op_lists: {{{SHA}: {{model: m, unsupported: [-1], reason: r}}}}",
            f":11: 'processors[0].support.op_lists.{SHA}.unsupported[0]' must be at least 0, "
            "not -1",
        ),
        (
            "threads: 2",
            "options: {cores: [1]}",
            ":8: 'processors[0].options.cores' must be text, a number, true or false",
        ),
        ("name: gpu", "name: cpu", ":18: there are two processors named 'cpu'"),
        (
            "backend: emulated",
            "backend: cpu\n    count: 0",
            ":8: 'processors[0].count' must be a whole number from 1 to 256, or per_core",
        ),
        (
            "threads: 2",
            "count: [2]",
            ":8: 'processors[0].count' must be a whole number from 1 to 256, or per_core",
        ),
        (
            "backend: emulated",
            "backend: cpu\n    count: 1000000000",
            ":8: 'processors[0].count' must be a whole number from 1 to 256, or per_core",
        ),
        (
            "value: 10,",
            "value: 1e300,",
            ":16: 'processors[0].costs.float32.dispatch_us.value' must be at most 1000000000000.0, "
            "not 1e+300",
        ),
        ("value: 1e9,", "value: 1e-300,", ":28: 'links[0].bytes_per_s.value' must be at least 1"),
        (
            "description: A device.\n",
            "description: A device.\ntime_scale: 1e-320\n",
            ":4: 'time_scale' must be at least 1e-06",
        ),
        (
            "description: A device.\n",
            f"description: A device.\nmemory_budget_mib: 1{20 * '0'}\n",
            ":4: 'memory_budget_mib' must be at most 1099511627776",
        ),
        (
            "ends: [cpu, gpu]",
            "ends: [cpu, abc]",
            ":26: unknown processor 'abc'; the processors are cpu, gpu",
        ),
        ("ends: [cpu, gpu]", "ends: [cpu, gpo]", ":26: unknown processor 'gpo'; did you mean"),
        ("ends: [cpu, gpu]", "ends: [cpu, cpu]", ":26: 'cpu' cannot be linked with itself"),
        ("ends: [cpu, gpu]", "ends: [cpu]", ":26: 'links[0].ends' has too few items"),
        (
            "ends: [cpu, gpu]",
            "ends: [cpu, gpu, x]",
            ":26: 'links[0].ends' must have at most 2 items",
        ),
        (
            "source: a test\n",
            'source: ""\n',
            ":10: 'processors[0].support.source' must not be empty",
        ),
    ],
)
def test_a_mistake_is_one_sentence_with_its_line(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    found = failure(tmp_path, old, new)
    assert found.startswith(f"x.yaml{message}")
    assert "\n" not in found


def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("- a\n- b\n", encoding="utf-8")
    with pytest.raises(BandError, match="'the file' must be a mapping of keys to values"):
        load_device(str(file))


def test_no_processor_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text('name: a\nversion: "1"\ndescription: b\nprocessors: []\n', encoding="utf-8")
    with pytest.raises(BandError, match=r"x\.yaml:4: 'processors' must have at least 1 item"):
        load_device(str(file))


def test_several_mistakes_report_the_first_of_the_file_and_how_many_more(tmp_path: Path) -> None:
    text = GOOD.replace("threads: 2", "treads: 2").replace('version: "1"', "version: 1")
    file = tmp_path / "x.yaml"
    file.write_text(text.replace("name: gpu", "nam: gpu"), encoding="utf-8")
    with pytest.raises(BandError) as caught:
        load_device(str(file))
    assert caught.value.message == (
        f"{file}:2: 'version' must be text, not 1 (3 more mistakes in this file)"
    )


@pytest.mark.parametrize("scale", ["4", "0.5"])
def test_real_time_is_never_stretched(tmp_path: Path, scale: str) -> None:
    text = GOOD.replace("backend: emulated", "backend: cpu", 1)
    file = tmp_path / "x.yaml"
    file.write_text(f"time_scale: {scale}\n{text}", encoding="utf-8")
    with pytest.raises(BandError) as caught:
        load_device(str(file))
    assert caught.value.message == (
        f"{file}:1: time_scale must be 1 because processor 'cpu' is not emulated: "
        "real time cannot be stretched"
    )
