from dataclasses import replace
from types import ModuleType

import pytest

from band.device.profile import Device
from band.runtime.profiler import Wanted, alike, profile_models
from band.runtime.registration import prepare
from band.testing import models
from band.testing.devices import make_device, make_processor, split_device


def _host(backend: str = "cpu") -> Device:
    return make_device(*(make_processor(f"cpu{i}", backend=backend) for i in range(2)))


def test_what_registration_loads_is_measured_on_each_processor() -> None:
    device = _host()
    served = [Wanted(models.chain()), Wanted(models.residual())]
    done: list[tuple[str, int, int]] = []
    profile, refused = profile_models(
        device, served, runs=4, ranges=0, progress=lambda *step: done.append(step)
    )
    assert refused == ()
    assert (profile.device, profile.device_version) == ("made", "1")
    assert [(m.model, m.processor) for m in profile.measured] == [
        ("chain", "cpu0"), ("chain", "cpu1"), ("residual", "cpu0"), ("residual", "cpu1"),
    ]  # fmt: skip
    for entry in profile.measured:
        assert (entry.runtime, entry.delegate, entry.threads) == ("ai-edge-litert", "xnnpack", 1)
        assert (entry.word, entry.runs) == ("", 4)
        assert entry.cpu_us is not None
        assert 1 <= entry.cost_us == entry.cpu_us
        assert entry.mean_us <= entry.p95_us
        assert entry.runtime_version[0].isdigit()
    assert done == [("chain", 1, 2), ("chain", 2, 2), ("residual", 1, 2), ("residual", 2, 2)]
    assert profile.fits == ()
    prepared = prepare(models.chain(), device, profile=profile)
    assert [s.cost_us for s in prepared.table.spans] == [m.cost_us for m in profile.measured[:2]]
    assert len(prepared.measured) == 2


def test_ranges_are_measured_on_the_first_of_several_processors_that_are_alike() -> None:
    profile, refused = profile_models(_host(), [Wanted(models.chain())], runs=2)
    whole = models.chain().graph.compute_ops
    on = {
        name: [m.ops for m in profile.measured if m.processor == name] for name in ("cpu0", "cpu1")
    }
    assert refused == ()
    assert on["cpu1"] == [whole]
    assert on["cpu0"][0] == whole
    assert len(set(on["cpu0"])) == len(on["cpu0"]) > 2
    (costs,) = profile.fits
    assert costs.processors == ("cpu0", "cpu1")
    assert (costs.basis, costs.fit.samples) == ("cpu", len(on["cpu0"]))
    assert all(price > 0 for _, price in costs.fit.prices)


def test_a_prediction_never_saw_what_it_predicts() -> None:
    profile = profile_models(_host(), [Wanted(models.chain())], runs=2).profile
    entry = profile.measured[0]
    assert entry.predicted_us is not None
    assert entry.error == pytest.approx(entry.predicted_us / entry.cost_us - 1)
    assert profile.fits[0].error_median is not None


def test_emulated_figures_are_those_of_the_profile_and_carry_the_word() -> None:
    profile, refused = profile_models(
        split_device(), [Wanted(models.chain())], runs=2, everything=True
    )
    table = prepare(models.chain(), split_device()).table
    assert refused == ()
    assert {m.word for m in profile.measured} == {"emulated"}
    names = table.processors
    assert {(m.processor, m.ops, m.mean_us, m.cpu_us) for m in profile.measured} == {
        (names[s.processor], _ops(s.first, s.last), s.cost_us, None) for s in table.spans
    }
    assert profile.fits == ()


def _ops(first: int, last: int) -> tuple[int, ...]:
    prepared = prepare(models.chain(), split_device())
    units = prepared.partition.units[first : last + 1]
    return tuple(sorted(op for unit in units for op in unit.ops))


def test_a_subgraph_that_does_not_run_is_named_and_left_out(scripted: ModuleType) -> None:
    scripted.SCRIPTS["cpu1"].runs.append(scripted.fail)
    profile, refused = profile_models(_host("scripted"), [Wanted(models.chain())], runs=1, ranges=0)
    assert [m.processor for m in profile.measured] == ["cpu0"]
    assert refused == ("units 0-0 of chain on cpu1: the slice failed to run: scripted",)


def test_a_subgraph_that_fails_later_leaves_the_others_their_turns(scripted: ModuleType) -> None:
    device = make_device(make_processor("cpu0", backend="scripted"))
    plain = profile_models(device, [Wanted(models.chain())], runs=3)[0]
    count = len(plain.measured)
    scripted.SCRIPTS["cpu0"].runs.extend([lambda: None] * (count + 1) + [scripted.fail])
    profile, refused = profile_models(device, [Wanted(models.chain())], runs=3)
    assert len(refused) == 1
    assert refused[0].startswith("ops ")
    assert refused[0].endswith("of chain on cpu0: the slice failed to run: scripted")
    assert len(profile.measured) == count - 1
    assert {m.runs for m in profile.measured} == {3}


def test_a_processor_that_is_lost_is_named_for_each_subgraph(scripted: ModuleType) -> None:
    scripted.SCRIPTS["cpu1"].runs.append(scripted.lose)
    profile, refused = profile_models(_host("scripted"), [Wanted(models.chain())], runs=1, ranges=0)
    assert [m.processor for m in profile.measured] == ["cpu0"]
    assert refused == ("units 0-0 of chain on cpu1: scripted loss",)


def test_processors_share_a_cost_model_only_if_they_compute_alike() -> None:
    device = make_device(
        make_processor("cpu0", backend="cpu"),
        make_processor("cpu1", backend="cpu"),
        make_processor("cpu2", backend="cpu", runtime="tflite-runtime"),
        make_processor("cpu3", backend="cpu", options={"cores": "0"}),
        make_processor("gpu"),
    )
    assert alike(device) == (("cpu0", "cpu1"), ("cpu2",), ("cpu3",))
    away = replace(
        device, processors=tuple(replace(p, available=p.index > 0) for p in device.processors)
    )
    assert alike(away)[0] == ("cpu1",)
