"""Models come and go while others are served; memory is counted and given back."""

import gc
import re
import threading
import weakref
from pathlib import Path

import pytest

from band.analysis.analyze import analyze
from band.device.profile import Device
from band.errors import BandError, ErrorCode
from band.model.model import Model, with_input_shapes
from band.runtime.backends.interpreter import LoadedModel
from band.runtime.engine import Engine
from band.testing import models
from band.testing.devices import make_device, make_processor, split_device
from band.testing.open_models import open_samples
from band.testing.reference import Reference, assert_equal

WAIT_S = 60.0


def _cpus(count: int = 1, **options: int) -> Device:
    processors = (make_processor(f"cpu{i}", backend="cpu") for i in range(count))
    return make_device(*processors, **options)


def test_a_model_can_be_given_as_path_bytes_name_or_model(tmp_path: Path) -> None:
    model = models.chain()
    path = tmp_path / "from_file.tflite"
    path.write_bytes(model.content)
    with Engine(_cpus()) as engine:
        names = [
            engine.register(path).name,
            engine.register(str(path), name="by text").name,
            engine.register(model.content, name="by bytes").name,
            engine.register(model).name,
        ]
        assert names == ["from_file", "by text", "by bytes", "chain"]
        assert [info.name for info in engine.models()] == names
        assert {info.sha256 for info in engine.models()} == {model.graph.sha256}


def test_the_same_file_again_changes_nothing_and_another_one_is_refused() -> None:
    with Engine(_cpus()) as engine:
        info = engine.register(models.chain())
        used = engine.stats().memory_used_bytes
        assert engine.register(models.chain()) == info
        assert engine.stats().memory_used_bytes == used
        with pytest.raises(BandError, match="another model is registered as 'chain'") as caught:
            engine.register(models.residual(), name="chain")
        assert caught.value.code is ErrorCode.MODEL_EXISTS
        engine.unregister("chain")
        assert engine.register(models.residual(), name="chain").name == "chain"


def test_the_same_file_for_other_inputs_is_another_model() -> None:
    with Engine(_cpus()) as engine:
        short = with_input_shapes(open_samples(), {"samples": (1, 64)})
        info = engine.register(short)
        assert engine.register(short) == info
        with pytest.raises(BandError, match="another model is registered as 'open_samples'"):
            engine.register(with_input_shapes(open_samples(), {"samples": (1, 128)}))


def test_unregistering_frees_memory_and_interpreters(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: weakref.WeakSet[LoadedModel] = weakref.WeakSet()
    original = LoadedModel.__init__

    def counted(self: LoadedModel, *args: object) -> None:
        original(self, *args)  # type: ignore[arg-type]
        loaded.add(self)

    monkeypatch.setattr(LoadedModel, "__init__", counted)
    with Engine(split_device()) as engine:
        for _ in range(3):
            engine.register(models.chain())
            engine.infer("chain", Reference(models.chain()).inputs())
            assert engine.stats().memory_used_bytes > 0
            engine.unregister("chain")
            assert engine.stats().memory_used_bytes == 0
        gc.collect()
        assert not loaded
        with pytest.raises(BandError, match="unknown model: 'chain'"):
            engine.infer("chain", {})
        with pytest.raises(BandError) as caught:
            engine.unregister("chain")
        assert caught.value.code is ErrorCode.UNKNOWN_MODEL


def test_models_come_and_go_while_another_is_served() -> None:
    reference = Reference(models.chain())
    inputs = reference.inputs()
    expected = reference.outputs(inputs)
    stop, failures = threading.Event(), []
    with Engine(_cpus(2)) as engine:
        engine.register(models.chain())

        def serve() -> None:
            while not stop.is_set():
                try:
                    assert_equal(engine.infer("chain", inputs).outputs, expected)
                except Exception as error:  # noqa: BLE001 - told to the main thread
                    failures.append(error)

        threads = [threading.Thread(target=serve) for _ in range(2)]
        for thread in threads:
            thread.start()
        for _ in range(5):
            for model in (models.residual(), models.quantized()):
                engine.register(model)
            engine.infer("residual", Reference(models.residual()).inputs())
            for model in (models.residual(), models.quantized()):
                engine.unregister(model.graph.name)
        stop.set()
        for thread in threads:
            thread.join(WAIT_S)
        stats = engine.stats()
    assert not failures
    assert stats.completed == stats.accepted > 5
    assert stats.loads_during_requests == 0


def test_waiting_requests_of_a_removed_model_end_with_a_reason() -> None:
    device = make_device(make_processor("gpu", dispatch_us=100_000))
    inputs = Reference(models.chain()).inputs()
    with Engine(device) as engine:
        engine.register(models.chain())
        running, waiting = engine.submit("chain", inputs), engine.submit("chain", inputs)
        engine.unregister("chain")
        assert running.result(WAIT_S).record.outcome == "completed"
        with pytest.raises(BandError, match="no processor can run it") as caught:
            waiting.result(WAIT_S)
        assert caught.value.code is ErrorCode.NO_PROCESSOR
        assert engine.stats().memory_used_bytes == 0


def test_boundary_buffers_are_used_again() -> None:
    reference = Reference(models.chain())
    inputs = reference.inputs()
    with Engine(split_device()) as engine:
        engine.register(models.chain())
        assert engine.infer("chain", inputs).record.split
        first = engine.stats().buffer_allocations
        for _ in range(10):
            engine.infer("chain", inputs)
        stats = engine.stats()
    assert stats.buffer_allocations == first > 0
    assert stats.buffer_bytes == 0


def test_skip_tensors_survive_until_their_last_reader() -> None:
    model = models.skip_connection()
    reference = Reference(model)
    device = make_device(
        make_processor("cpu", refused_ops=("CONV_2D", "DEPTHWISE_CONV_2D")),
        make_processor("gpu", refused_ops=("RELU", "LOGISTIC", "MUL")),
    )
    with Engine(device) as engine:
        engine.register(model)
        for seed in range(5):
            inputs = reference.inputs(seed)
            result = engine.infer("skip_connection", inputs)
            assert len(result.tasks) >= 4
            assert_equal(result.outputs, reference.outputs(inputs))
        assert engine.stats().buffer_bytes == 0


def test_a_model_beyond_the_memory_budget_is_refused_with_the_numbers() -> None:
    with Engine(_cpus(memory_budget_bytes=20_000)) as engine:
        with pytest.raises(BandError, match=r"'chain' .*19\.5 KiB of the memory budget") as caught:
            engine.register(models.chain())
        assert caught.value.code is ErrorCode.OUT_OF_MEMORY
        assert engine.stats().memory_used_bytes == 0


def test_only_what_fits_the_budget_is_loaded() -> None:
    with Engine(split_device()) as engine:
        engine.register(models.chain())
        everything = engine.registration("chain").loads
    one = max(everything.values())
    device = split_device()
    budget = sum(everything.values()) - one
    small = make_device(*device.processors, sync_us=20, memory_budget_bytes=budget)
    with Engine(small) as engine:
        engine.register(models.chain())
        assert 0 < len(engine.registration("chain").loads) < len(everything)
        assert engine.stats().memory_used_bytes <= budget
        engine.infer("chain", Reference(models.chain()).inputs())


def test_a_boundary_tensor_that_does_not_fit_fails_its_job_alone() -> None:
    with Engine(split_device()) as engine:
        engine.register(models.chain())
        inputs = Reference(models.chain()).inputs()
        engine.infer("chain", inputs)
        account = engine._account
        taken = account.free_bytes
        account.force(taken)
        engine._pool.trim()
        account.force(account.free_bytes)
        with pytest.raises(BandError, match=r"a boundary tensor of .* does not fit"):
            engine.infer("chain", inputs)
        account.release(taken)
        engine.infer("chain", inputs)
        stats = engine.stats()
    assert (stats.failed, stats.completed) == (1, 2)


def test_a_model_is_analyzed_once_per_registration(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counted(*args: object, **kwargs: object) -> object:
        calls.append(args)
        return analyze(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr("band.runtime.registration.analyze", counted)
    with Engine(split_device()) as engine:
        engine.register(models.chain())
        engine.infer("chain", Reference(models.chain()).inputs())
    assert len(calls) == 1


@pytest.mark.parametrize(
    "model", [models.variable_tensor(), models.resource_variable()], ids=lambda m: m.graph.name
)
def test_a_stateful_model_keeps_one_state_from_the_first_request_on(model: Model) -> None:
    reference = Reference(model)
    with Engine(_cpus(2)) as engine:
        engine.register(model)
        for seed in range(6):
            inputs = reference.inputs(seed)
            result = engine.infer(model.graph.name, inputs)
            assert_equal(result.outputs, reference.outputs(inputs))
        assert engine.stats().loads_during_requests == 0


def test_real_processors_are_measured_and_the_table_has_the_measured_costs() -> None:
    with Engine(_cpus(2)) as engine:
        engine.register(models.chain())
        registered = engine.registration("chain")
    table = registered.table
    assert [m.processor for m in registered.measured] == ["cpu0", "cpu1"]
    assert all(m.runs == 3 and m.word == "" for m in registered.measured)
    costs = {table.processors[s.processor]: s.cost_us for s in table.spans}
    assert costs == {m.processor: m.mean_us for m in registered.measured}


def test_emulated_processors_keep_the_costs_of_their_profile() -> None:
    with Engine(split_device()) as engine:
        engine.register(models.chain())
        registered = engine.registration("chain")
    assert registered.measured == ()
    assert {s.cost_us % 200 for s in registered.table.spans} == {0}


def test_the_example_of_the_documentation_runs(capsys: pytest.CaptureFixture[str]) -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "engine.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    exec(compile(example, "engine.md", "exec"), {})
    assert capsys.readouterr().out.splitlines()[-1] == "11 completed"
