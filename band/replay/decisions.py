"""Decision replay: feeds a recorded inbox to a fresh core and compares what it decides.

Because the core is a pure function of its inbox, any difference means that the code or the policy
changed since the recording, or that the file was edited.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from band.errors import BandError, ErrorCode
from band.scheduler.commands import Command
from band.scheduler.core import Core
from band.scheduler.events import Event, PolicySwapped
from band.scheduler.loader import make_policy
from band.trace.inbox import Inbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The first event that led to other commands than recorded.

    Attributes:
        line: of the event in the inbox.
        recorded: the commands in the file.
        now: the commands of the fresh core.
    """

    line: int
    at_us: int
    event: Event
    recorded: tuple[Command, ...]
    now: tuple[Command, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionReplay:
    """What a decision replay found: how many events agreed, and the first that did not."""

    events: int
    difference: Difference | None


def replay_decisions(inbox: Inbox, *, policy_dirs: Sequence[Path] = ()) -> DecisionReplay:
    """Return whether a fresh core decides as recorded.

    Args:
        inbox: the record.
        policy_dirs: folders where its policies are looked for before the shipped one.

    Raises:
        BandError: the inbox is malformed or empty, or a policy it names is not the one recorded.
    """
    make = partial(make_policy, policy_dirs=tuple(policy_dirs))
    core = Core(make_policy=make, options=inbox.options)
    count = 0
    for entry in inbox:
        if isinstance(entry.event, PolicySwapped):
            make(entry.event)  # a clear error here, where the core would fall back to its default
        commands = tuple(core.handle(entry.event, entry.now_us))
        if commands != entry.commands:
            difference = Difference(
                line=entry.line,
                at_us=entry.now_us,
                event=entry.event,
                recorded=entry.commands,
                now=commands,
            )
            return DecisionReplay(events=count, difference=difference)
        count += 1
    if not count:
        raise BandError(ErrorCode.INVALID_TRACE, f"{inbox.path} records no event")
    return DecisionReplay(events=count, difference=None)
