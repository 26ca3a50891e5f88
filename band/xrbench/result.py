"""What a run of a case gives, in either mode."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from band.xrbench.case import Case
from band.xrbench.scores import Inference, Scores


class Mode(StrEnum):
    """Whose semantics a run has."""

    COMPAT = "compat"
    CORRECT = "correct"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """One policy on one case. All times in it are simulated.

    Attributes:
        policy: as it was asked for.
        scores: of the run.
        inferences: completed ones, by accelerator and completion.
        dropped: frames of each model that did not complete.
        notes: what the user should know of the run, such as advice that failed.
    """

    case: Case
    policy: str
    mode: Mode
    scores: Scores
    inferences: tuple[Inference, ...]
    dropped: Mapping[str, int]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """The most that a policy can score.

    Attributes:
        overall: 0 to 100.
        proven: the programme was solved to the end; else the time was over, and a longer one may
            give a lower bound.
        variables: of the programme.
    """

    overall: float
    proven: bool
    variables: int
