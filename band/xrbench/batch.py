"""Several cases and policies at once: what is asked for, played one by one, refusals kept apart."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from band.errors import BandError, ErrorCode
from band.xrbench.case import Case, make_case
from band.xrbench.costs import CostTable
from band.xrbench.result import Bound, CaseResult
from band.xrbench.scenario_file import read_scenario
from band.xrbench.scenarios import Scenario, find_scenario


class CaseName(NamedTuple):
    """A case as it is asked for: ``scenario`` is a name or the path of a scenario file."""

    setting: str
    scenario: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one policy on one case: a result, or the error that refuses it.

    Attributes:
        bound: of the case, if it was asked for.
    """

    case: CaseName
    policy: str
    result: CaseResult | None = None
    error: BandError | None = None
    bound: Bound | None = None


Play = Callable[[Case], CaseResult]
"""Plays a policy on a case."""


def play_all(
    table: CostTable,
    cases: Sequence[CaseName],
    plays: Sequence[tuple[str, Play]],
    find_bound: Callable[[Case], Bound] | None,
) -> Iterator[Outcome]:
    """Yield what becomes of each policy on each case, case by case.

    Args:
        table: costs.
        cases: to play.
        plays: name of each policy, and what plays it.
        find_bound: gives the bound of a case; None if nobody asked.
    """
    for name in cases:
        bound = None
        try:
            case = make_case(table, name.setting, find(name.scenario))
            if find_bound is not None:
                bound = find_bound(case)
        except BandError as error:
            yield from (Outcome(case=name, policy=policy, error=error) for policy, _ in plays)
            continue
        for policy, play in plays:
            try:
                result = play(case)
            except BandError as error:
                yield Outcome(case=name, policy=policy, error=error, bound=bound)
            else:
                yield Outcome(case=name, policy=policy, result=result, bound=bound)


def find(scenario: str) -> Scenario:
    """Return the scenario of a name or a scenario file.

    Raises:
        BandError: there is none of that name, or the file is not one.
    """
    path = Path(scenario)
    if path.suffix or len(path.parts) > 1:
        return read_scenario(path)
    return find_scenario(scenario)


def read_cases(path: Path) -> tuple[CaseName, ...]:
    """Return the cases of a JSON list of ``{"setting", "scenario"}``; other keys are ignored.

    Raises:
        BandError: NOT_FOUND if there is no such file; INVALID_CONFIG if it is not such a list.
    """
    try:
        entries: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        message = f"there is no file '{path}'"
        raise BandError(ErrorCode.NOT_FOUND, message, path=str(path)) from error
    except OSError as error:
        raise _bad(path, f"it cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise _bad(path, f"it is not JSON: {error}") from error
    if not isinstance(entries, list) or not entries:
        raise _bad(path, 'it must be a list of {"setting", "scenario"}')
    return tuple(_case(path, at, entry) for at, entry in enumerate(entries))


def _case(path: Path, at: int, entry: Any) -> CaseName:
    found = [entry.get(key) for key in CaseName._fields] if isinstance(entry, dict) else []
    texts = [value for value in found if isinstance(value, str) and value]
    if len(texts) != len(CaseName._fields):
        raise _bad(path, f'entry {at} must be an object with the texts "setting" and "scenario"')
    return CaseName(*texts)


def _bad(path: Path, problem: str) -> BandError:
    message = f"cases file {path}: {problem}"
    return BandError(ErrorCode.INVALID_CONFIG, message, path=str(path))
