"""The YAML loader: plain data, lines, and one sentence for each thing that is no YAML."""

from pathlib import Path

import pytest

from band.config.yaml_loader import Document, load_yaml
from band.errors import BandError, ErrorCode


def load(tmp_path: Path, text: str) -> Document:
    file = tmp_path / "x.yaml"
    file.write_text(text, encoding="utf-8")
    return load_yaml(file)


def failure(tmp_path: Path, text: str) -> str:
    with pytest.raises(BandError) as caught:
        load(tmp_path, text)
    assert caught.value.code is ErrorCode.INVALID_CONFIG
    return caught.value.message.removeprefix(f"{tmp_path}/x.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-7", -7),
        ("010", 10),
        ("0x1F", 31),
        ("0o17", 15),
        ("1.5", 1.5),
        ("1e9", 1e9),
        ("0.43e9", 0.43e9),
        (".inf", float("inf")),
        ("-.INF", float("-inf")),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("yes", "yes"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("2020-01-01", "2020-01-01"),
        ("127.0.0.1:8001", "127.0.0.1:8001"),
        ('"4"', "4"),
        ("'true'", "true"),
        ("[1, a]", [1, "a"]),
        ("{a: {b: 1}}", {"a": {"b": 1}}),
    ],
)
def test_a_scalar_is_what_yaml_1_2_says(tmp_path: Path, text: str, value: object) -> None:
    data = load(tmp_path, f"key: {text}\n").data
    assert data == {"key": value}
    assert isinstance(data, dict)
    assert type(data["key"]) is type(value)


def test_a_key_is_always_text(tmp_path: Path) -> None:
    assert load(tmp_path, "12: a\ntrue: b\n1e5: c\n").data == {"12": "a", "true": "b", "1e5": "c"}


def test_every_key_and_item_has_its_line(tmp_path: Path) -> None:
    document = load(tmp_path, "a: 1\nb:\n  - x\n  - c: 2\n\n    d: 3\n")
    assert document.line(("a",)) == 1
    assert document.line(("b", 0)) == 3
    assert document.line(("b", 1, "d")) == 6


def test_a_place_that_is_not_in_the_file_has_the_line_of_what_holds_it(tmp_path: Path) -> None:
    document = load(tmp_path, "# first\na: 1\nb:\n  c: 2\n")
    assert document.line(("b", "missing", 0)) == 3
    assert document.line(("missing",)) == 2


def test_an_alias_repeats_what_it_names(tmp_path: Path) -> None:
    assert load(tmp_path, "a: &x {b: 1}\nc: *x\n").data == {"a": {"b": 1}, "c": {"b": 1}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ":1: the file is empty"),
        ("# only a comment\n", ":1: the file is empty"),
        (
            "a: 1\nb: 2\na: 3\n",
            ":3: key 'a' is given twice; the first is on line 1",
        ),
        (
            "o:\n  - {k: 1}\n  - k: 1\n    k: 2\n",
            ":4: key 'k' is given twice; the first is on line 3",
        ),
        ("a: [1, 2\nb: 3\n", ":2: this is not YAML: expected ',' or ']', but got ':'"),
        ("a: b: c\n", ":1: this is not YAML: mapping values are not allowed here"),
        ("a: *nobody\n", ":1: this is not YAML: found undefined alias 'nobody'"),
        ("a: 1\n---\nb: 2\n", ":2: this is not YAML: but found another document"),
        ("a: \x01\n", ":1: this is not YAML: unacceptable character"),
        ("a: &x\n  b: *x\n", ":1: an alias refers to what contains it"),
        ("? [1, 2]\n: 3\n", ":1: a key must be text"),
        ("a: !!python/object:os.system x\n", ":1: the tag 'tag:yaml.org,2002:python"),
        ("a: !mine x\n", ":1: the tag '!mine' is not supported"),
        (f"a: {'9' * 5000}\n", ":1: the number is too long"),
        ("[" * 800, ":1: the file is nested too deeply"),
    ],
)
def test_what_is_no_yaml_is_one_sentence_with_its_line(
    tmp_path: Path, text: str, message: str
) -> None:
    found = failure(tmp_path, text)
    assert found.startswith(message)
    assert "\n" not in found


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(b"TFL3\xff\xfe\x00")
    with pytest.raises(BandError, match=r"x\.yaml:1: this is not a YAML file: it is not UTF-8"):
        load_yaml(file)


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(BandError, match="there is no file") as caught:
        load_yaml(tmp_path / "nowhere.yaml")
    assert caught.value.code is ErrorCode.NOT_FOUND


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BandError, match="is a folder; name a YAML file") as caught:
        load_yaml(tmp_path)
    assert caught.value.code is ErrorCode.INVALID_CONFIG


def test_a_file_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("a: 1")
    with pytest.raises(BandError, match="cannot be read") as caught:
        load_yaml(tmp_path / "x" / "y.yaml")
    assert caught.value.code is ErrorCode.INVALID_CONFIG
