"""Fits cost models to what was measured, and tells how well they predict what they did not see."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import Final, NamedTuple

from band.device.fit import MIN_SAMPLES, CostFit, Sample, fit_costs
from band.device.fit_prices import ModelPrices
from band.device.fit_terms import GraphTerms
from band.runtime.profiling import FittedCosts, Measured

_FOLDS: Final = 5
_Part = tuple[str, tuple[int, ...]]
"""(sha256 of the model, ops)."""


class Learnt(NamedTuple):
    """Measurements with predictions, and the cost models."""

    measured: tuple[Measured, ...]
    fits: tuple[FittedCosts, ...]


def learn(
    measured: Sequence[Measured],
    terms: Mapping[str, GraphTerms],
    alike: Iterable[tuple[str, ...]],
) -> Learnt:
    """Return cost models, and the measurements with what the models say of them.

    A prediction never uses the subgraph that it is compared with: the measurements are held back in
    turns, a fifth at a time.

    Args:
        measured: of any processors.
        terms: of the models, by sha256.
        alike: names of the processors that share a cost model; others get none.
    """
    fits: list[FittedCosts] = []
    predicted: dict[tuple[str, _Part], float] = {}
    for names in alike:
        entries = [m for m in measured if m.processor in names]
        times = _times(entries)
        if len(times) < MIN_SAMPLES:
            continue
        found = _held_back(times, terms)
        predicted |= {(name, key): us for name in names for key, us in found.items()}
        errors = [abs(us / times[key] - 1) for key, us in found.items()]
        fits.append(
            FittedCosts(
                processors=names,
                basis="device" if any(m.cpu_us is None for m in entries) else "cpu",
                error_median=median(errors) if errors else None,
                fit=_fit(times, terms),
            )
        )
    return Learnt(
        tuple(_with_prediction(m, predicted.get((m.processor, _key(m)))) for m in measured),
        tuple(fits),
    )


def _times(entries: Iterable[Measured]) -> dict[_Part, float]:
    """Return one time per subgraph: several processors that are alike may have measured it."""
    found: dict[_Part, list[int]] = {}
    for entry in entries:
        found.setdefault(_key(entry), []).append(entry.cost_us)
    return {key: median(times) for key, times in found.items()}


def _held_back(times: Mapping[_Part, float], terms: Mapping[str, GraphTerms]) -> dict[_Part, float]:
    """Return for each subgraph what a cost model says that was fitted without it."""
    found: dict[_Part, float] = {}
    keys = list(times)
    for fold in range(_FOLDS):
        held = keys[fold::_FOLDS]
        rest = {key: us for key, us in times.items() if key not in held}
        if len(rest) < MIN_SAMPLES:
            continue
        fit = _fit(rest, terms)
        for sha256 in {sha256 for sha256, _ in held}:
            mine = {ops: us for (sha, ops), us in rest.items() if sha == sha256}
            prices = ModelPrices(fit, terms[sha256], mine)
            for sha, ops in held:
                if sha == sha256:
                    found[sha, ops] = prices.part_us(ops)
    return found


def _fit(times: Mapping[_Part, float], terms: Mapping[str, GraphTerms]) -> CostFit:
    return fit_costs(
        [Sample(terms=terms[sha256].part(ops), us=us) for (sha256, ops), us in times.items()]
    )


def _with_prediction(entry: Measured, us: float | None) -> Measured:
    return entry if us is None else replace(entry, predicted_us=max(1, round(us)))


def _key(entry: Measured) -> _Part:
    return entry.sha256, entry.ops
