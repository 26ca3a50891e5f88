"""Which ops of exact files are refused: in place, and from the log of a phone."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from band.config.op_lists import op_lists
from band.config.yaml_loader import load_yaml
from band.device.support import refusals
from band.device.support_table import ModelOpList, Support
from band.errors import BandError, ErrorCode
from band.testing.devices import make_processor
from band.testing.graphs import make_graph

SHA = "0123456789abcdef" * 4
OTHER = "f" * 64


def read(folder: Path, text: str, **logs: str) -> tuple[ModelOpList, ...]:
    """Return what ``text`` describes; logs are named ``csv``, ``json`` or ``log``."""
    for suffix, content in logs.items():
        (folder / f"phone.{suffix}").write_text(content, encoding="utf-8")
    file = folder / "device.yaml"
    file.write_text(f"op_lists:\n{text}", encoding="utf-8")
    return op_lists(load_yaml(file), ("op_lists",))


def failure(folder: Path, text: str, **logs: str) -> str:
    with pytest.raises(BandError) as caught:
        read(folder, text, **logs)
    assert caught.value.code is ErrorCode.INVALID_CONFIG
    return caught.value.message.removeprefix(f"{folder}/")


def refused(lists: tuple[ModelOpList, ...]) -> dict[int, str]:
    """Return what the lists refuse of a model of six ADDs, on a processor that takes none."""
    graph = replace(make_graph([[i] for i in range(6)]), sha256=SHA)
    support = Support(refused_ops=("ADD",), op_lists=lists)
    return refusals(replace(make_processor("gpu"), support=support), graph)


def test_a_list_in_place_is_keyed_by_the_model_or_names_it(tmp_path: Path) -> None:
    entry = "model: m.tflite, unsupported: [1, 2], reason: r"
    by_key = read(tmp_path, f"  {SHA}: {{{entry}}}\n")
    listed = read(tmp_path, f"  - {{sha256: {SHA}, {entry}}}\n")
    assert by_key == listed
    assert refused(by_key) == {1: "r (device.yaml:2)", 2: "r (device.yaml:2)"}


def test_taken_ops_in_place_refuse_the_others(tmp_path: Path) -> None:
    found = read(tmp_path, f"  - {{sha256: {SHA}, taken: [0, 1, 2, 3]}}\n")
    assert set(refused(found)) == {4, 5}
    both = read(tmp_path, f"  - {{sha256: {SHA}, taken: [0], unsupported: [1], reason: r}}\n")
    assert refused(both)[1] == "r (device.yaml:2)"
    assert refused(both)[5] == "gpu takes no ADD"
    assert 0 not in refused(both)


CSV = """\
op,type,taken,reason
0,ADD,yes,
1,ADD,no,"tensor type or shape, not the op"
2,ADD,no,"tensor type or shape, not the op"
3,ADD,no,
"""


def test_a_csv_log_gives_each_op_its_verdict_reason_and_line(tmp_path: Path) -> None:
    found = read(tmp_path, f"  - {{file: phone.csv, sha256: {SHA}}}\n", csv=CSV)
    assert refused(found) == {
        1: "tensor type or shape, not the op (phone.csv:3)",
        2: "tensor type or shape, not the op (phone.csv:3)",
        3: "refused in the log of the file (phone.csv:5)",
        4: "gpu takes no ADD",
        5: "gpu takes no ADD",
    }


def test_a_csv_log_of_refused_ops_alone_takes_the_others(tmp_path: Path) -> None:
    text = f"sha256,op,model\n{SHA},2,a.tflite\n{OTHER},0,b.tflite\n{SHA},3,a.tflite\n"
    found = read(tmp_path, "  - {file: phone.csv, reason: the driver says no}\n", csv=text)
    assert {entry.model for entry in found} == {"a.tflite", "b.tflite"}
    reason = "the driver says no (phone.csv:2)"
    assert refused(found) == {2: reason, 3: reason}


def test_json_is_a_list_or_what_band_analyze_writes(tmp_path: Path) -> None:
    rows = [
        {"op": 4, "type": "ADD", "processor": "gpu", "reason": "why"},
        {"op": 5, "processor": "npu"},
    ]
    entry = f"  - {{file: phone.json, processor: gpu, sha256: {SHA}}}\n"
    for document in (rows, {"ops": rows}, {"model": "m", "ops": 6, "unsupported": rows}):
        found = read(tmp_path, entry, json=json.dumps(document))
        assert refused(found) == {4: "why (phone.json)"}


DELEGATE = """\
11-02 10:11:12.123  4321  4321 I tflite  : Created TensorFlow Lite delegate for GPU.
11-02 10:11:12.140  4321  4321 E tflite  : Following operations are not supported by GPU delegate:
11-02 10:11:12.140  4321  4321 E tflite  : ADD: OP is supported, but tensor type is not.
CAST: Not supported op CAST
11-02 10:11:12.141  4321  4321 E tflite  : 97 operations will run on the GPU
11-02 10:11:12.150  4321  4321 I tflite  : MUL: not part of the list
"""


def test_what_a_delegate_prints_refuses_types(tmp_path: Path) -> None:
    found = read(tmp_path, f"  - {{file: phone.log, sha256: {SHA}}}\n", log=DELEGATE)
    assert [entry.types for entry in found] == [("ADD",), ("CAST",), ()]
    reasons = set(refused(found).values())
    assert reasons == {"OP is supported, but tensor type is not. (phone.log:3)"}


def test_what_litert_prints_refuses_types_by_their_code(tmp_path: Path) -> None:
    text = "I0000 12:01 plugin.cc:7] op type 0 is not supported\n12 other things\n"
    found = read(tmp_path, f"  - {{file: phone.log, sha256: {SHA}}}\n", log=text)
    assert set(refused(found).values()) == {"op type 0 is not supported (phone.log:1)"}
    assert found[0].types == ("ADD",)
    message = failure(
        tmp_path,
        f"  - {{file: phone.log, sha256: {SHA}}}\n",
        log="op type 99999 is not supported\n",
    )
    assert message == "phone.log:1: '99999' is no operator"


def test_a_text_of_numbered_lines_refuses_ops(tmp_path: Path) -> None:
    text = "# refused on the phone\n0\nop 2: too large\n3, ADD: no kernel\n"
    found = read(tmp_path, f"  - {{file: phone.log, sha256: {SHA}}}\n", log=text)
    assert refused(found) == {
        0: "refused in the log of the file (phone.log:2)",
        2: "too large (phone.log:3)",
        3: "no kernel (phone.log:4)",
    }


@pytest.mark.parametrize(
    ("text", "log", "message"),
    [
        ("  3\n", None, "device.yaml:1: 'op_lists' must be a list, or a mapping by the sha256"),
        ("  - {unsupported: [1]}\n", None, "device.yaml:2: an op list needs the 'sha256'"),
        (f"  - {{sha256: {SHA}}}\n", None, "device.yaml:2: an op list has 'file', or some of"),
        (
            f"  - {{sha256: {SHA}, taken: [1], unsupported: [1]}}\n",
            None,
            "device.yaml:2: op 1 is both taken and unsupported",
        ),
        (
            f"  - {{sha256: {SHA}, types: [ADDD]}}\n",
            None,
            "device.yaml:2: unknown operator 'ADDD'; did you mean 'ADD'?",
        ),
        (
            f"  {SHA}: {{sha256: {SHA}, taken: [1]}}\n",
            None,
            "device.yaml:2: the key of the entry is its sha256 already",
        ),
        ("  - {file: none.csv}\n", None, "device.yaml:2: there is no log 'none.csv' beside"),
        (
            "  - {file: phone.csv, taken: [1]}\n",
            CSV,
            "device.yaml:2: 'taken' has no meaning beside 'file'",
        ),
        (
            "  - {file: phone.csv}\n",
            CSV,
            "device.yaml:2: row of line 2 of 'phone.csv' does not tell the sha256 of its model",
        ),
        (
            "  - {file: phone.csv, processor: gpu}\n",
            "op,processor\n1,npu\n",
            "device.yaml:2: 'phone.csv' tells of no processor 'gpu', only of npu",
        ),
        (
            "  - {file: phone.csv}\n",
            "op,processor\n1,npu\n2,gpu\n",
            "device.yaml:2: 'phone.csv' tells of several processors (gpu, npu); name a",
        ),
        ("  - {file: phone.csv}\n", "index\n1\n", "phone.csv:1: the header has neither 'op'"),
        ("  - {file: phone.csv}\n", "op\nx\n", "phone.csv:2: 'x' is not the number of an op"),
        ("  - {file: phone.csv}\n", "op,type\n,NO\n", "phone.csv:2: 'NO' is no operator"),
        (
            "  - {file: phone.csv}\n",
            "op,taken\n1,perhaps\n",
            "phone.csv:2: 'perhaps' says neither yes nor no to being taken",
        ),
        ("  - {file: phone.csv}\n", "op\n", "phone.csv:1: this log names no op"),
        (
            f"  - {{file: phone.csv, sha256: {SHA}}}\n",
            "op,taken\n1,yes\n1,no\n",
            "phone.csv:3: op 1 is both taken and refused; see line 2",
        ),
    ],
)
def test_a_mistake_is_one_sentence_with_its_line(
    tmp_path: Path, text: str, log: str | None, message: str
) -> None:
    assert failure(tmp_path, text, **({} if log is None else {"csv": log})).startswith(message)


@pytest.mark.parametrize("content", ["{", "[1]", "3", '{"ops": 3}', "[[]]" * 3])
def test_bad_json_is_told(tmp_path: Path, content: str) -> None:
    message = failure(tmp_path, "  - {file: phone.json}\n", json=content)
    assert message.startswith(("phone.json:1: this is not JSON", "phone.json:1: a list of objects"))


def test_a_log_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "phone.log").write_bytes(b"\xff\xfe\x00")
    assert failure(tmp_path, "  - {file: phone.log}\n").startswith("phone.log:1: this is no log")
