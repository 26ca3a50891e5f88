"""The energy of a run: what its processors took while they ran, and while they did not."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from band.device.profile import Processor
from band.metrics.records import TaskRecord


class Power(NamedTuple):
    """The power of a processor: while a slice runs, and otherwise (transfers included)."""

    active_mw: int
    idle_mw: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """The energy of a run.

    Attributes:
        processors: of each whose power is known, active and idle.
        models: of the slices of each model, if the power of every processor that ran is known.
    """

    processors: Mapping[str, int]
    models: Mapping[str, int]

    @property
    def total_uj(self) -> int | None:
        """Return what all processors took; None if the power of one that ran is not known."""
        return sum(self.processors.values()) if self.models else None


def powers(processors: Iterable[Processor]) -> dict[str, Power]:
    """Return the power of each processor that is there and whose active power is known.

    Idle power is 0 if it is not known.
    """
    return {
        p.name: Power(p.active_mw, p.idle_mw or 0)
        for p in processors
        if p.available and p.active_mw is not None
    }


def energy(tasks: Iterable[TaskRecord], power: Mapping[str, Power], duration_us: int) -> Energy:
    """Return the energy of a run.

    Args:
        tasks: of the run; their run times count, not what was expected of them.
        power: of each processor, by name.
        duration_us: of the run.
    """
    busy_us: dict[str, int] = defaultdict(int)
    by_model: dict[str, int] = defaultdict(int)  # in nanojoules, so that only a sum is rounded
    unknown = False
    for task in tasks:
        of = power.get(task.processor)
        if of is None:
            unknown = True
            continue
        busy_us[task.processor] += task.run_us
        by_model[task.model] += task.run_us * of.active_mw
    return Energy(
        processors={
            name: _uj(busy_us[name] * of.active_mw)
            + _uj(max(0, duration_us - busy_us[name]) * of.idle_mw)
            for name, of in power.items()
        },
        models={} if unknown else {model: _uj(nj) for model, nj in by_model.items()},
    )


def _uj(nanojoules: int) -> int:
    """Return microjoules, rounded up."""
    return -(-nanojoules // 1000)
