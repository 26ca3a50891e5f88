"""Measures the subgraphs of models on the processors of a device, one processor after the other."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import band
from band.clock import MonotonicClock
from band.device.fit_classes import typical_us
from band.device.fit_design import sample_ranges
from band.device.fit_terms import GraphTerms
from band.device.profile import Device, Processor
from band.device.rules import NO_RULES, Rules, with_rules
from band.device.support import refusals
from band.model.atoms import atoms
from band.model.graph import Graph
from band.model.model import Model
from band.runtime.bench import Bench, Target, different
from band.runtime.host import this_host
from band.runtime.learning import learn
from band.runtime.loading import ops_of
from band.runtime.profiling import Measured, Profile
from band.runtime.registration import AnalysisOptions, Prepared, prepare
from band.runtime.reports import Report
from band.runtime.shapes import ask_shapes
from band.runtime.workforce import Workforce

RANGES: Final = 15
"""Ranges of ops measured per model and kind of processor, besides the subgraphs it may run."""

Progress = Callable[[str, int, int], None]


class Wanted(NamedTuple):
    """A model to measure, and the rules that hold for it besides those of the device."""

    model: Model
    rules: Rules = NO_RULES


class Profiled(NamedTuple):
    """A profile, and one sentence for each subgraph that could not be measured."""

    profile: Profile
    refused: tuple[str, ...]


def profile_models(
    device: Device,
    models: Iterable[Wanted],
    *,
    options: AnalysisOptions | None = None,
    runs: int = 20,
    ranges: int = RANGES,
    everything: bool = False,
    progress: Progress | None = None,
) -> Profiled:
    """Return the measured costs of models on a device, and the cost models fitted to them.

    Args:
        device: all its available processors are used, one at a time.
        models: to measure.
        options: of the analysis; the rules of a model stand in the place of its rules.
        runs: of each subgraph at most, after a warm-up.
        ranges: of ops, about, measured besides the subgraphs for the cost model's sake: per model,
            on the first of several processors that are alike, on none that is emulated.
        everything: all candidate subgraphs, not only those that registration loads.
        progress: told of each subgraph that is done.

    Raises:
        BandError: a model that the device cannot run, a backend that cannot be used.
    """
    options = options or AnalysisOptions()
    clock = MonotonicClock(time_scale=device.time_scale)
    workforce = Workforce(device, clock, 0, _ignore)
    results: list[Measured | str] = []
    terms: dict[str, GraphTerms] = {}
    try:
        for model, rules in models:
            ruled = replace(options, rules=rules)
            prepared = prepare(
                model, device, options=ruled, shapes=lambda unshaped: ask_shapes(unshaped, device)
            )
            counted = GraphTerms(prepared.model.graph)
            terms[counted.graph.sha256] = counted
            spans = _spans(prepared, everything=everything)
            targets = different(*spans, *_ranges(counted, with_rules(device, rules), ranges))
            bench = Bench(prepared.model, workforce.posts, clock, runs)
            for number, result in enumerate(bench.measure(targets), start=1):
                results.append(result)
                if progress is not None:
                    progress(prepared.table.model, number, len(targets))
    finally:
        workforce.close()
    found = [result for result in results if isinstance(result, Measured)]
    refused = tuple(result for result in results if isinstance(result, str))
    return Profiled(_profile(device, found, terms), refused)


def _profile(device: Device, found: Sequence[Measured], terms: Mapping[str, GraphTerms]) -> Profile:
    learnt = learn(found, terms, alike(device))
    return Profile(
        device=device.name,
        device_version=device.version,
        host=this_host(),
        band_version=band.__version__,
        measured=learnt.measured,
        fits=learnt.fits,
    )


def alike(device: Device) -> tuple[tuple[str, ...], ...]:
    """Return the available real processors by name, those together that compute alike."""
    groups: dict[tuple[object, ...], list[str]] = {}
    for p in device.processors:
        if p.available and not p.emulated:
            # Cores that it is pinned to may be of another kind: options are part of the identity.
            same = (p.kind, p.backend, p.runtime, p.threads, p.options)
            groups.setdefault(same, []).append(p.name)
    return tuple(tuple(names) for names in groups.values())


def _spans(prepared: Prepared, *, everything: bool) -> Iterator[Target]:
    """Yield the subgraphs that registration would load, or all candidates."""
    table, loads = prepared.table, set(prepared.loads)
    for span in table.spans:
        if everything or (span.first, span.last, span.processor) in loads:
            yield Target(
                processor=span.processor,
                ops=ops_of(prepared, span),
                where=f"units {span.first}-{span.last} of {table.model} on "
                f"{table.processors[span.processor]}",
                whole=span.units == table.all_units,
                cost_us=span.cost_us,
            )


def _ranges(terms: GraphTerms, device: Device, count: int) -> Iterator[Target]:
    """Yield ranges of ops that tell most about what the rest costs."""
    graph = terms.graph
    cost = {
        op: sum(n * typical_us(term) for term, n in counts.items())
        for op, counts in terms.ops.items()
    }
    for names in alike(device) if count else ():
        processor = device.processor(names[0])
        if processor is None:
            continue
        for ops in sample_ranges(atoms(graph), _taken(graph, processor), cost, count):
            yield Target(
                processor=processor.index,
                ops=ops,
                where=f"ops {ops[0]}-{ops[-1]} of {graph.name} on {processor.name}",
                whole=ops == graph.compute_ops,
                cost_us=0,
            )


def _taken(graph: Graph, processor: Processor) -> frozenset[int]:
    return frozenset(graph.compute_ops) - refusals(processor, graph).keys()


def _ignore(report: Report) -> None:
    """Without tasks a worker reports nothing but the loss of its processor, which calls raise."""
    del report
