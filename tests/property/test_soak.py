"""Random events on every policy file there is: no job lost, none run twice, memory flat.

`make slow` sends 20,000 events to each policy, `make soak` 1,000,000.
"""

from pathlib import Path

import pytest

from band.scheduler.commands import Command, Finish, JobOutcome
from band.scheduler.core import Core
from band.scheduler.events import Event
from band.scheduler.loader import list_policies, policy_swapped
from band.scheduler.policy_source import PolicySource
from band.testing.policy_files import write_policy
from band.testing.shipped import quick
from band.testing.soak import Soak
from band.units import BYTES_PER_MIB

SOURCES = list_policies()
NAMES = [source.name for source in SOURCES]
KEEP = """
from band.scheduler.loader import make_policy, policy_swapped
self.seen = {}
self.inner = make_policy(policy_swapped("shortest_expected_latency"))
"""
LEAK = """
self.seen.update({job.job: [job] for job in view.window})
return self.inner.plan(view)
"""


def soak(source: PolicySource, others: tuple[str, ...], events: int, *, seed: int) -> None:
    swaps = tuple(quick(other) for other in SOURCES if other.name in others)
    driver = Soak(quick(source), swaps, seed=seed)
    driver.run(events // 4)
    objects, resident = driver.objects(), resident_bytes()
    driver.run(events // 2, swaps=False)
    assert driver.objects() - objects < 5_000, "something is kept of what has ended"
    assert resident_bytes() - resident < 16 * BYTES_PER_MIB
    driver.run(events // 4)
    driver.drain()
    books = driver.books
    assert books.events >= events
    assert books.ended[JobOutcome.COMPLETED] > books.sent / 10
    assert set(books.ended) == set(JobOutcome)


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def test_random_events_break_nothing() -> None:
    driver = Soak(policy_swapped("least_slack_first"), seed=3)
    driver.run(2_000)
    driver.drain()
    assert driver.books.sent == sum(driver.books.ended.values()) > 500


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("source", SOURCES, ids=NAMES)
def test_20_000_random_events_break_nothing(source: PolicySource) -> None:
    soak(source, ("heft", "round_robin"), 20_000, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("source", SOURCES, ids=NAMES)
def test_a_million_random_events_break_nothing(source: PolicySource) -> None:
    soak(source, tuple(NAMES), 1_000_000, seed=2)


def test_a_policy_that_keeps_all_it_has_seen_is_found_out(tmp_path: Path) -> None:
    leaky = write_policy(tmp_path, "leaky", LEAK, init=KEEP)
    driver = Soak(policy_swapped(str(leaky)), seed=1)
    before = driver.objects()
    driver.run(6_000, swaps=False)
    assert driver.objects() - before > 1_000


class Forgetful(Core):
    """Says that a job has ended, and later says so again; or never does."""

    def handle(self, event: Event, now_us: int) -> list[Command]:
        commands = super().handle(event, now_us)
        finished = [c for c in commands if isinstance(c, Finish)]
        return [*commands, *finished] if self.twice else [c for c in commands if c not in finished]

    twice = True


@pytest.mark.parametrize(("twice", "words"), [(True, "ended twice"), (False, "a job is lost")])
def test_a_core_that_ends_a_job_twice_or_never_is_found_out(
    twice: bool, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Forgetful, "twice", twice)
    monkeypatch.setattr("band.testing.soak.Core", Forgetful)
    with pytest.raises(AssertionError, match=words):
        Soak(policy_swapped("heft"), seed=1).run(500)
