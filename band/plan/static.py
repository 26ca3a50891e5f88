"""Static plans: which steps each model runs, in which order of precedence, decided beforehand.

A plan is found offline (``band search``), written as the parameters of the policy ``static_plan``
and played by it, or by the flat simulator. It is plain data: names instead of indices, so that it
can be read, edited and used on any device that has processors of these names.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Final, Literal, NamedTuple

from annotated_types import Ge

from band.plan.table import PlanTable, Span

Order = Literal["priority", "edf"]
"""How a processor picks among steps of one class: the model's priority, or the deadline, first."""

MAX_ROUND: Final = 10_000
"""Most jobs in a round of variants: weights finer than that are a mistake, not a plan."""


class PlannedStep(NamedTuple):
    """One task of a planned chain.

    Attributes:
        first, last: unit indices, both included.
        processor: its name.
    """

    first: int
    last: int
    processor: str


class Variant(NamedTuple):
    """One way to run a model.

    Attributes:
        steps: cover all units of the model, in order.
        weight: of every ``sum of weights`` jobs in a row, how many take this variant.
    """

    steps: tuple[PlannedStep, ...]
    weight: Annotated[int, Ge(1)] = 1


class PlannedModel(NamedTuple):
    """What is planned for one model.

    Attributes:
        variants: jobs take them in turn, each as often as its weight says.
        priority: lower first, among jobs of one class.
        release_us: a job starts no earlier than so long after its arrival.
    """

    variants: tuple[Variant, ...]
    priority: int = 0
    release_us: Annotated[int, Ge(0)] = 0


class StaticPlan(NamedTuple):
    """A whole plan.

    Attributes:
        models: by name.
        order: processor name -> how it picks; ``priority`` where nothing is said.
    """

    models: Mapping[str, PlannedModel]
    order: Mapping[str, Order]


def turns(weights: Sequence[int]) -> tuple[int, ...]:
    """Return which variant each job of a round takes, spread as evenly as weights allow.

    The smooth weighted round robin: at each turn every variant earns its weight, and the richest
    one (the first on ties) is taken and pays the sum. What all weights have in common is divided
    out first: the order is the same, only not told several times over.

    Raises:
        ValueError: there is no weight, one is not positive, or the round is too long.
    """
    if not weights or min(weights) < 1:
        raise ValueError("a model needs at least one variant, and each a weight of at least 1")
    common = math.gcd(*weights)
    weights = [weight // common for weight in weights]
    total = sum(weights)
    if total > MAX_ROUND:
        raise ValueError(
            f"its weights make a round of {total} jobs, {MAX_ROUND} are the most; "
            "give smaller weights in about the same ratio"
        )
    credit = [0] * len(weights)
    order = []
    for _ in range(total):
        credit = [have + weight for have, weight in zip(credit, weights, strict=True)]
        chosen = max(range(len(weights)), key=lambda index: (credit[index], -index))
        credit[chosen] -= total
        order.append(chosen)
    return tuple(order)


def spans_of(steps: Iterable[PlannedStep], table: PlanTable) -> tuple[Span, ...] | None:
    """Return the spans that steps name, None if the table lacks one or they leave a gap."""
    found: list[Span] = []
    unit = 0
    for first, last, processor in steps:
        span = None
        if first == unit and processor in table.processors:
            span = table.find(first, last, table.processors.index(processor))
        if span is None:
            return None
        found.append(span)
        unit = last + 1
    return tuple(found) if unit == table.unit_count else None
