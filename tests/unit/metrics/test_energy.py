"""The energy of a run."""

from dataclasses import replace

from band.metrics.energy import Energy, Power, energy, powers
from band.metrics.records import TaskRecord
from band.testing.devices import make_processor


def task(model: str, processor: str, run_us: int) -> TaskRecord:
    return TaskRecord(0, (0,), model, 1, processor, 0, run_us + 7, 7, run_us, 1, True, "simulated")


def test_run_times_count_and_transfers_are_idle_time() -> None:
    tasks = [task("a", "cpu", 301), task("b", "cpu", 200), task("a", "gpu", 10)]
    found = energy(tasks, {"cpu": Power(1500, 10), "gpu": Power(2000, 0)}, 1000)
    assert found == Energy(processors={"cpu": 752 + 5, "gpu": 20}, models={"a": 452 + 20, "b": 300})
    assert found.total_uj == 777


def test_many_small_tasks_are_rounded_once() -> None:
    found = energy([task("a", "cpu", 1)] * 1000, {"cpu": Power(1, 0)}, 1000)
    assert found == Energy(processors={"cpu": 1}, models={"a": 1})


def test_without_the_power_of_a_processor_that_ran_models_have_no_energy() -> None:
    found = energy([task("a", "cpu", 100), task("a", "npu", 1)], {"cpu": Power(1000, 0)}, 200)
    assert found == Energy(processors={"cpu": 100}, models={})
    assert found.total_uj is None


def test_only_processors_that_are_there_and_have_an_active_power_have_one() -> None:
    cpu, gpu, npu, dsp = (make_processor(name) for name in ("cpu", "gpu", "npu", "dsp"))
    known = (
        replace(cpu, active_mw=5),
        replace(gpu, active_mw=7, idle_mw=2),
        replace(npu, idle_mw=1),
        replace(dsp, active_mw=9, idle_mw=500, available=False),
    )
    assert powers(known) == {"cpu": Power(5, 0), "gpu": Power(7, 2)}
