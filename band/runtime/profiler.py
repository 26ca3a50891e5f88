"""Measures the subgraphs of models on the processors of a device, one after the other."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from band.clock import MonotonicClock
from band.device.profile import Device
from band.errors import BandError
from band.model.model import Model
from band.model.tflite_writer import write_slice, write_whole
from band.plan.table import Span
from band.plan.task import SliceKey
from band.runtime.backends.protocol import Backend, Pace, WorkerLostError
from band.runtime.loading import ops_of
from band.runtime.measuring import Timing, measure, random_inputs
from band.runtime.profiling import Measured, Profile, measured
from band.runtime.registration import AnalysisOptions, Prepared, prepare
from band.runtime.reports import Report
from band.runtime.shapes import ask_shapes
from band.runtime.workforce import Post, Workforce

Progress = Callable[[str, int, int], None]


class Profiled(NamedTuple):
    """A profile, and one sentence for each subgraph that could not be measured."""

    profile: Profile
    refused: tuple[str, ...]


def profile_models(
    device: Device,
    models: Iterable[Model],
    *,
    options: AnalysisOptions | None = None,
    runs: int = 20,
    everything: bool = False,
    progress: Progress | None = None,
) -> Profiled:
    """Return the measured costs of models on a device.

    Args:
        device: all its available processors are used, one at a time.
        models: to measure.
        options: of the analysis.
        runs: of each subgraph at most, after a warm-up.
        everything: all candidate subgraphs, not only those that registration loads.
        progress: told of each subgraph that is done.

    Raises:
        BandError: a model that the device cannot run, a backend that cannot be used.
    """
    clock = MonotonicClock(time_scale=device.time_scale)
    workforce = Workforce(device, clock, 0, _ignore)
    found: list[Measured] = []
    refused: list[str] = []
    try:
        for model in models:
            prepared = prepare(
                model, device, options=options, shapes=lambda unshaped: ask_shapes(unshaped, device)
            )
            spans = _spans(prepared, everything=everything)
            for number, span in enumerate(spans, start=1):
                try:
                    found.append(
                        _measure(prepared, span, workforce.posts[span.processor], clock, runs)
                    )
                except (BandError, WorkerLostError) as error:
                    name = prepared.table.processors[span.processor]
                    refused.append(
                        f"units {span.first}-{span.last} of {prepared.table.model} on {name}: "
                        f"{error}"
                    )
                if progress is not None:
                    progress(prepared.table.model, number, len(spans))
    finally:
        workforce.close()
    profile = Profile(device=device.name, device_version=device.version, measured=tuple(found))
    return Profiled(profile, tuple(refused))


def _spans(prepared: Prepared, *, everything: bool) -> list[Span]:
    loads = set(prepared.loads)
    spans = prepared.table.spans
    return [s for s in spans if everything or (s.first, s.last, s.processor) in loads]


def _measure(
    prepared: Prepared, span: Span, post: Post, clock: MonotonicClock, runs: int
) -> Measured:
    model, key = prepared.model, SliceKey(prepared.table.model, span.units)
    whole = span.units == prepared.table.all_units
    part = write_whole(model) if whole else write_slice(model, ops_of(prepared, span))
    inputs = random_inputs(model.graph, part)
    worker = post.worker

    def chore(backend: Backend) -> tuple[Timing, ...]:
        def pace() -> Pace:
            return Pace(clock.now_us(), 0, span.cost_us)

        return measure(backend, worker.handle(key), inputs, runs=runs, pace=pace)

    worker.load(key, part).result()
    try:
        times = worker.call(chore).result()
    finally:
        worker.unload(key).result()
    return measured(model.graph, part, post.up.name, post.info, times)


def _ignore(report: Report) -> None:
    """Without tasks a worker reports nothing but the loss of its processor, which calls raise."""
    del report
