"""The scores of XRBench, in doubles (version 0.1 of the release, its defaults)."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

STEEPNESS_PER_MS: Final = 15.0
"""How fast the real-time score falls around the deadline: 0.3 ms early gives 0.989."""

ENERGY_LIMIT_MJ: Final = 1500.0
_MOST: Final = 700.0
"""exp() of more is beyond a double; the score is 0 long before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """One completed inference.

    Attributes:
        accelerator: number of the accelerator.
        injected_ms, dispatched_ms, deadline_ms, completed_ms: since the start of the run.
        accuracy: score of its result, 0 to 1; 1 where nobody measured one.
    """

    accelerator: int
    model: str
    frame: int
    injected_ms: float
    dispatched_ms: float
    deadline_ms: float
    completed_ms: float
    energy_mj: float
    accuracy: float = 1.0

    @property
    def delay_ms(self) -> float:
        """Return how late it was; negative if early."""
        return self.completed_ms - self.deadline_ms

    @property
    def score(self) -> float:
        """Return real-time score x energy score x accuracy."""
        return realtime_score(self.delay_ms) * energy_score(self.energy_mj) * self.accuracy


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelScore:
    """The scores of one model.

    Attributes:
        realtime, energy, accuracy: plain means over its completed inferences, 0 without any.
        qoe: user experience: completed / (completed + dropped), 0 without any.
        total: M of the release: sum of the inferences' products, divided by all its frames. It is
            not the product of the means.
        completed, dropped, on_time: frames.
    """

    realtime: float
    energy: float
    accuracy: float
    qoe: float
    total: float
    completed: int
    dropped: int
    on_time: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """The scores of a run.

    Attributes:
        overall: 0 to 100: 100 x mean over the models of total x qoe.
        models: by name, sorted.
    """

    overall: float
    models: Mapping[str, ModelScore]


def realtime_score(delay_ms: float) -> float:
    """Return 1 for an inference that is early, 0 for a late one, a half at the deadline."""
    return 1.0 / (1.0 + math.exp(min(_MOST, STEEPNESS_PER_MS * delay_ms)))


def energy_score(energy_mj: float) -> float:
    """Return the share of the energy limit that was saved; negative above it, as in the release."""
    return (ENERGY_LIMIT_MJ - energy_mj) / ENERGY_LIMIT_MJ


def score(
    models: Iterable[str], inferences: Iterable[Inference], dropped: Mapping[str, int]
) -> Scores:
    """Return the scores of a run.

    Dropped frames count twice, in the divisor of the total and in the user experience: that is
    the release's rule. A model without any frame scores 0, where the release divides 0 by 0.

    Args:
        models: names of all models of the scenario.
        inferences: those that completed, late ones too.
        dropped: frames of each model that did not.
    """
    found: defaultdict[str, list[Inference]] = defaultdict(list)
    for inference in inferences:
        found[inference.model].append(inference)
    scores = {
        model: _model_score(found[model], dropped.get(model, 0)) for model in sorted(set(models))
    }
    parts = [model.total * model.qoe for model in scores.values()]
    return Scores(overall=100.0 * math.fsum(parts) / len(parts) if parts else 0.0, models=scores)


def _model_score(completed: list[Inference], dropped: int) -> ModelScore:
    count = len(completed)
    frames = count + dropped

    def mean(values: Iterable[float], divisor: int) -> float:
        return math.fsum(values) / divisor if divisor else 0.0

    return ModelScore(
        realtime=mean((realtime_score(i.delay_ms) for i in completed), count),
        energy=mean((energy_score(i.energy_mj) for i in completed), count),
        accuracy=mean((i.accuracy for i in completed), count),
        qoe=count / frames if frames else 0.0,
        total=mean((i.score for i in completed), frames),
        completed=count,
        dropped=dropped,
        on_time=sum(i.delay_ms <= 0 for i in completed),
    )
