"""What a check of models is asked and what it finds."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from band.device.profile import Device
from band.device.rules import NO_RULES, Rules
from band.model.source import is_path

STEPS: Final = 30
"""Runs of a model that keeps state, unless asked otherwise."""
_LISTED: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions:
    """What models are checked with.

    Attributes:
        device: whose first available processor computes everything, whole and slices.
        own_plans: also check the plans and subgraphs that a registration on the device would load.
        steps: runs of a model that keeps state; all others run once.
        seed: of all inputs.
        rules: that hold on the device, to tell which have nothing to say of a model.
    """

    device: Device
    own_plans: bool = False
    steps: int = STEPS
    seed: int = 0
    rules: Rules = NO_RULES


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedPlan:
    """One plan kind of one model.

    Attributes:
        parts: number of slices.
        max_abs_diff: 0 if equal; None if the difference is no finite number.
        reason: one sentence if it is not equal.
    """

    kind: str
    parts: int
    equal: bool
    max_abs_diff: float | None = 0.0
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedPart:
    """A slice that the runtime does not load or run."""

    ops: tuple[int, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedModel:
    """What the check of one model found.

    Attributes:
        model: its name.
        ops: its number of ops, weight ops included; 0 if it cannot be read.
        refused: it cannot be read, run whole, or registered on the device.
        reason: one sentence if it is refused or a plan differs.
        plans: what was compared; empty if there is no whole to compare with.
        parts_run: distinct slices that were loaded and run.
        parts_refused: distinct slices that were not.
        warnings: one sentence for each rule that has nothing to say of the model.
    """

    model: str
    ops: int = 0
    refused: bool = False
    reason: str | None = None
    plans: tuple[CheckedPlan, ...] = ()
    parts_run: int = 0
    parts_refused: tuple[RefusedPart, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Return whether it runs and every plan equals the whole."""
        return not self.refused and all(plan.equal for plan in self.plans)

    def document(self) -> dict[str, Any]:
        """Return it as ``band check --json`` writes it."""
        return {
            "model": self.model,
            "ok": self.ok,
            "reason": self.reason,
            "ops": self.ops,
            "plans": [
                {
                    "kind": plan.kind,
                    "parts": plan.parts,
                    "equal": plan.equal,
                    "max_abs_diff": plan.max_abs_diff,
                    "reason": plan.reason,
                }
                for plan in self.plans
            ],
            "parts_run": self.parts_run,
            "parts_refused": [
                {"ops": list(part.ops), "reason": part.reason} for part in self.parts_refused
            ],
        }


def refused(ref: str, reason: str) -> CheckedModel:
    """Return the finding for a model of which nothing else is known."""
    return CheckedModel(model=Path(ref).stem if is_path(ref) else ref, refused=True, reason=reason)


def ops_text(ops: Collection[int]) -> str:
    """Return ops as text: ``op 3``, or ``ops 3, 4, ...``."""
    first = sorted(ops)[:_LISTED]
    more = ", ..." if len(ops) > _LISTED else ""
    return f"op{'s' if len(ops) != 1 else ''} {', '.join(map(str, first))}{more}"
