"""Cost tables: latency and energy of each model on each accelerator of each setting.

The file is JSON: ``settings -> NAME -> accelerators[] -> {id, models -> NAME -> {latency_ms,
energy_mj, accuracy?}}``. A pair that was never measured is absent; whoever needs it is told so by
name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field

from band.config.schema import Schema, parse
from band.config.suggestion import suggestion
from band.config.yaml_loader import load_yaml
from band.errors import BandError, ErrorCode
from band.xrbench.scenarios import SAME_NETWORK


class Cost(NamedTuple):
    """One inference of a model on an accelerator.

    Attributes:
        accuracy: score of its results, 0 to 1; 1 where nobody measured one.
    """

    latency_ms: float
    energy_mj: float
    accuracy: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """One accelerator of a setting.

    Attributes:
        id: its number in results.
        costs: by model; only what was measured.
    """

    id: int
    costs: Mapping[str, Cost]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """The hardware of a run.

    Attributes:
        accelerators: by number.
    """

    name: str
    accelerators: tuple[Accelerator, ...]

    def cost(self, model: str, accelerator: Accelerator) -> Cost:
        """Return what a model costs on an accelerator.

        Raises:
            BandError: NOT_FOUND naming the pair if it was never measured.
        """
        found = accelerator.costs.get(model)
        if found is None:
            found = accelerator.costs.get(SAME_NETWORK.get(model, ""))
        if found is None:
            message = (
                f"{model} was never measured on accelerator {accelerator.id} of {self.name}; "
                "add its latency_ms and energy_mj to the cost table"
            )
            raise BandError(
                ErrorCode.NOT_FOUND,
                message,
                model=model,
                accelerator=accelerator.id,
                setting=self.name,
            )
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class CostTable:
    """Everything that a cost file holds.

    Attributes:
        source: where the figures come from, as the file says.
        settings: by name, in the order of the file.
    """

    source: str
    settings: Mapping[str, Setting]

    def setting(self, name: str) -> Setting:
        """Return the setting of that name.

        Raises:
            BandError: NOT_FOUND, with the nearest name, if there is none.
        """
        found = self.settings.get(name)
        if found is None:
            hint = suggestion(name, self.settings, noun="settings")
            message = f"the cost table has no setting '{name}'; {hint}"
            raise BandError(ErrorCode.NOT_FOUND, message, setting=name)
        return found


_LONGEST_MS = 1e6  # a thousand seconds an inference: beyond any network, and exact in microseconds


class _CostEntry(Schema):
    latency_ms: Annotated[float, Field(gt=0, le=_LONGEST_MS)]
    energy_mj: Annotated[float, Field(ge=0, le=1e9)]
    accuracy: Annotated[float, Field(ge=0, le=1)] = 1.0


class _AcceleratorEntry(Schema):
    id: Annotated[int, Field(ge=0, le=255)]
    models: dict[Annotated[str, Field(min_length=1)], _CostEntry]


class _SettingEntry(Schema):
    accelerators: Annotated[tuple[_AcceleratorEntry, ...], Field(min_length=1)]


class _CostFile(Schema):
    source: str = ""
    settings: Annotated[dict[str, _SettingEntry], Field(min_length=1)]


def load_costs(path: str | Path) -> CostTable:
    """Return the cost table of a file.

    Raises:
        BandError: NOT_FOUND if there is no such file; INVALID_CONFIG ``file:line`` if it is not
            readable, a key or a number is wrong, or two accelerators share a number.
    """
    document = load_yaml(path)
    file = parse(document, _CostFile)
    settings: dict[str, Setting] = {}
    for name, entry in file.settings.items():
        accelerators: dict[int, Accelerator] = {}
        for place, found in enumerate(entry.accelerators):
            if found.id in accelerators:
                at = ("settings", name, "accelerators", place, "id")
                raise document.error(at, f"two accelerators of {name} have the id {found.id}")
            costs = {
                model: Cost(cost.latency_ms, cost.energy_mj, cost.accuracy)
                for model, cost in found.models.items()
            }
            accelerators[found.id] = Accelerator(id=found.id, costs=costs)
        ordered = tuple(accelerators[number] for number in sorted(accelerators))
        settings[name] = Setting(name=name, accelerators=ordered)
    return CostTable(source=file.source, settings=settings)
