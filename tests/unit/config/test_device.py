"""Devices from files: names, copies of a processor, links, evidence."""

from pathlib import Path

import pytest

from band.config.device import core_count, load_device
from band.device.limits import Limits, OpRule, ValueLimit
from band.device.profile import Mark
from band.device.support_table import ModelOpList
from band.errors import BandError, ErrorCode

NUMBER = "{value: 10, mark: derived, source: a test}"
COSTS = f"costs: {{float32: {{dispatch_us: {NUMBER}, us_per_gmac: {NUMBER}}}}}"
HEAD = 'name: made\nversion: "3"\ndescription: Made.\n'


def write(tmp_path: Path, *processors: str, rest: str = "") -> str:
    lines = "".join(f"  - {{{p}, {COSTS}}}\n" for p in processors)
    file = tmp_path / "made.yaml"
    file.write_text(f"{HEAD}processors:\n{lines}{rest}", encoding="utf-8")
    return str(file)


def test_the_host_has_one_real_cpu_for_each_core() -> None:
    host = load_device("host")
    assert [p.name for p in host.processors] == [f"cpu{i}" for i in range(core_count())]
    assert all((p.kind, p.backend, p.threads) == ("cpu", "cpu", 1) for p in host.processors)
    assert all(p.runtime == "ai-edge-litert" for p in host.processors)


def test_a_shipped_device_is_found_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert [p.name for p in load_device("pixel4").processors] == ["cpu", "gpu", "npu"]


def test_an_unknown_name_tells_the_nearest() -> None:
    with pytest.raises(BandError) as caught:
        load_device("pixle4")
    assert caught.value.code is ErrorCode.UNKNOWN_DEVICE
    assert caught.value.message == "unknown device 'pixle4'; did you mean 'pixel4'?"


def test_a_name_near_to_none_lists_all() -> None:
    with pytest.raises(BandError, match="the shipped devices are coral_dev_board, host, pixel4"):
        load_device("zzz")


def test_a_missing_path_is_not_found() -> None:
    with pytest.raises(BandError, match=r"there is no file 'nowhere\.yaml'") as caught:
        load_device("nowhere.yaml")
    assert caught.value.code is ErrorCode.NOT_FOUND


def test_a_count_makes_numbered_copies_and_none_keeps_the_name(tmp_path: Path) -> None:
    counted = "name: a, kind: cpu, backend: emulated, count: 2"
    single = "name: b, kind: gpu, backend: emulated"
    one = "name: c, kind: npu, backend: emulated, count: 1"
    device = load_device(write(tmp_path, counted, single, one))
    assert [(p.index, p.name) for p in device.processors] == [
        (0, "a0"),
        (1, "a1"),
        (2, "b"),
        (3, "c0"),
    ]


def test_a_copy_must_not_take_the_name_of_another(tmp_path: Path) -> None:
    counted = "name: a, kind: cpu, backend: emulated, count: 2"
    taken = "name: a1, kind: cpu, backend: emulated"
    with pytest.raises(BandError, match=r":6: there are two processors named 'a1'"):
        load_device(write(tmp_path, counted, taken))


def test_links_expand_over_copies_and_the_default_serves_the_rest(tmp_path: Path) -> None:
    rest = (
        f"links:\n  - {{ends: [a, b], sync_us: {NUMBER}, bytes_per_s: {NUMBER}}}\n"
        f"  - {{ends: [a, a], sync_us: {{value: 1, mark: measured, source: s}}, "
        "bytes_per_s: {value: 1.0e6, mark: hypothesis, source: t}}\n"
        "default_link: {sync_us: {value: 500, mark: derived, source: s}, "
        "bytes_per_s: {value: 1e6, mark: derived, source: s}}\n"
    )
    device = load_device(
        write(
            tmp_path,
            "name: a, kind: cpu, backend: emulated, count: 2",
            "name: b, kind: gpu, backend: emulated",
            "name: c, kind: npu, backend: emulated",
            rest=rest,
        )
    )
    assert {link.ends for link in device.links} == {(0, 1), (0, 2), (1, 2)}
    assert device.transfer_us(0, 1, 100) == 101
    assert device.transfer_us(1, 0, 100) == 101
    assert device.transfer_us(0, 2, 100) == 10 + 10_000_000
    assert device.transfer_us(2, 3, 100) == 600
    assert device.transfer_us(2, 2, 100) == 0
    between_copies = next(link for link in device.links if link.ends == (0, 1))
    assert between_copies.evidence.mark is Mark.HYPOTHESIS
    assert dict(between_copies.details)["sync_us"].mark is Mark.MEASURED


def test_two_links_between_the_same_processors_are_refused(tmp_path: Path) -> None:
    link = f"  - {{ends: [%s, %s], sync_us: {NUMBER}, bytes_per_s: {NUMBER}}}\n"
    rest = "links:\n" + link % ("a", "b") + link % ("b", "a")
    processors = ("name: a, kind: cpu, backend: emulated", "name: b, kind: gpu, backend: emulated")
    with pytest.raises(BandError, match=":9: there are two links between these processors"):
        load_device(write(tmp_path, *processors, rest=rest))


def test_a_device_without_links_moves_data_for_free(tmp_path: Path) -> None:
    processors = ("name: a, kind: cpu, backend: emulated", "name: b, kind: gpu, backend: emulated")
    assert load_device(write(tmp_path, *processors)).transfer_us(0, 1, 1000) == 0


WRITTEN_RULES = (
    OpRule(type="ADD"),
    OpRule(
        type="CONV_2D",
        limits=Limits(
            dtypes=("uint8",),
            max_rank=5,
            max_version=2,
            sizes=(
                ValueLimit(name="height", maximum=65),
                ValueLimit(name="width", maximum=65),
                ValueLimit(name="filter_width", allowed=(3,)),
            ),
            options=(ValueLimit(name="stride_w", maximum=3, allowed=(1, 2)),),
        ),
    ),
)


def test_everything_written_arrives(tmp_path: Path) -> None:
    sha = "ab" * 32
    support = (
        "support: {source: s, dtypes: [int8], max_rank: 4, max_wide_dims: 3, prefix_only: true, "
        "custom_ops: [Mine], ops: {ADD: , CONV_2D: {dtypes: [uint8], max_rank: 5, max_version: 2, "
        "max_size: 65, kernel_widths: [3], options: {stride_w: {maximum: 3, allowed: [1, 2]}}}}, "
        f"op_lists: {{{sha}: {{model: m.tflite, unsupported: [3, 4], reason: r}}}}}}"
    )
    published = (
        f"published: {{{sha}: {{file: m.tflite, latency_us: 7, mark: published, source: p}}}}"
    )
    rest = f"time_scale: 2\nnoise_sigma: {NUMBER}\nmemory_budget_mib: 3\n"
    path = write(
        tmp_path,
        "name: a, kind: cpu, backend: emulated, runtime: tflite-runtime, threads: 4, "
        f"available: false, options: {{z: 1, b: x}}, {support}, {published}",
        rest=rest,
    )
    device = load_device(path)
    processor = device.processors[0]
    assert (device.version, device.time_scale, device.noise_sigma) == ("3", 2, 10)
    assert (device.memory_budget_bytes, device.source) == (3 << 20, path)
    assert (processor.runtime, processor.threads, processor.available) == (
        "tflite-runtime",
        4,
        False,
    )
    assert processor.options == (("b", "x"), ("z", 1))
    assert processor.support.rules == WRITTEN_RULES
    assert processor.support.op_lists == (
        ModelOpList(sha256=sha, model="m.tflite", unsupported=(3, 4), reason="r"),
    )
    assert processor.support.limits == Limits(dtypes=("int8",), max_rank=4, max_wide_dims=3)
    assert processor.support.custom_ops == ("Mine",)
    assert processor.support.prefix_only
    assert [(row.sha256, row.latency_us) for row in processor.published] == [(sha, 7)]


def test_the_weakest_mark_stands_for_a_set_of_coefficients() -> None:
    cost = load_device("snapdragon_8gen3").processors[1].costs[0]
    assert dict(cost.details)["us_per_gmac"].mark is Mark.DERIVED
    assert dict(cost.details)["dispatch_us"].mark is Mark.HYPOTHESIS
    assert cost.evidence.mark is Mark.HYPOTHESIS
