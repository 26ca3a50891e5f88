"""Decision replay: a fresh core commands what was recorded, and any change is found."""

from collections.abc import Sequence

import pytest

from band.errors import BandError
from band.scheduler.codec import command_from_json, command_to_json, event_from_json, event_to_json
from band.scheduler.commands import Command, Finish, JobOutcome
from band.scheduler.events import Event, ModelAdded, PolicySwapped, RequestArrived, TaskFinished
from band.scheduler.loader import make_policy, policy_swapped
from band.scheduler.options import CoreOptions
from band.sim.decisions import compare_decisions
from band.sim.simulator import simulate
from band.testing.arrivals import periodic
from band.testing.tables import make_device, make_table, whole

Record = list[tuple[int, Event, list[Command]]]


class Keep:
    def __init__(self) -> None:
        self.record_: Record = []

    def record(self, now_us: int, event: Event, commands: Sequence[Command]) -> None:
        self.record_.append((now_us, event, list(commands)))


@pytest.fixture(scope="module")
def record() -> Record:
    """Return the record of a noisy, overloaded run: the estimator swaps tables in it."""
    keep = Keep()
    split = make_table(
        "split", {"cpu": {(0, 0): 500, (1, 1): 300}, "gpu": {(0, 0): 200, (1, 1): 700}}, move_us=20
    )
    simulate(
        device=make_device(noise_sigma=0.4),
        models=[ModelAdded(split), ModelAdded(whole("m", cpu=400, gpu=300, dsp=900))],
        policy=policy_swapped("least_slack_first"),
        make_policy=make_policy,
        source=periodic({"split": 900.0, "m": 1500.0}, 0.2, slo_us=4000),
        options=CoreOptions(default_priority=5),
        seed=3,
        recorder=keep,
    )
    return keep.record_


OPTIONS = CoreOptions(default_priority=5)


def test_a_fresh_core_commands_the_same(record: Record) -> None:
    found = compare_decisions(record, make_policy=make_policy, options=OPTIONS)
    assert found.difference is None
    assert found.events == len(record) > 900
    assert found.commands == sum(len(commands) for _, _, commands in record) > 900


def test_the_record_survives_json(record: Record) -> None:
    back = [
        (
            now_us,
            event_from_json(event_to_json(event)),
            [command_from_json(command_to_json(command)) for command in commands],
        )
        for now_us, event, commands in record
    ]
    assert back == record
    assert compare_decisions(back, make_policy=make_policy, options=OPTIONS).difference is None


def test_a_changed_event_is_found_at_the_first_command_it_changes(record: Record) -> None:
    place = next(n for n, (_, e, _) in enumerate(record) if isinstance(e, TaskFinished)) + 200
    place = next(n for n in range(place, len(record)) if record[n][2])
    changed = list(record)
    now_us, _, commands = record[place]
    changed[place] = (now_us, RequestArrived(10**6, "nowhere"), commands)
    found = compare_decisions(changed, make_policy=make_policy, options=OPTIONS).difference
    assert found is not None
    assert (found.number, found.now_us, found.place) == (place, now_us, 0)
    assert found.recorded == commands[0]
    assert isinstance(found.replayed, Finish)


def test_commands_that_one_side_lacks_are_found(record: Record) -> None:
    place = next(n for n, (_, _, commands) in enumerate(record) if commands)
    now_us, event, commands = record[place]
    extra = Finish(7, JobOutcome.COMPLETED)
    longer = [*record[:place], (now_us, event, [*commands, extra])]
    found = compare_decisions(longer, make_policy=make_policy, options=OPTIONS).difference
    assert found is not None
    assert (found.place, found.recorded, found.replayed) == (len(commands), extra, None)
    shorter: Record = [*record[:place], (now_us, event, [])]
    found = compare_decisions(shorter, make_policy=make_policy, options=OPTIONS).difference
    assert found is not None
    assert (found.place, found.recorded, found.replayed) == (0, None, commands[0])


def test_a_policy_that_is_not_the_recorded_file_is_an_error(record: Record) -> None:
    now_us, event, commands = record[0]
    assert isinstance(event, PolicySwapped)
    other = [(now_us, event._replace(sha256="0" * 64), commands), *record[1:]]
    with pytest.raises(BandError, match="is not the one recorded"):
        compare_decisions(other, make_policy=make_policy, options=OPTIONS)


def test_a_policy_that_could_not_be_made_then_is_replaced_again() -> None:
    record: Record = [(0, PolicySwapped("no_such_policy", ""), [])]
    assert compare_decisions(record, make_policy=make_policy).difference is None
