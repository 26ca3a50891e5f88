"""A profile is used where it holds, refused elsewhere, and prices what it did not measure."""

from dataclasses import replace

import pytest

from band.device.cost import PartWork, Pricing
from band.device.fit import CostFit
from band.device.fit_parts import FittedPricing
from band.device.fit_prices import ModelPrices
from band.device.fit_terms import GraphTerms
from band.device.profile import Device
from band.errors import BandError, ErrorCode
from band.runtime.backends.interpreter import installed_version
from band.runtime.host import Host, this_host
from band.runtime.pricing import check_holds, check_profile, priced, pricer
from band.runtime.profiling import FittedCosts, Measured, Profile
from band.runtime.registration import Prepared, prepare
from band.testing import models
from band.testing.devices import FALLBACK, make_device, make_processor

GRAPH = models.chain().graph
FIT = CostFit(prices=(("dispatch", 7.0), ("op", 90.0)), speed=1.0, samples=5)


def _device(**changes: object) -> Device:
    cpu = replace(make_processor("cpu", backend="cpu"), **changes)  # type: ignore[arg-type]
    return make_device(cpu, make_processor("gpu", backend="cpu", refused_ops=FALLBACK))


def _entry(**changes: object) -> Measured:
    entry = Measured(
        model="chain",
        sha256=GRAPH.sha256,
        ops=GRAPH.compute_ops,
        processor="cpu",
        runtime="ai-edge-litert",
        runtime_version=installed_version("ai-edge-litert") or "",
        delegate="xnnpack",
        threads=1,
        word="",
        runs=3,
        mean_us=900,
        p95_us=990,
        cpu_us=800,
    )
    return replace(entry, **changes)  # type: ignore[arg-type]


def _profile(*entries: Measured, fitted: bool = True, **changes: object) -> Profile:
    costs = FittedCosts(processors=("cpu",), basis="cpu", error_median=0.05, fit=FIT)
    profile = Profile(
        device="made",
        device_version="1",
        host=this_host(),
        band_version="0",
        measured=entries,
        fits=(costs,) if fitted else (),
    )
    return replace(profile, **changes)  # type: ignore[arg-type]


def _prepared(profile: Profile | None = None) -> Prepared:
    return prepare(models.chain(), _device(), profile=profile)


def test_measured_spans_cost_what_was_measured_and_others_what_the_cost_model_says() -> None:
    profile, plain = _profile(_entry()), _prepared()
    table, measured, fitted = priced(profile, GRAPH, _device(), plain.partition, plain.table, 4)
    last = table.unit_count - 1
    assert table.version == 4
    assert measured == {(0, last, 0)}
    assert fitted == {(s.first, s.last, 0) for s in table.spans if s.processor == 0} - measured
    assert fitted
    prices = ModelPrices(FIT, GraphTerms(GRAPH), {GRAPH.compute_ops: 800})
    for span, before in zip(table.spans, plain.table.spans, strict=True):
        key = (span.first, span.last, span.processor)
        if span.processor == 1:
            assert span == before
        elif key in measured:
            assert span.cost_us == 800
        else:
            units = plain.partition.units[span.first : span.last + 1]
            ops = [op for unit in units for op in unit.ops]
            assert span.cost_us == min(800, round(prices.part_us(ops)))


def test_a_model_that_was_never_measured_is_priced_by_the_cost_model() -> None:
    other = prepare(models.residual(), _device())
    graph = models.residual().graph
    found = priced(_profile(_entry()), graph, _device(), other.partition, other.table, 1)
    assert found.measured == frozenset()
    assert found.fitted == {
        (s.first, s.last, s.processor) for s in other.table.spans if s.processor == 0
    }
    bare = priced(_profile(fitted=False), graph, _device(), other.partition, other.table, 1)
    assert bare.table == other.table


def test_a_range_costs_no_less_than_a_measured_part_and_no_more_than_what_holds_it() -> None:
    plain = _prepared()
    table, partition = plain.table, plain.partition
    first = partition.units[0].ops
    profile = _profile(_entry(cpu_us=50), _entry(ops=first, cpu_us=40))
    found = priced(profile, GRAPH, _device(), partition, table, 1)
    for span in found.table.spans:
        key = (span.first, span.last, span.processor)
        if key in found.fitted:
            assert span.cost_us <= 50
            assert span.cost_us >= 40 or span.first > 0


def test_prices_are_monotone_and_at_least_one_microsecond() -> None:
    plain = _prepared()
    free = CostFit(prices=(("dispatch", 1e-9), ("op", 1e-9)), speed=1e-12, samples=3)
    costs = FittedCosts(processors=("cpu", "gone"), basis="cpu", error_median=None, fit=free)
    profile = _profile(fits=(costs,))
    found = priced(profile, GRAPH, _device(), plain.partition, plain.table, 1)
    assert {s.cost_us for s in found.table.spans if s.processor == 0} == {1}
    dear = priced(_profile(), GRAPH, _device(), plain.partition, plain.table, 1).table
    for span in dear.spans:
        for inner in dear.spans:
            if (
                span.processor == inner.processor == 0
                and span.first <= inner.first
                and inner.last <= span.last
            ):
                assert inner.cost_us <= span.cost_us


def test_the_analysis_is_given_the_prices_of_the_profile() -> None:
    device, ops = _device(), GRAPH.compute_ops
    prices = pricer(_profile(_entry()), GRAPH, device)
    cpu, gpu = (prices(processor, GRAPH) for processor in device.processors)
    assert cpu.part_us(PartWork(GRAPH, ops)) == 800
    expected = ModelPrices(FIT, GraphTerms(GRAPH), {ops: 800}).part_us(ops[:2])
    assert cpu.part_us(PartWork(GRAPH, ops[:2])) == round(expected)
    part = PartWork(GRAPH, ops[:2])
    assert gpu.part_us(part) == Pricing(device.processors[1], GRAPH).part_us(part)


@pytest.mark.parametrize(
    ("profile", "sentence"),
    [
        (_profile(device="phone"), "on device 'phone', not on 'made'"),
        (
            _profile(device_version="7"),
            "on version '7' of device 'made', which has version '1' now",
        ),
        (
            _profile(_entry(), host=Host(cpu="Abacus", cores=3, architecture="wood")),
            f"on the machine Abacus (3 cores, wood), and this is {this_host()}",
        ),
        (
            _profile(_entry(runtime="tflite-runtime")),
            "with tflite-runtime on processor 'cpu', which runs ai-edge-litert now",
        ),
        (
            _profile(_entry(runtime_version="0.1")),
            "with ai-edge-litert 0.1 on processor 'cpu', and "
            f"{installed_version('ai-edge-litert')} is installed now",
        ),
        (
            _profile(_entry(delegate="")),
            "with no delegate on processor 'cpu', which computes with xnnpack now",
        ),
        (
            _profile(_entry(threads=4)),
            "with 4 thread(s) on processor 'cpu', which has 1 now",
        ),
        (
            _profile(_entry(sha256="f" * 64)),
            f"with another file named chain (sha256 {'f' * 12}..., this one has "
            f"{GRAPH.sha256[:12]}...)",
        ),
    ],
)
def test_a_profile_of_something_else_is_refused_with_both_sides_and_the_way_out(
    profile: Profile, sentence: str
) -> None:
    with pytest.raises(BandError) as caught:
        _prepared(profile)
    assert caught.value.code is ErrorCode.INVALID_CONFIG
    assert caught.value.message == (
        f"the profile was measured {sentence}; measure it again with band profile"
    )


def test_a_runtime_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("band.runtime.pricing.installed_version", lambda _: None)
    with pytest.raises(BandError, match="on processor 'cpu', and none is installed now; measure"):
        check_profile(_profile(_entry()), GRAPH, _device())


def test_emulated_figures_hold_on_any_machine() -> None:
    elsewhere = Host(cpu="Abacus", cores=3, architecture="wood")
    entry = _entry(word="emulated", runtime_version="0.1", cpu_us=None)
    check_profile(_profile(entry, host=elsewhere, fitted=False), GRAPH, _device())


def test_a_model_is_cut_by_the_prices_of_the_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def part_us(self: FittedPricing, part: PartWork) -> int:
        asked.append(plain(self, part))
        return asked[-1]

    plain = FittedPricing.part_us
    monkeypatch.setattr(FittedPricing, "part_us", part_us)
    _prepared()
    assert not asked
    _prepared(_profile(_entry()))
    assert 800 in asked


def test_a_profile_with_nothing_of_a_model_is_refused_by_who_asks_for_one_model() -> None:
    other = models.residual().graph
    check_holds(_profile(_entry()), other)
    check_holds(_profile(_entry(), fitted=False), GRAPH)
    with pytest.raises(BandError) as caught:
        check_holds(_profile(_entry(), fitted=False), other)
    assert caught.value.code is ErrorCode.INVALID_CONFIG
    assert caught.value.message == (
        "the profile has neither model residual nor a cost model for it, but chain; measure the "
        "model with band profile"
    )
