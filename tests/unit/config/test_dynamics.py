"""Power, noise, contention and heat of a device file."""

from pathlib import Path

import pytest

from band.config.device import load_device
from band.device.dynamics import (
    BandwidthShare,
    CoRunners,
    Empirical,
    Gamma,
    LogNormal,
    SharedBandwidth,
    Spikes,
    ThermalZone,
)
from band.device.profile import Device, Mark
from band.errors import BandError, ErrorCode

HEAD = """
name: d
version: "1"
description: made for a test
"""
EVIDENCE = "mark: hypothesis, source: s"
COSTS = f"""
    kind: cpu
    backend: emulated
    costs:
      float32:
        dispatch_us: {{value: 1, {EVIDENCE}}}
        us_per_gmac: {{value: 1, {EVIDENCE}}}
"""
NOISES = {
    "model: lognormal, sigma: 0.2": LogNormal(sigma=0.2),
    "model: gamma, cv: 0.3": Gamma(cv=0.3),
    "model: empirical, factors: [0.9, 1, 1.4]": Empirical(factors=(0.9, 1.0, 1.4)),
    "model: spikes, probability: 0.01, factor: 5": Spikes(probability=0.01, factor=5.0),
    "model: spikes, probability: 0, factor: 1, sigma: 0.1": Spikes(
        probability=0.0, factor=1.0, sigma=0.1
    ),
}


def number(value: float) -> str:
    return f"{{value: {value}, {EVIDENCE}}}"


def device(tmp_path: Path, rest: str = "", processor: str = "") -> Device:
    file = tmp_path / "d.yaml"
    text = f"{HEAD}processors:\n  - name: a{COSTS}{processor}  - name: b\n    count: 2{COSTS}{rest}"
    file.write_text(text, encoding="utf-8")
    return load_device(str(file))


def refusal(tmp_path: Path, rest: str = "", processor: str = "") -> str:
    with pytest.raises(BandError) as caught:
        device(tmp_path, rest, processor)
    assert caught.value.code is ErrorCode.INVALID_CONFIG
    return caught.value.message.removeprefix(f"{tmp_path}/")


def test_a_file_that_says_nothing_of_it_has_nothing_of_it(tmp_path: Path) -> None:
    made = device(tmp_path)
    assert (made.contention, made.thermal, made.details) == ((), (), ())
    for processor in made.processors:
        assert (processor.active_mw, processor.idle_mw, processor.noise) == (None, None, None)
        assert processor.energy_uj(1_000_000) == 0


def test_power_has_its_evidence_and_makes_energy(tmp_path: Path) -> None:
    text = "    active_mw: {value: 1500, mark: published, source: p}\n" + (
        f"    idle_mw: {number(30)}\n"
    )
    a, b, _ = device(tmp_path, processor=text).processors
    assert (a.active_mw, a.idle_mw, b.active_mw) == (1500, 30, None)
    assert [(name, e.mark) for name, e in a.details] == [
        ("active_mw", Mark.PUBLISHED),
        ("idle_mw", Mark.HYPOTHESIS),
    ]
    assert [a.energy_uj(us) for us in (0, 1, 2, 3, 1000)] == [0, 2, 3, 5, 1500]


@pytest.mark.parametrize("written", NOISES)
def test_each_model_of_noise_is_read(tmp_path: Path, written: str) -> None:
    a, b, _ = device(tmp_path, processor=f"    noise: {{{written}, {EVIDENCE}}}\n").processors
    assert (a.noise, b.noise) == (NOISES[written], None)
    assert a.details[0][0] == "noise"


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("model: gamma, sigma: 1", "d.yaml:13: noise of model gamma takes cv, not sigma"),
        ("model: gamma", "d.yaml:13: noise of model gamma lacks the key 'cv'"),
        (
            "model: spikes, probability: 0.5",
            "d.yaml:13: noise of model spikes lacks the key 'factor'",
        ),
        (
            "model: spikes, probability: 2, factor: 2",
            "d.yaml:13: 'processors[0].noise.probability' must be at most 1.0, not 2",
        ),
    ],
)
def test_noise_without_its_numbers_is_refused(tmp_path: Path, written: str, sentence: str) -> None:
    text = f"    noise: {{{written}, {EVIDENCE}}}\n"
    assert refusal(tmp_path, processor=text) == sentence


def test_groups_name_processors_and_all_copies_of_one(tmp_path: Path) -> None:
    made = device(
        tmp_path,
        f"""
contention:
  - per_co_runner:
      b: {number(0.25)}
      a: {number(0)}
  - bandwidth:
      bytes_per_s: {number(20e9)}
      demand: {{a: {number(15e9)}, b1: {number(9e9)}}}
      memory_bound: {{b1: {number(0.5)}}}
thermal:
  - heating: {{a: {number(0.3)}, b0: {number(0.7)}}}
    time_constant_s: {number(180)}
    slowdown: {{points: [[0.5, 1], [0.8, 2.6]], {EVIDENCE}}}
""",
    )
    assert made.contention == (
        CoRunners(shares=((0, 0.0), (1, 0.25), (2, 0.25))),
        SharedBandwidth(
            bytes_per_s=20e9,
            members=(
                BandwidthShare(processor=0, bytes_per_s=15e9, memory_bound=1.0),
                BandwidthShare(processor=2, bytes_per_s=9e9, memory_bound=0.5),
            ),
        ),
    )
    assert made.thermal == (
        ThermalZone(
            heating=((0, 0.3), (1, 0.7)),
            time_constant_s=180.0,
            slowdown=((0.5, 1.0), (0.8, 2.6)),
        ),
    )
    assert [name for name, _ in made.details] == [
        "contention.0.per_co_runner.b",
        "contention.0.per_co_runner.a",
        "contention.1.bandwidth.bytes_per_s",
        "contention.1.bandwidth.demand.a",
        "contention.1.bandwidth.demand.b1",
        "contention.1.bandwidth.memory_bound.b1",
        "thermal.0.heating.a",
        "thermal.0.heating.b0",
        "thermal.0.time_constant_s",
        "thermal.0.slowdown",
    ]


PAIR = f"{{a: {number(1)}, b0: {number(1)}}}"
ZONE = f"time_constant_s: {number(1)}\n    slowdown: {{points: [[0, 1]], {EVIDENCE}}}"


@pytest.mark.parametrize(
    ("rest", "sentence"),
    [
        (
            "contention: [{}]\n",
            "d.yaml:21: contention has exactly one of per_co_runner and bandwidth",
        ),
        (
            f"contention:\n  - per_co_runner: {{a: {number(1)}, c: {number(1)}}}\n",
            "d.yaml:22: unknown processor 'c'; the processors are a, b, b0, b1",
        ),
        (
            f"contention:\n  - per_co_runner: {{b: {number(1)}, b1: {number(1)}}}\n",
            "d.yaml:22: 'b1' and 'b' name the same processor",
        ),
        (
            f"contention:\n  - bandwidth:\n      bytes_per_s: {number(1)}\n"
            f"      demand: {PAIR}\n      memory_bound: {{b1: {number(1)}}}\n",
            "d.yaml:25: 'b1' has a memory_bound but no demand; say what it asks for",
        ),
        (
            f"thermal:\n  - heating: {PAIR}\n    {ZONE}\n"
            f"  - heating: {{b: {number(1)}}}\n    {ZONE}\n",
            "d.yaml:25: 'b' heats another zone already; a processor has one zone",
        ),
        (
            f"thermal:\n  - heating: {PAIR}\n    time_constant_s: {number(1)}\n"
            f"    slowdown: {{points: [[0.5, 1], [0.4, 2]], {EVIDENCE}}}\n",
            "d.yaml:24: the points of a slowdown must rise: [[heat, factor], ...]",
        ),
        (
            f"thermal:\n  - heating: {PAIR}\n    time_constant_s: {number(0)}\n"
            f"    slowdown: {{points: [[0.5, 1]], {EVIDENCE}}}\n",
            "d.yaml:23: 'thermal[0].time_constant_s.value' must be greater than 0.0, not 0",
        ),
    ],
)
def test_a_group_that_makes_no_sense_is_refused(tmp_path: Path, rest: str, sentence: str) -> None:
    assert refusal(tmp_path, rest) == sentence
