from types import ModuleType

from band.runtime.profiler import profile_models
from band.runtime.registration import prepare
from band.testing import models
from band.testing.devices import make_device, make_processor, split_device


def test_what_registration_loads_is_measured_on_each_processor() -> None:
    device = make_device(*(make_processor(f"cpu{i}", backend="cpu") for i in range(2)))
    served = [models.chain(), models.residual()]
    done: list[tuple[str, int, int]] = []
    profile, refused = profile_models(
        device, served, runs=4, progress=lambda *step: done.append(step)
    )
    assert refused == ()
    assert (profile.device, profile.device_version) == ("made", "1")
    assert [(m.model, m.processor) for m in profile.measured] == [
        ("chain", "cpu0"), ("chain", "cpu1"), ("residual", "cpu0"), ("residual", "cpu1"),
    ]  # fmt: skip
    for entry in profile.measured:
        assert (entry.runtime, entry.word, entry.runs) == ("ai-edge-litert", "", 4)
        assert entry.mean_us >= 1
        assert entry.runtime_version[0].isdigit()
    assert done[0] == ("chain", 1, 2)
    table = prepare(models.chain(), device, profile=profile).table
    assert [s.cost_us for s in table.spans] == [m.mean_us for m in profile.measured[:2]]


def test_emulated_figures_are_those_of_the_profile_and_carry_the_word() -> None:
    profile, refused = profile_models(split_device(), [models.chain()], runs=2, everything=True)
    table = prepare(models.chain(), split_device()).table
    assert refused == ()
    assert len(profile.measured) == len(table.spans)
    assert {m.word for m in profile.measured} == {"emulated"}
    assert [m.mean_us for m in profile.measured] == [s.cost_us for s in table.spans]


def test_a_subgraph_that_does_not_run_is_named_and_left_out(scripted: ModuleType) -> None:
    device = make_device(*(make_processor(f"cpu{i}", backend="scripted") for i in range(2)))
    scripted.SCRIPTS["cpu1"].runs.append(scripted.fail)
    profile, refused = profile_models(device, [models.chain()], runs=1)
    assert [m.processor for m in profile.measured] == ["cpu0"]
    assert refused == ("units 0-0 of chain on cpu1: the slice failed to run: scripted",)
