"""Both backends on real interpreters: slices equal the whole, errors are one sentence."""

import importlib.metadata
import os
from typing import Any

import numpy as np
import pytest

from band.clock import MonotonicClock, VirtualClock
from band.device.profile import Device
from band.errors import BandError, ErrorCode
from band.model.model import Model
from band.model.slice import Slice
from band.model.tflite_writer import write_slice, write_whole
from band.runtime.backends import cpu, emulated, interpreter
from band.runtime.backends.protocol import Array, BackendContext, Pace
from band.runtime.measuring import random_inputs
from band.testing import models
from band.testing.devices import make_device, make_processor

NO_PACE = Pace(0, 0, 0)


def _new(tensor: int, shape: tuple[int, ...], dtype: "np.dtype[Any]") -> Array:
    return np.empty(shape, dtype)


def _cpu(**processor: Any) -> cpu.Backend:
    device = make_device(make_processor("cpu0", backend="cpu", **processor))
    context = BackendContext(device=device, clock=MonotonicClock())
    return cpu.Backend(device.processors[0], cpu.Options(), context)


def _load(backend: interpreter.InterpreterBackend, part: Slice) -> int:
    return backend.load(part.content, part.inputs, part.outputs).handle


def _run(backend: cpu.Backend, part: Slice, values: dict[int, Array]) -> dict[int, Array]:
    inputs = {t: values[t] for t in part.inputs}
    return dict(backend.run(_load(backend, part), inputs, NO_PACE, _new).outputs)


@pytest.mark.parametrize(
    "model",
    [models.chain(), models.residual(), models.two_outputs(), models.quantized()],
    ids=lambda model: model.name,
)
def test_a_chain_of_slices_equals_the_whole_bit_for_bit(model: Model) -> None:
    backend = _cpu()
    whole = write_whole(model)
    values = random_inputs(model.graph, whole, seed=3)
    expected = _run(backend, whole, values)
    for op in model.graph.compute_ops:
        values |= _run(backend, write_slice(model, [op]), values)
    for tensor, value in expected.items():
        np.testing.assert_array_equal(values[tensor], value, strict=True)


def test_outputs_are_keyed_by_original_id_and_owned_by_the_caller() -> None:
    model = models.two_outputs()
    backend = _cpu()
    whole = write_whole(model)
    handle = _load(backend, whole)
    inputs = random_inputs(model.graph, whole)
    first = backend.run(handle, inputs, NO_PACE, _new).outputs
    assert tuple(first) == model.graph.outputs
    kept = {t: a.copy() for t, a in first.items()}
    other = {t: a + np.float32(1) for t, a in inputs.items()}
    backend.run(handle, other, NO_PACE, _new)  # would fail if a view were still alive
    for tensor, value in kept.items():
        assert value.shape == model.graph.tensors[tensor].shape
        np.testing.assert_array_equal(first[tensor], value)


def test_outputs_go_where_the_caller_says() -> None:
    model = models.chain()
    backend = _cpu()
    part = write_whole(model)
    given: dict[int, Array] = {}

    def allocate(tensor: int, shape: tuple[int, ...], dtype: "np.dtype[Any]") -> Array:
        given[tensor] = np.empty(shape, dtype)
        return given[tensor]

    result = backend.run(_load(backend, part), random_inputs(model.graph, part), NO_PACE, allocate)
    assert all(result.outputs[t] is array for t, array in given.items())
    assert result.run_us >= 1


def test_large_inputs_are_copied_through_a_view(monkeypatch: pytest.MonkeyPatch) -> None:
    model = models.chain()
    part = write_whole(model)
    inputs = random_inputs(model.graph, part)
    expected = _run(_cpu(), part, inputs)
    monkeypatch.setattr(interpreter, "_SET_TENSOR_BYTES", 0)
    for tensor, value in _run(_cpu(), part, inputs).items():
        np.testing.assert_array_equal(value, expected[tensor])


def test_variables_keep_their_state_between_runs() -> None:
    model = models.variable_tensor()
    backend = _cpu()
    part = write_whole(model)
    handle = _load(backend, part)
    inputs = random_inputs(model.graph, part, seed=1)
    first, second = (
        backend.run(handle, inputs, NO_PACE, _new).outputs[model.graph.outputs[0]] for _ in range(2)
    )
    assert not np.array_equal(first, second)


def test_loads_are_counted_and_runs_do_not_count() -> None:
    model = models.chain()
    backend = _cpu()
    part = write_whole(model)
    handle = _load(backend, part)
    backend.run(handle, random_inputs(model.graph, part), NO_PACE, _new)
    assert backend.loads == 1


@pytest.mark.parametrize("content", [b"", b"xxxxTFL3", b"x" * 200], ids=["empty", "short", "junk"])
def test_a_file_that_is_no_model_is_one_sentence(content: bytes) -> None:
    with pytest.raises(BandError, match="refused the slice") as caught:
        _cpu().load(content, (), ())
    assert caught.value.code is ErrorCode.BACKEND_FAILED
    assert "\n" not in caught.value.message


def test_a_missing_input_names_the_tensor() -> None:
    model = models.chain()
    backend = _cpu()
    part = write_whole(model)
    with pytest.raises(BandError, match=f"reads tensor {part.inputs[0]}"):
        backend.run(_load(backend, part), {}, NO_PACE, _new)


def test_an_input_that_does_not_fit_names_the_tensor() -> None:
    model = models.chain()
    backend = _cpu()
    part = write_whole(model)
    wrong = {part.inputs[0]: np.zeros((1, 2, 3, 3), np.float32)}
    with pytest.raises(BandError, match=f"refused its input tensor {part.inputs[0]}"):
        backend.run(_load(backend, part), wrong, NO_PACE, _new)


def test_a_custom_op_without_kernel_is_refused_with_its_name() -> None:
    model = models.custom_op()
    (found,) = _cpu().probe(model.graph)
    assert model.graph.ops[found.op].type == found.type
    assert found.type.removeprefix("CUSTOM:") in found.reason
    assert _cpu().probe(models.chain().graph) == ()


def test_shapes_come_from_allocating_the_whole_model() -> None:
    model = models.chain()
    shapes = _cpu().shapes(model.source, {})
    for tensor in model.graph.tensors:
        if tensor.shape is not None:
            assert shapes[tensor.index] == tensor.shape


def test_info_names_runtime_and_version() -> None:
    info = _cpu().info()
    assert (info.name, info.runtime, info.word) == ("cpu", "ai-edge-litert", "")
    assert info.runtime_version == importlib.metadata.version("ai-edge-litert")


def test_an_unknown_runtime_is_refused() -> None:
    with pytest.raises(BandError, match="'cpu0' asks for the runtime 'onnx'") as caught:
        _cpu(runtime="onnx")
    assert caught.value.code is ErrorCode.INVALID_CONFIG


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", missing)
    with pytest.raises(BandError, match=r"not installed: run pip install .*tflite-runtime"):
        _cpu(runtime="tflite-runtime")


def test_numpy_2_under_tflite_runtime_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: "2.14.0")
    monkeypatch.setattr("numpy.__version__", "2.4.6")
    with pytest.raises(BandError, match=r"numpy 2\.4\.6: install numpy<2") as caught:
        _cpu(runtime="tflite-runtime")
    assert caught.value.code is ErrorCode.BACKEND_FAILED


def test_cores_that_do_not_exist_are_refused() -> None:
    device = make_device(make_processor("cpu0", backend="cpu"))
    context = BackendContext(device=device, clock=MonotonicClock())
    for cores in ("100000", "one"):
        with pytest.raises(BandError, match=f"pinned to cores '{cores}'") as caught:
            cpu.Backend(device.processors[0], cpu.Options(cores=cores), context)
        assert caught.value.code is ErrorCode.INVALID_CONFIG


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot pin threads")
def test_a_pinned_backend_stays_on_its_cores() -> None:
    before = os.sched_getaffinity(0)
    core = min(before)
    device = make_device(make_processor("cpu0", backend="cpu"))
    context = BackendContext(device=device, clock=MonotonicClock())
    try:
        cpu.Backend(device.processors[0], cpu.Options(cores=str(core)), context)
        assert os.sched_getaffinity(0) == {core}
    finally:
        os.sched_setaffinity(0, before)


def _emulated(device: Device, clock: VirtualClock, **options: Any) -> emulated.Backend:
    context = BackendContext(device=device, clock=clock, seed=7)
    return emulated.Backend(device.processors[0], emulated.Options(**options), context)


def _emulated_run(
    backend: emulated.Backend, pace: Pace, runs: int = 1
) -> list[tuple[int, int, int]]:
    model = models.chain()
    part = write_whole(model)
    handle = _load(backend, part)
    inputs = random_inputs(model.graph, part)
    results = [backend.run(handle, inputs, pace, _new) for _ in range(runs)]
    expected = _run(_cpu(), part, inputs)
    for result in results:
        for tensor, value in result.outputs.items():
            np.testing.assert_array_equal(value, expected[tensor])
    return [(r.run_us, r.transfer_us, r.overrun_us) for r in results]


def test_an_emulated_run_ends_when_the_profile_says_so() -> None:
    clock = VirtualClock(1_000)
    backend = _emulated(make_device(make_processor("gpu")), clock)
    assert _emulated_run(backend, Pace(900, 50, 4_000)) == [(4_000, 50, 0)]
    assert clock.now_us() == 900 + 50 + 4_000


def test_real_computation_slower_than_the_profile_is_an_overrun() -> None:
    clock = VirtualClock(10_000)
    backend = _emulated(make_device(make_processor("gpu")), clock)
    assert _emulated_run(backend, Pace(2_000, 100, 900)) == [(900, 100, 7_000)]
    assert clock.now_us() == 10_000


def test_emulated_noise_is_that_of_the_device_and_of_the_seed() -> None:
    device = make_device(make_processor("gpu"), noise_sigma=0.1)
    pace = Pace(0, 0, 10_000)
    first = _emulated_run(_emulated(device, VirtualClock()), pace, runs=20)
    again = _emulated_run(_emulated(device, VirtualClock()), pace, runs=20)
    assert first == again
    times = [run_us for run_us, _, _ in first]
    assert len(set(times)) > 15
    assert 7_000 < min(times) < 10_000 < max(times) < 14_000
    still = _emulated(device, VirtualClock(), noise_sigma=0.0)
    assert _emulated_run(still, pace)[0][0] == 10_000


def test_emulated_info_carries_the_word_and_the_profile() -> None:
    info = _emulated(make_device(make_processor("gpu")), VirtualClock()).info()
    assert (info.word, info.detail) == ("emulated", "profile made 1")


def test_a_closed_backend_holds_no_slice() -> None:
    backend = _cpu()
    _load(backend, write_whole(models.chain()))
    backend.close()
    assert backend.slices == {}
