"""What a rehearsed future is worth."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from band.scheduler.advice import EndedRequest, Rehearsed
from band.scheduler.commands import JobOutcome

_STEEPNESS: Final = 15.0
_FULL_ENERGY_MJ: Final = 1500.0
_PROMPT: Final = 0.1
_NOISE, _STEEP = 0.003, 0.01
_MODEL_NOISE, _MODEL_STEEP = 0.01, 0.02


def on_time(rehearsed: Rehearsed) -> float:
    """Return the mean over models of (share on time) x (share completed), about.

    The product rewards serving one model fully over serving two by halves, as XRBench's scores do.
    A tenth of the value is for completing at all, and soon: so that of two futures with nothing
    on time the better one wins. Half of the whole is for delays that do not grow, and the other
    half counts less the faster they do: what is bearable within the horizon is not when it goes on
    like that.
    """
    value = _mean(
        (1 - _PROMPT) * (sum(map(_in_time, ended)) / total) * (_completed(ended) / total)
        + _PROMPT * sum(map(_promptness, ended)) / total
        for ended, total in _by_model(rehearsed)
    )
    return _steadiness(rehearsed) * (1 + value) / 2


def xr_score(rehearsed: Rehearsed) -> float:
    """Return XRBench's overall score over 100.

    Per completed request the real-time score 1 / (1 + exp(15 * delay in ms)) times the energy
    score (1500 - mJ) / 1500; a model's sum over completed and dropped requests, times its share
    of completed ones; the mean over models. What had not ended counts as dropped.
    """
    return _mean(
        sum(map(_xr_value, ended)) / total * (_completed(ended) / total)
        for ended, total in _by_model(rehearsed)
    )


OBJECTIVES: Final[Mapping[str, Callable[[Rehearsed], float]]] = {
    "on_time": on_time,
    "xr_score": xr_score,
}
"""By name, as in YAML."""


def _by_model(rehearsed: Rehearsed) -> Iterable[tuple[list[EndedRequest], int]]:
    """Return per model the requests that ended, and how many there were."""
    ended: defaultdict[str, list[EndedRequest]] = defaultdict(list)
    for request in rehearsed.requests:
        ended[request.model].append(request)
    left = dict(rehearsed.open)
    for model in {*ended, *left}:
        yield ended[model], len(ended[model]) + left.get(model, 0)


def _mean(values: Iterable[float]) -> float:
    found = sorted(values)  # a sum in one order, whatever that of the models
    return math.fsum(found) / len(found) if found else 1.0


def _steadiness(rehearsed: Rehearsed) -> float:
    """Return 1 if delays do not grow, less the faster they do: of all requests, or of one model.

    A load 2 % above what a rule sustains makes the mean delay grow by about 0.02; but where one
    model has to stand back, that is the one to look at. What never ended is no better.
    """
    steady = _steady(rehearsed.requests, _NOISE, _STEEP)
    for ended, total in _by_model(rehearsed):
        steady = min(steady, _steady(ended, _MODEL_NOISE, _MODEL_STEEP), len(ended) / total)
    return steady


def _steady(requests: Sequence[EndedRequest], noise: float, steep: float) -> float:
    """Return the value of a growth of delays: 1 up to the noise, a half at ``steep`` above it.

    The growth is by how much longer requests of the last third took than those of the second,
    per time between them.
    """
    if not requests:
        return 1.0
    arrivals = [request.arrived_us for request in requests]
    third_us = (max(arrivals) - min(arrivals)) / 3
    begin_us = min(arrivals) + third_us
    delays: tuple[list[int], list[int]] = ([], [])
    for request in requests:
        if request.arrived_us >= begin_us:
            late = request.arrived_us >= begin_us + third_us
            delays[late].append(request.finished_us - request.arrived_us)
    if not all(delays):
        return 1.0
    second_us, last_us = (sum(found) / len(found) for found in delays)
    growth = max(0.0, (last_us - second_us) / third_us - noise)
    return 1 / (1 + (growth / steep) ** 2)


def _completed(ended: Iterable[EndedRequest]) -> int:
    return sum(request.outcome is JobOutcome.COMPLETED for request in ended)


def _in_time(request: EndedRequest) -> bool:
    if request.outcome is not JobOutcome.COMPLETED:
        return False
    return request.deadline_us is None or request.finished_us <= request.deadline_us


def _promptness(request: EndedRequest) -> float:
    """Return 1 for a request in time, less the later it is, 0 for one without a result."""
    if request.outcome is not JobOutcome.COMPLETED:
        return 0.0
    if request.deadline_us is None:
        return 1.0
    allowed_us = max(1, request.deadline_us - request.arrived_us)
    late_us = max(0, request.finished_us - request.deadline_us)
    return allowed_us / (allowed_us + late_us)


def _xr_value(request: EndedRequest) -> float:
    if request.outcome is not JobOutcome.COMPLETED:
        return 0.0
    energy = (_FULL_ENERGY_MJ - request.energy_uj / 1000) / _FULL_ENERGY_MJ
    if request.deadline_us is None:
        return energy
    exponent = _STEEPNESS * (request.finished_us - request.deadline_us) / 1000
    return energy / (1 + math.exp(exponent)) if exponent < 700 else 0.0
