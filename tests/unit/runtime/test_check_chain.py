"""The comparison behind ``band check``: bits, the largest difference, memory, refusals."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import pytest

from band.analysis.plan_kinds import plan_kinds
from band.clock import MonotonicClock
from band.errors import BandError, ErrorCode
from band.model.atoms import atoms
from band.model.slice import Slice
from band.runtime.backends import cpu
from band.runtime.backends.protocol import Array, BackendContext
from band.runtime.check_chain import (
    Load,
    PartRefusal,
    Run,
    Whole,
    backend_load,
    largest_difference,
    same_bits,
)
from band.testing.devices import make_device, make_processor
from band.testing.models import RUNNABLE, chain, resource_variable, skip_connection


@pytest.fixture
def backend() -> Iterator[cpu.Backend]:
    device = make_device(make_processor("cpu", backend="cpu"))
    made = cpu.Backend(
        device.processors[0], cpu.Options(), BackendContext(device=device, clock=MonotonicClock())
    )
    yield made
    made.close()


def test_bits_decide() -> None:
    nan = np.array([np.nan, 1], np.float32)
    assert same_bits(nan, nan.copy())
    assert not same_bits(np.array([0.0]), np.array([-0.0]))
    assert not same_bits(np.zeros(2, np.int8), np.zeros(2, np.uint8))
    assert not same_bits(np.zeros((1, 2)), np.zeros(2))


@pytest.mark.parametrize(
    ("a", "b", "largest"),
    [
        (np.array([1, 5], np.uint8), np.array([4, 0], np.uint8), 5.0),
        (np.array([np.nan, 1.0]), np.array([np.nan, 1.5]), 0.5),
        (np.array([np.inf, 1.0]), np.array([np.inf, 2.0]), 1.0),
        (np.array([np.nan]), np.array([1.0]), None),
        (np.array([np.inf]), np.array([-np.inf]), None),
        (np.array([1 + 1j]), np.array([1 - 2j]), 3.0),
        (np.zeros(2), np.zeros(3), None),
        (np.zeros(0), np.zeros(0), 0.0),
        (np.float32(1), np.float32(3), 2.0),
    ],
)
def test_the_largest_difference_is_a_finite_number_or_none(
    a: Array, b: Array, largest: float | None
) -> None:
    assert largest_difference(np.asarray(a), np.asarray(b)) == largest


@pytest.mark.parametrize("name", RUNNABLE)
def test_every_kind_of_every_small_model_is_equal(name: str, backend: cpu.Backend) -> None:
    model = RUNNABLE[name]()
    whole = Whole(model, backend_load(backend), steps=5, seed=3)
    for kind, parts in plan_kinds(model.graph).items():
        assert whole.difference(parts) is None, kind
    assert not backend.slices


def test_one_slice_is_loaded_at_a_time_and_dead_values_are_freed(backend: cpu.Backend) -> None:
    model = skip_connection()
    seen: list[tuple[int, set[int]]] = []

    @contextmanager
    def watched(part: Slice) -> Iterator[Run]:
        with backend_load(backend)(part) as run:

            def noted(values: Mapping[int, Array]) -> Mapping[int, Array]:
                seen.append((len(backend.slices), set(values)))
                return run(values)

            yield noted

    whole = Whole(model, watched, steps=1)
    seen.clear()
    assert whole.difference(atoms(model.graph)) is None
    assert [loaded for loaded, _ in seen] == [1] * 6
    first = model.graph.ops[0].outputs[0]
    assert [len(values) for _, values in seen] == [1, 1, 2, 2, 2, 2]
    assert all(first in values for _, values in seen[1:])


def test_a_chain_that_was_compared_is_not_run_again(backend: cpu.Backend) -> None:
    model = chain()
    whole = Whole(model, backend_load(backend), steps=1)
    parts = atoms(model.graph)
    whole.difference(parts)
    loads = backend.loads
    assert whole.difference(list(parts)) is None
    assert backend.loads == loads


def wrong(load: Load, wrong_run: int) -> Load:
    """Return a runtime that changes one value of one run of every slice after the whole."""
    loaded: list[Slice] = []

    @contextmanager
    def changed(part: Slice) -> Iterator[Run]:
        loaded.append(part)
        first, runs = len(loaded) == 1, 0
        with load(part) as run:

            def altered(values: Mapping[int, Array]) -> Mapping[int, Array]:
                nonlocal runs
                runs += 1
                outputs = dict(run(values))
                if not first and runs == wrong_run:
                    next(iter(outputs.values())).flat[0] += 0.25
                return outputs

            yield altered

    return changed


def test_a_difference_is_found_with_its_tensor_and_size(backend: cpu.Backend) -> None:
    model = chain()
    whole = Whole(model, wrong(backend_load(backend), 1), steps=1)
    found = whole.difference([model.graph.compute_ops])
    assert found is not None
    assert (found.step, found.tensor) == (0, model.graph.outputs[0])
    assert found.largest == pytest.approx(0.25, rel=1e-3)


def test_a_model_with_state_is_compared_at_every_step(backend: cpu.Backend) -> None:
    model = resource_variable()
    parts = [tuple(op for part in atoms(model.graph) for op in part)]
    assert Whole(model, wrong(backend_load(backend), 5), steps=4).difference(parts) is None
    found = Whole(model, wrong(backend_load(backend), 5), steps=6).difference(parts)
    assert found is not None
    assert found.step == 4


def test_a_slice_that_does_not_run_is_named(backend: cpu.Backend) -> None:
    model = chain()
    load = backend_load(backend)

    @contextmanager
    def picky(part: Slice) -> Iterator[Run]:
        if part.ops == (2,):
            raise BandError(ErrorCode.BACKEND_FAILED, "no kernel")
        with load(part) as run:
            yield run

    with pytest.raises(PartRefusal, match="no kernel") as caught:
        Whole(model, picky, steps=1).difference(atoms(model.graph))
    assert caught.value.ops == (2,)
    with pytest.raises(PartRefusal, match="is not; add that op"):
        Whole(model, load, steps=1).difference([(0, 2), (1,)])
