"""Decision replay: feeds a recorded inbox to a fresh core and compares what it commands.

The core is deterministic, so a record of a live run gives the identical commands, however long
ago and on whatever machine it was made. A difference means that the code has changed.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from band.errors import BandError
from band.scheduler.commands import Command
from band.scheduler.core import Core
from band.scheduler.events import Event, PolicySwapped
from band.scheduler.options import CoreOptions
from band.scheduler.policy import Policy


class Difference(NamedTuple):
    """The first event at which a fresh core commands something else than was recorded.

    Attributes:
        number: position of the event in the record, from 0.
        place: position of the first differing command among the event's commands.
        recorded, replayed: the commands there; None if that side has no more.
    """

    number: int
    now_us: int
    event: Event
    place: int
    recorded: Command | None
    replayed: Command | None


class Comparison(NamedTuple):
    """What a decision replay found.

    Attributes:
        events: number of events fed, up to the first difference.
        commands: number of commands compared and equal.
        difference: None if all is identical.
    """

    events: int
    commands: int
    difference: Difference | None


def compare_decisions(
    record: Iterable[tuple[int, Event, Sequence[Command]]],
    *,
    make_policy: Callable[[PolicySwapped], Policy],
    options: CoreOptions | None = None,
) -> Comparison:
    """Feed a record to a fresh core until it differs or ends.

    Args:
        record: (now_us, event, commands) of every call of ``Core.handle``, in order.
        make_policy: makes the policies that the record names.
        options: settings of the core that was recorded.

    Raises:
        BandError: a recorded policy is not there any more, or is not the same file.
    """
    loading = _Loading(make_policy)
    core = Core(make_policy=loading, options=options)
    events = equal = 0
    for number, (now_us, event, recorded) in enumerate(record):
        replayed = core.handle(event, now_us)
        if loading.error is not None:
            raise loading.error
        events += 1
        place = _first_difference(recorded, replayed)
        if place is not None:
            difference = Difference(
                number, now_us, event, place, _at(recorded, place), _at(replayed, place)
            )
            return Comparison(events, equal + place, difference)
        equal += len(replayed)
    return Comparison(events, equal, None)


class _Loading:
    """Makes policies, and keeps the error if one that was recorded cannot be made.

    The core would replace it by the default policy and go on; a replay must say so instead.
    """

    def __init__(self, make_policy: Callable[[PolicySwapped], Policy]) -> None:
        self._make_policy = make_policy
        self.error: BandError | None = None

    def __call__(self, event: PolicySwapped) -> Policy:
        try:
            return self._make_policy(event)
        except BandError as error:
            if event.sha256:  # it could be loaded when the record was made
                self.error = error
            raise


def _first_difference(recorded: Sequence[Command], replayed: Sequence[Command]) -> int | None:
    for place in range(max(len(recorded), len(replayed))):
        ours, theirs = _at(replayed, place), _at(recorded, place)
        if type(ours) is not type(theirs) or ours != theirs:
            return place
    return None


def _at(commands: Sequence[Command], place: int) -> Command | None:
    return commands[place] if place < len(commands) else None
