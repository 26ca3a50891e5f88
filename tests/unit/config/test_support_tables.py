"""Support tables in YAML: in place, in files of their own, in layers; and their mistakes."""

from pathlib import Path

import pytest

from band.config.support_tables import support_at
from band.config.yaml_loader import load_yaml
from band.device.limits import Broadcast, Limits, OpRule, Scheme, ValueLimit
from band.device.support_table import Support
from band.errors import BandError, ErrorCode


def read(folder: Path, text: str, **files: str) -> Support:
    """Return the support that ``text`` describes beside files given by their stems."""
    for stem, content in files.items():
        (folder / f"{stem}.yaml").write_text(content, encoding="utf-8")
    file = folder / "device.yaml"
    file.write_text(f"support:\n{text}", encoding="utf-8")
    return support_at(load_yaml(file), ("support",))


def failure(folder: Path, text: str, **files: str) -> str:
    with pytest.raises(BandError) as caught:
        read(folder, text, **files)
    assert caught.value.code is ErrorCode.INVALID_CONFIG
    return caught.value.message.removeprefix(f"{folder}/")


ALL_LIMITS = """\
  source: s
  min_rank: 1
  ops:
    CONV_2D:
      min_version: 1
      max_version: 2
      dtypes: [int8]
      input_dtypes: [int8]
      output_dtypes: [int8]
      weight_dtypes: [int8, int32]
      min_rank: 2
      max_rank: 4
      max_wide_dims: 3
      quantization: [per_tensor]
      weight_quantization: [none, per_channel]
      broadcast: [none, scalar]
      constant_inputs: [1, 2]
      computed_inputs: [0]
      sizes:
        filter_width: {allowed: [1, 3], refused: [7]}
        output_channels: {minimum: 8, maximum: 64, multiple_of: 8}
      options:
        stride_w: {maximum: 2}
        padding: {refused: [VALID]}
"""


def test_every_limit_arrives(tmp_path: Path) -> None:
    found = read(tmp_path, ALL_LIMITS)
    assert found.limits == Limits(min_rank=1)
    assert found.rules == (
        OpRule(
            type="CONV_2D",
            limits=Limits(
                min_version=1,
                max_version=2,
                dtypes=("int8",),
                input_dtypes=("int8",),
                output_dtypes=("int8",),
                weight_dtypes=("int8", "int32"),
                min_rank=2,
                max_rank=4,
                max_wide_dims=3,
                quantization=(Scheme.PER_TENSOR,),
                weight_quantization=(Scheme.NONE, Scheme.PER_CHANNEL),
                broadcast=(Broadcast.NONE, Broadcast.SCALAR),
                constant_inputs=(1, 2),
                computed_inputs=(0,),
                sizes=(
                    ValueLimit(name="filter_width", allowed=(1, 3), refused=(7,)),
                    ValueLimit(name="output_channels", minimum=8, maximum=64, multiple_of=8),
                ),
                options=(
                    ValueLimit(name="stride_w", maximum=2),
                    ValueLimit(name="padding", refused=("VALID",)),
                ),
            ),
        ),
    )


def test_every_limit_knows_its_line(tmp_path: Path) -> None:
    found = read(tmp_path, ALL_LIMITS)
    assert found.limits.place("min_rank") == "device.yaml:3"
    assert found.place("ops") == "device.yaml:4"
    assert found.rules is not None
    limits = found.rules[0].limits
    lines = ALL_LIMITS.splitlines()
    for field in Limits.__dataclass_fields__:
        if field not in {"sizes", "options", "places"}:
            line = next(i for i, text in enumerate(lines[4:], 6) if text.strip().startswith(field))
            assert limits.place(field) == f"device.yaml:{line}"
    assert limits.place("sizes.output_channels") == "device.yaml:22"
    assert limits.place("options.stride_w") == "device.yaml:24"


def test_short_keys_stand_for_sizes(tmp_path: Path) -> None:
    found = read(tmp_path, "  source: s\n  ops: {ADD: {max_size: 65, kernel_widths: [3]}}\n")
    assert found.rules is not None
    assert {(s.name, s.maximum, s.allowed) for s in found.rules[0].limits.sizes} == {
        ("height", 65, None),
        ("width", 65, None),
        ("filter_width", None, (3,)),
    }
    assert found.rules[0].limits.place("sizes.width") == "device.yaml:3"


def test_layers_come_from_files_and_in_place(tmp_path: Path) -> None:
    base = "source: a vendor's list\nmax_rank: 4\nops:\n  ADD:\n  MEAN:\n"
    text = "  - base.yaml\n  - refused_ops: [MEAN]\n  - {source: measured, max_rank: 5}\n"
    found = read(tmp_path, text, base=base)
    assert found.rules == (OpRule(type="ADD"),)
    assert (found.refused_ops, found.limits.max_rank) == (("MEAN",), 5)
    assert found.source == "a vendor's list; measured"
    assert found.place("ops") == "base.yaml:3"
    assert found.place("MEAN") == "device.yaml:3"
    assert found.limits.place("max_rank") == "device.yaml:4"


def test_a_file_alone_needs_no_list(tmp_path: Path) -> None:
    found = read(tmp_path, "  base.yaml\n", base="source: s\nothers: refused\n")
    assert found == Support(others=False, source="s")


def test_a_custom_op_may_have_limits_and_be_refused(tmp_path: Path) -> None:
    found = read(tmp_path, "  source: s\n  ops: {'CUSTOM:Mine': {max_rank: 2}}\n")
    assert found.rules == (OpRule(type="CUSTOM:Mine", limits=Limits(max_rank=2)),)
    assert read(tmp_path, "  source: s\n  refused_ops: ['CUSTOM:Mine']\n").refused_ops


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("  base.yml\n", "device.yaml:1: there is no support file 'base.yml' beside this file"),
        ("  []\n", "device.yaml:1: the list of support tables is empty; leave 'support' out"),
        (
            "  max_rank: 4\n",
            "device.yaml:1: the support table lacks the key 'source': where it comes from",
        ),
        ("  - 3\n", "device.yaml:2: 'support[0]' must be a mapping of keys to values, not 3"),
        (
            "  source: s\n  ops:\n    ADD:\n      max_rnk: 4\n",
            "device.yaml:5: unknown key 'max_rnk'; did you mean 'max_rank'?",
        ),
        (
            "  source: s\n  sizes: {filter_with: {maximum: 3}}\n",
            "device.yaml:3: unknown size 'filter_with'; did you mean 'filter_width'?",
        ),
        (
            "  source: s\n  ops: {ADD: {options: {stride: {maximum: 3}}}}\n",
            "device.yaml:3: unknown option 'stride'; did you mean 'strides'?",
        ),
        (
            "  source: s\n  ops: {ADD: {options: {padding: {allowed: [SAM]}}}}\n",
            "device.yaml:3: 'SAM' is no value of padding; did you mean 'SAME'?",
        ),
        (
            "  source: s\n  quantization: [per_axis]\n",
            "device.yaml:3: 'support.quantization[0]' must be one of none, per_tensor, "
            "per_channel, not the text 'per_axis'",
        ),
        (
            "  source: s\n  others: maybe\n",
            "device.yaml:3: 'support.others' must be one of taken, refused, not the text 'maybe'",
        ),
        (
            "  source: s\n  others: taken\n  ops: {ADD: }\n  refused_ops: [ADD]\n",
            "device.yaml:5: ADD is both in 'ops' and in 'refused_ops'",
        ),
        (
            "  source: s\n  refused_ops: [SOFTMX]\n",
            "device.yaml:3: unknown operator 'SOFTMX'; did you mean 'SOFTMAX'?",
        ),
    ],
)
def test_a_mistake_is_one_sentence_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    assert failure(tmp_path, text).startswith(message)


def test_a_mistake_in_a_support_file_names_that_file(tmp_path: Path) -> None:
    base = "source: s\nops:\n  ADDD:\n"
    assert failure(tmp_path, "  - base.yaml\n", base=base) == (
        "base.yaml:3: unknown operator 'ADDD'; did you mean 'ADD'?"
    )
    assert failure(tmp_path, "  - base.yaml\n", base="max_rank: 4\n").startswith("base.yaml:1: the")
