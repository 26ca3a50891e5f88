"""The fitted cost model on real models: what it predicts against what is measured.

Processor time of subgraphs of at least 0.2 ms; about three minutes in all. Each model is profiled
as ``band profile`` does it. Then subgraphs that the profile did not choose are measured: random
ranges of ops, of any length.

Held-back ranges: predicted by the profile of the same model alone. Held-back models: predicted by
the profiles of all other models, without those of the same family (the same net with other
weights or of another size). Nothing that is predicted was used to choose anything.

    BAND_TEST_DATA=... python benchmarks/cost_model.py --json -
"""

import random
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import exp, log
from pathlib import Path
from typing import Any, Final, NamedTuple

from rounds import document, main

from band.clock import MonotonicClock
from band.config.device import load_device
from band.device.fit import MIN_SAMPLES, Sample, fit_costs
from band.device.fit_classes import CLASS_OF, dtype_class
from band.device.fit_prices import ModelPrices
from band.device.fit_terms import GraphTerms
from band.device.profile import Device
from band.errors import BandError
from band.model.atoms import atoms
from band.model.graph import Graph
from band.model.model import Model
from band.model.source import open_model
from band.model.work import op_work
from band.runtime.bench import Bench, Target
from band.runtime.profiler import Wanted, profile_models
from band.runtime.registration import prepare
from band.runtime.shapes import ask_shapes
from band.runtime.workforce import Workforce
from band.testing.data import NO_DATA, real_models

LEAST_US: Final = 200
HELD_BACK: Final = 24
SEED: Final = 20240229
# One net with several weights, or in several sizes: none of them may predict another.
FAMILIES: Final = (
    "deeplab", "dtln", "face_detection", "face_landmark", "hand_landmark", "mobilenet_v2", "mww",
    "object_detection_3d", "palm_detection", "selfie_segmentation",
)  # fmt: skip
# 3 GiB and minutes for one model.
LEFT_OUT: Final = ("edsr_f32b5_fp32", "edsr_f32b5_int8")


class Part(NamedTuple):
    """A measured subgraph."""

    ops: tuple[int, ...]
    us: float


class Subject(NamedTuple):
    """A model with its profile and what was held back."""

    name: str
    terms: GraphTerms
    profiled: tuple[Part, ...]
    held_back: tuple[Part, ...]

    @property
    def family(self) -> str:
        """Return the name that models of one net share."""
        return next((f for f in FAMILIES if self.name.startswith(f)), self.name)


class Prediction(NamedTuple):
    """What was said of one subgraph."""

    model: str
    kind: str
    ops: tuple[int, ...]
    us: float
    predicted_us: float

    @property
    def error(self) -> float:
        """Return the relative error, positive if the prediction is too high."""
        return self.predicted_us / self.us - 1


def subjects(runs: int) -> Iterator[Subject]:
    """Yield the measured models; say on stderr which cannot be."""
    device = _one_processor(load_device("host"))
    for path in real_models():
        if path.stem in LEFT_OUT:
            continue
        try:
            yield _measured(path, device, runs)
        except BandError as error:
            print(f"left out: {path.stem}: {error}", file=sys.stderr)


def _one_processor(device: Device) -> Device:
    return replace(device, processors=device.processors[:1])


def _measured(path: Path, device: Device, runs: int) -> Subject:
    model = open_model(str(path))
    profile = profile_models(device, [Wanted(model)], runs=runs).profile
    prepared = prepare(model, device, shapes=lambda unshaped: ask_shapes(unshaped, device))
    graph = prepared.model.graph
    known = {m.ops for m in profile.measured}
    targets = [ops for ops in _random_ranges(graph) if ops not in known]
    parts = tuple(_run(prepared.model, device, targets, runs))
    own = tuple(Part(m.ops, m.cost_us) for m in profile.measured)
    return Subject(path.stem, GraphTerms(graph), own, parts)


def _random_ranges(graph: Graph) -> Iterator[tuple[int, ...]]:
    """Yield different ranges of ops; a short one is as likely as one of ten times the length."""
    parts = atoms(graph)
    rng = random.Random(f"{SEED}/{graph.name}")
    seen: set[tuple[int, int]] = set()
    for _ in range(HELD_BACK):
        length = round(exp(rng.uniform(log(min(2, len(parts))), log(len(parts)))))
        first = rng.randint(0, len(parts) - length)
        if (first, length) not in seen:
            seen.add((first, length))
            yield tuple(sorted(op for part in parts[first : first + length] for op in part))


def _run(
    model: Model, device: Device, ranges: Sequence[tuple[int, ...]], runs: int
) -> Iterator[Part]:
    """Yield the times of those ranges that run and take long enough."""
    clock = MonotonicClock()
    workforce = Workforce(device, clock, 0, lambda _: None)
    targets = [
        Target(processor=0, ops=ops, where=f"ops {ops[0]}-{ops[-1]}", whole=False, cost_us=0)
        for ops in ranges
    ]
    try:
        for found in Bench(model, workforce.posts, clock, runs).measure(targets):
            if not isinstance(found, str) and found.cost_us >= LEAST_US:
                yield Part(found.ops, found.cost_us)
    finally:
        workforce.close()


def of_ranges(subject: Subject) -> Iterator[Prediction]:
    """Yield what the profile of a model says of the ranges that were held back."""
    if len(subject.profiled) >= MIN_SAMPLES:
        fit = fit_costs(_samples([subject]))
        prices = ModelPrices(fit, subject.terms, {p.ops: p.us for p in subject.profiled})
        yield from _predicted(subject, prices, subject.held_back)


def of_models(all_subjects: Sequence[Subject]) -> Iterator[Prediction]:
    """Yield what the profiles of other families say of the subgraphs of each model."""
    for family in sorted({subject.family for subject in all_subjects}):
        others = [s for s in all_subjects if s.family != family]
        if sum(len(s.profiled) for s in others) < MIN_SAMPLES:
            continue
        fit = fit_costs(_samples(others))
        for subject in all_subjects:
            if subject.family == family:
                parts = [p for p in subject.profiled if p.us >= LEAST_US]
                prices = ModelPrices(fit, subject.terms, {})
                yield from _predicted(subject, prices, (*parts, *subject.held_back))


def _samples(chosen: Iterable[Subject]) -> list[Sample]:
    return [Sample(terms=s.terms.part(p.ops), us=p.us) for s in chosen for p in s.profiled]


def _predicted(
    subject: Subject, prices: ModelPrices, parts: Iterable[Part]
) -> Iterator[Prediction]:
    for part in parts:
        kind = _kind(subject.terms.graph, part.ops)
        yield Prediction(subject.name, kind, part.ops, part.us, prices.part_us(part.ops))


def _kind(graph: Graph, ops: Iterable[int]) -> str:
    """Return the class and type of most of the work."""
    amounts: defaultdict[str, float] = defaultdict(float)
    for op in ops:
        work = op_work(graph, op)
        kind = CLASS_OF.get(graph.ops[op].type, "other")
        # A value moved takes about as long as ten multiply-accumulates.
        amounts[f"{kind} {dtype_class(graph, op)}"] += work.macs + 10 * work.written_bytes
    return max(amounts, key=lambda kind: amounts[kind], default="none")


def report(title: str, found: Sequence[Prediction]) -> None:
    """Print errors by class and by model, and the worst subgraphs, to stderr."""
    for name, groups in (("class", _grouped(found, "kind")), ("model", _grouped(found, "model"))):
        rows = [
            f"  {key:36} {len(errors):5} {_p(errors, 50):8.1%} {_p(errors, 90):8.1%}"
            for key, errors in sorted(groups.items())
        ]
        head = f"{title}, by {name}"
        print(f"{head:38} {'parts':>5} {'p50':>8} {'p90':>8}", *rows, sep="\n", file=sys.stderr)
    worst = sorted(found, key=lambda p: -abs(p.error))[:8]
    for p in worst:
        where = f"{p.model} ops {p.ops[0]}-{p.ops[-1]} ({len(p.ops)}, {p.kind})"
        print(
            f"  worst: {where}: {p.us:.0f} us, predicted {p.predicted_us:.0f} ({p.error:+.0%})",
            file=sys.stderr,
        )


def _grouped(found: Iterable[Prediction], field: str) -> Mapping[str, list[float]]:
    groups: defaultdict[str, list[float]] = defaultdict(list)
    for prediction in found:
        groups[getattr(prediction, field)].append(abs(prediction.error))
    return groups


def _p(errors: Sequence[float], percent: int) -> float:
    ranked = sorted(errors)
    return ranked[min(len(ranked) - 1, len(ranked) * percent // 100)]


def run(rounds: int) -> dict[str, Any]:
    """Return the document of the benchmark.

    Args:
        rounds: runs of each subgraph at most.
    """
    if not real_models():
        return document("cost_model", {}, {}, NO_DATA)
    found = list(subjects(rounds))
    metrics: dict[str, float] = {"cost_model_models": len(found)}
    for name, title, predictions in (
        ("range", "held-back ranges", [p for s in found for p in of_ranges(s)]),
        ("model", "held-back models", list(of_models(found))),
    ):
        if not predictions:
            continue
        report(title, predictions)
        errors = [abs(p.error) for p in predictions]
        metrics[f"cost_model_{name}_error_median"] = statistics.median(errors)
        metrics[f"cost_model_{name}_error_p90"] = _p(errors, 90)
        metrics[f"cost_model_{name}_parts"] = len(errors)
    return document("cost_model", metrics, {})


if __name__ == "__main__":
    main(run)
