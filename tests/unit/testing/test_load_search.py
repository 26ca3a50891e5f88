"""The search for the highest load counts as the records do; stopping early changes nothing."""

from pathlib import Path

import pytest
from load_search import Setting, deadline_limit, find_limits, highest, judge
from load_watch import QUEUE_LIMIT, Enough, Watch

from band.errors import BandError
from band.metrics.records import RequestRecord
from band.plan.on_time import least_time_us
from band.scheduler.commands import Finish, JobOutcome
from band.scheduler.events import ModelAdded, RequestArrived, Tick
from band.scheduler.loader import make_policy, policy_swapped
from band.sim.simulator import SimRun, simulate
from band.testing.policy_files import write_policy
from band.testing.tables import make_device
from band.testing.workloads import RATES_PER_S, workload
from band.units import US_PER_S

SEL = "shortest_expected_latency"
SETTING = Setting(SEL, 0, 1.5)
THIRD_US = 500_000


def played(percent: int) -> SimRun:
    load = workload(SETTING.seed)
    return simulate(
        device=make_device(),
        models=[ModelAdded(table) for table in load.tables],
        policy=policy_swapped(SEL),
        make_policy=make_policy,
        source=load.arrivals(percent / 100 * load.bound.scale, SETTING.seconds),
    )


def in_system_us(requests: tuple[RequestRecord, ...], first_us: int, last_us: int) -> int:
    """Return how long all requests together were in the system within an interval."""
    return sum(max(0, min(r.finished_us, last_us) - max(r.arrived_us, first_us)) for r in requests)


@pytest.mark.parametrize("percent", [40, 75])
def test_a_verdict_is_what_the_records_of_the_run_say(percent: int) -> None:
    verdict, run = judge(SETTING, workload(0), percent), played(percent)
    assert verdict.sent == len(run.requests)
    assert verdict.missed == sum(not r.on_time for r in run.requests)
    assert verdict.on_time is (verdict.missed * 100 <= verdict.sent)
    earlier, later = (in_system_us(run.requests, k * THIRD_US, (k + 1) * THIRD_US) for k in (1, 2))
    assert verdict.growth == pytest.approx(later / earlier)
    changes: list[tuple[int, int]] = []
    running = [(t.dispatched_us, t.finished_us) for t in run.tasks]
    for r in run.requests:
        changes += [(r.arrived_us, 1), (r.finished_us, -1)]
    waiting = max(
        sum(step for at_us, step in changes if at_us <= now_us)
        - sum(start <= now_us < end for start, end in running)
        for now_us in {r.arrived_us for r in run.requests if r.arrived_us < 400_000}
    )
    assert 0 < waiting <= verdict.longest_queue
    assert verdict.stable is (verdict.longest_queue <= QUEUE_LIMIT and later <= 1.1 * earlier)


def test_a_run_that_is_stopped_early_has_the_verdict_of_the_whole_run() -> None:
    load = workload(0)
    stopped, whole = judge(SETTING, load, 72, ["on_time"]), judge(SETTING, load, 72)
    assert stopped.on_time is whole.on_time is False
    assert stopped.stable is None
    assert stopped.missed < whole.missed


def test_overload_is_found_out_long_before_the_end() -> None:
    verdict = judge(SETTING, workload(0), 100)
    assert (verdict.on_time, verdict.stable) == (False, False)
    assert verdict.longest_queue == QUEUE_LIMIT + 1
    assert verdict.missed < verdict.sent / 2


def test_a_policy_that_sheds_its_load_is_not_called_stable() -> None:
    watch = Watch(sent=100, seconds=3.0)
    for number in range(2):
        watch.record(number, RequestArrived(number, "m"), [])
    watch.record(10, Tick(), [Finish(0, JobOutcome.DROPPED, "deadline_unreachable")])
    assert not watch.failed("stable")
    with pytest.raises(Enough):
        watch.record(11, Tick(), [Finish(1, JobOutcome.DROPPED, "deadline_unreachable")])
    assert watch.failed("stable")
    assert watch.failed("on_time")


def test_growth_counts_the_time_that_requests_spend_in_each_third() -> None:
    watch = Watch(sent=3, seconds=3.0)
    watch.record(1_500_000, RequestArrived(0, "m"), [])
    watch.record(2_500_000, RequestArrived(1, "m"), [])
    watch.record(4_000_000, Tick(), [Finish(0, JobOutcome.COMPLETED)])
    assert watch.growth() == pytest.approx(1.5 / 0.5)


@pytest.mark.parametrize("guess", [0, 1, 40, 50, 99, 100])
@pytest.mark.parametrize("limit", [0, 1, 39, 49, 50, 51, 99, 100])
def test_the_search_ends_where_the_next_percent_fails(limit: int, guess: int) -> None:
    asked: list[int] = []

    def passes(percent: int) -> bool:
        assert 1 <= percent <= 100
        asked.append(percent)
        return percent <= limit

    assert highest(passes, guess) == limit
    assert len(asked) == len(set(asked)) <= 14
    assert limit == 100 or limit + 1 in asked
    if guess == limit > 0:
        assert len(asked) <= 2


def test_what_a_file_holds_is_not_run_again(tmp_path: Path) -> None:
    setting, path = Setting(SEL, 1, 0.4), tmp_path / "load.jsonl"
    first = find_limits(setting, path)
    lines = path.read_text().splitlines()
    again = find_limits(setting, path)
    assert path.read_text().splitlines() == lines
    assert first == again
    assert first.runs == len(lines)
    assert 0 < first.on_time <= first.stable <= 100
    find_limits(Setting(SEL, 1, 0.2), path)
    assert len(path.read_text().splitlines()) > len(lines)


def test_the_limit_of_deadlines_is_where_a_model_needs_longer_than_its_period() -> None:
    load, percent = workload(0), deadline_limit(0, 0.2)
    assert 50 < percent < 100

    def too_slow(percent: int) -> bool:
        scale = percent / 100 * load.bound.scale
        return any(
            least_time_us(table) > US_PER_S / (RATES_PER_S[table.model] * scale)
            for table in load.tables
        )

    assert too_slow(percent + 1)
    assert not too_slow(percent)


def test_a_run_whose_policy_was_replaced_does_not_count(tmp_path: Path) -> None:
    path = write_policy(tmp_path, "broken", "return 1")
    with pytest.raises(BandError, match="had to replace policy"):
        judge(Setting(str(path), 0, 1.0), workload(0), 10)
