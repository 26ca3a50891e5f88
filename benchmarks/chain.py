"""What it costs to run a model as a chain of 2 or 4 slices instead of whole.

For each real model of at least 0.9 ms: whole, K=2, whole, K=4 and so on, interleaved, CPU time of
one thread. Boundary tensors move as in the engine: out of the producer into a pooled buffer, and
from there into the consumer. Every chain is compared with the whole bit for bit before it is
timed. Rounds in which the thread waited for a core are left out: foreign work on the machine also
takes caches and memory bandwidth, which is what copies need. ``whole_again`` is the whole against
itself: what is left of the machine's noise.

    BAND_TEST_DATA=FOLDER python benchmarks/chain.py --models 'hand*' --json -
"""

import argparse
import math
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from rounds import document, main, thread_us

from band.analysis.cuts import contiguous
from band.clock import MonotonicClock
from band.config.device import load_device
from band.errors import BandError
from band.model.atoms import is_stateful
from band.model.graph import input_shapes, missing_shapes
from band.model.model import Model, with_shapes
from band.model.slice import Slice
from band.model.tflite_reader import read_model
from band.model.tflite_writer import write_slice, write_whole
from band.runtime.backends.protocol import Array, Backend, BackendContext, Pace
from band.runtime.check_chain import same_bits
from band.runtime.discovery import open_backend
from band.runtime.memory import BufferPool, MemoryAccount
from band.runtime.seeded import seeded_values
from band.testing.data import NO_DATA, real_models

COUNTS: Final = (2, 4)
SHORTEST_US: Final = 900
ROUND_US: Final = 20_000  # a round runs a model as often as fits into this, at least once
LONG_US: Final = 300_000  # of longer models, fewer rounds say enough
LONG_ROUNDS: Final = 3
BUSY: Final = 0.1  # rounds that wait longer than this for a core, as a part of their time, go
TRIES: Final = 2  # for each round that is wanted
FEWEST: Final = 5  # rounds that are left
NO_PACE: Final = Pace(0, 0, 0)


class Chain:
    """Slices that are loaded one after the other, and the pool their boundary tensors live in."""

    def __init__(self, backend: Backend, model: Model, slices: Sequence[Slice]) -> None:
        self._backend = backend
        self._pool = BufferPool(MemoryAccount(1 << 32))
        self._outputs = model.graph.outputs
        handles = [backend.load(s.content, s.inputs, s.outputs).handle for s in slices]
        last = {t: n for n, s in enumerate(slices) for t in (*s.outputs, *s.inputs)}
        kept = {*model.graph.inputs, *self._outputs}
        dead = [
            [t for t, end in last.items() if end == n and t not in kept] for n in range(len(slices))
        ]
        self._steps = list(zip(handles, dead, strict=True))

    def run(self, inputs: Mapping[int, Array]) -> dict[int, Array]:
        """Run once; the outputs are in buffers that :meth:`give_back` takes."""
        run, values = self._backend.run, dict(inputs)
        for handle, dead in self._steps:
            values.update(run(handle, values, NO_PACE, self._allocate).outputs)
            for tensor in dead:
                self._pool.give_back(values.pop(tensor))
        return values

    def give_back(self, values: Mapping[int, Array]) -> None:
        """Take the buffers of the outputs back."""
        for tensor in self._outputs:
            self._pool.give_back(values[tensor])

    def close(self) -> None:
        """Unload the slices."""
        for handle, _ in self._steps:
            self._backend.unload(handle)

    def _allocate(self, _tensor: int, shape: tuple[int, ...], dtype: "np.dtype[Any]") -> Array:
        return self._pool.take(shape, dtype)


class Measured(NamedTuple):
    """One model: chain time / whole time by number of slices, and the whole against itself."""

    name: str
    whole_us: float
    ratios: Mapping[int, float]
    noise: float


class Spent(NamedTuple):
    """CPU time of one call, and the part of the wall time that the thread waited for a core."""

    us: float
    waited: float


def measure(path: Path, backend: Backend, rounds: int) -> Measured | str:
    """Return the measurement of a model, or why there is none."""
    model = read_model(path)
    graph = model.graph
    if is_stateful(graph):
        return "keeps state, so whole and chain would run on different states"
    with ExitStack() as loaded:

        def chain(slices: Sequence[Slice]) -> Chain:
            return loaded.enter_context(closing(Chain(backend, model, slices)))

        try:
            if missing_shapes(graph):
                model = with_shapes(model, backend.shapes(model.source, input_shapes(graph)))
            whole = chain([write_whole(model)])
        except BandError as error:
            return f"does not run whole: {error.message}"
        inputs = seeded_values(model.graph, graph.inputs, 0)
        expected = whole.run(inputs)
        whole_us = min(spent(whole, inputs, 1).us for _ in range(10))
        if whole_us < SHORTEST_US:
            return f"takes {whole_us:.0f} us, less than {SHORTEST_US}"
        chains = {
            count: chain([write_slice(model, part) for part in contiguous(model.graph, count)])
            for count in COUNTS
        }
        for count, each in chains.items():
            check(f"{path.stem}: K={count}", each.run(inputs), expected, graph.outputs)
        return timed(path.stem, whole_us, whole, chains, inputs, rounds)


def check(
    name: str, made: Mapping[int, Array], expected: Mapping[int, Array], outputs: Sequence[int]
) -> None:
    """Raise unless all outputs are the same bit for bit."""
    for tensor in outputs:
        if not same_bits(made[tensor], expected[tensor]):
            message = f"{name} differs from the whole in tensor {tensor}"
            raise AssertionError(message)


def timed(
    name: str,
    whole_us: float,
    whole: Chain,
    chains: Mapping[int, Chain],
    inputs: Mapping[int, Array],
    rounds: int,
) -> Measured | str:
    """Return the median ratios of interleaved rounds that did not wait for a core."""
    calls = max(1, math.ceil(ROUND_US / whole_us))
    wanted = min(rounds, LONG_ROUNDS) if whole_us > LONG_US else rounds
    ratios: dict[int, list[float]] = {count: [] for count in chains}
    noise: list[float] = []
    before = spent(whole, inputs, calls)
    for tried in range(TRIES * wanted):
        if tried >= FEWEST and not noise:
            break
        for count, chain in chains.items():
            between = spent(chain, inputs, calls)
            after = spent(whole, inputs, calls)
            if max(before.waited, between.waited, after.waited) <= BUSY:
                ratios[count].append(2 * between.us / (before.us + after.us))
                noise.append(after.us / before.us)
            before = after
        if min(map(len, ratios.values())) == wanted:
            break
    if min(map(len, ratios.values())) < min(FEWEST, wanted):
        return "too busy: the thread waited for a core in too many rounds"
    medians = {count: statistics.median(of) for count, of in ratios.items()}
    return Measured(name, whole_us, medians, statistics.median(noise))


def spent(chain: Chain, inputs: Mapping[int, Array], calls: int) -> Spent:
    """Return what one call takes, as the mean of several."""

    def work() -> None:
        for _ in range(calls):
            chain.give_back(chain.run(inputs))

    waited_ns, start_ns = run_queue_ns(), time.monotonic_ns()
    us = thread_us(work)
    wall_ns = time.monotonic_ns() - start_ns
    return Spent(us / calls, (run_queue_ns() - waited_ns) / wall_ns)


def run_queue_ns() -> int:
    """Return how long this thread has waited for a core so far; 0 where nobody counts that."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError):
        return 0


def run(rounds: int, pattern: str) -> dict[str, Any]:
    """Return the document of the benchmark."""
    paths = [path for path in real_models() if fnmatch(path.stem, pattern)]
    if not paths:
        reason = f"no model matches {pattern!r}" if real_models() else NO_DATA
        return document("chain", {}, {}, reason)
    device = load_device("host")
    backend = open_backend(
        device.processors[0], BackendContext(device=device, clock=MonotonicClock())
    )
    found: list[Measured] = []
    busy = 0
    for path in paths:
        one = measure(path, backend, rounds)
        if isinstance(one, str):
            busy += one.startswith("too busy")
            print(f"{path.stem:34} skipped: {one}", file=sys.stderr)
            continue
        found.append(one)
        each = "  ".join(f"K={count} {ratio:.3f}" for count, ratio in one.ratios.items())
        print(
            f"{one.name:34} {one.whole_us:10.0f} us  {each}  again {one.noise:.3f}",
            file=sys.stderr,
        )
    return summary(found, busy)


def summary(found: Sequence[Measured], busy: int) -> dict[str, Any]:
    """Return the document over all models; ``busy`` of them met a busy machine."""
    if busy > len(found):
        reason = f"too busy to tell: {busy} models found no core; run it on a quieter machine"
        return document("chain", {}, {}, reason)
    if not found:
        return document("chain", {}, {}, "no model runs whole for long enough")
    metrics: dict[str, float] = {"models": len(found)}
    ratios: dict[str, float] = {}
    series = {f"chain_k{count}_over_whole": [m.ratios[count] for m in found] for count in COUNTS}
    series["whole_again"] = [m.noise for m in found]
    for name, unsorted in series.items():
        values = sorted(unsorted)
        ratios[name] = statistics.median(values)
        metrics[f"{name}_p10"] = values[len(values) // 10]
        metrics[f"{name}_p90"] = values[-1 - len(values) // 10]
    return document("chain", metrics, ratios)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(add_help=False)
    arguments.add_argument("--models", metavar="PATTERN", default="*", help="names of models")
    chosen, others = arguments.parse_known_args()
    main(lambda rounds: run(rounds, chosen.models), others)
