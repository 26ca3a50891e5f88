"""Decision replay of a recorded inbox: does a fresh core decide as the recorded one did?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from band.errors import BandError, ErrorCode
from band.scheduler.commands import Command
from band.scheduler.events import Event
from band.scheduler.loader import make_policy
from band.sim.decisions import Difference, compare_decisions
from band.trace.inbox import Inbox


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionReplay:
    """What a decision replay found.

    Attributes:
        events: how many events led to the recorded commands.
        difference: the first that did not, None if there is none.
        line: of that event in the inbox.
    """

    events: int
    difference: Difference | None
    line: int


def replay_decisions(inbox: Inbox, *, policy_dirs: Sequence[Path] = ()) -> DecisionReplay:
    """Feed the events of an inbox to a fresh core and compare its commands with the recorded ones.

    Args:
        inbox: the record.
        policy_dirs: folders where its policies are looked for before the shipped ones.

    Raises:
        BandError: INVALID_TRACE if the inbox is malformed or empty; INVALID_CONFIG if a policy it
            names is not the one recorded.
    """
    line = 0

    def calls() -> Iterator[tuple[int, Event, tuple[Command, ...]]]:
        nonlocal line
        for entry in inbox:
            line = entry.line
            yield entry.now_us, entry.event, entry.commands

    found = compare_decisions(
        calls(),
        make_policy=partial(make_policy, policy_dirs=tuple(policy_dirs)),
        options=inbox.options,
    )
    if not found.events:
        raise BandError(ErrorCode.INVALID_TRACE, f"{inbox.path} records no event")
    equal = found.events if found.difference is None else found.difference.number
    return DecisionReplay(events=equal, difference=found.difference, line=line)
