"""prema, planaria_lite, dysta and dream: hand-computed scores."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from band.plan.table import PlanTable
from band.scheduler.loader import make_policy, policy_swapped
from band.scheduler.policy import Decision, Dispatch, Drop
from band.scheduler.view import JobView
from band.testing.fixed_view import FixedView, make_job
from band.testing.tables import make_table, whole


def plan(policy: str, view: FixedView, **params: object) -> Sequence[Decision]:
    return make_policy(policy_swapped(policy, params)).plan(view)


def dispatched(decisions: Sequence[Decision]) -> list[tuple[int, int]]:
    specs = [s for d in decisions if isinstance(d, Dispatch) for s in d.tasks]
    return [(spec.jobs[0], spec.processor) for spec in specs]


def first(policy: str, view: FixedView, **params: object) -> int:
    """Return the job that gets the only processor."""
    ((job, _),) = dispatched(plan(policy, view, **params))
    return job


def arrived(job: JobView, at_us: int) -> JobView:
    return job._replace(arrived_us=at_us)


@pytest.mark.parametrize(("short_came_us", "expected"), [(20, 1), (21, 0)])
def test_prema_lets_the_short_job_pass_once_its_tokens_reach_the_threshold(
    short_came_us: int, expected: int
) -> None:
    """At 100: class 2 has 9 tokens at once; class 9 has 1 x (1 + wait / 10), 9 after 80 us."""
    long = arrived(make_job(0, "long", priority=2), 100)
    short = arrived(make_job(1, "short", priority=9), short_came_us)
    tables = [whole("long", cpu=50), whole("short", cpu=10)]
    assert first("prema", FixedView(tables, [long, short], now_us=100)) == expected


def test_prema_counts_waiting_without_what_is_done() -> None:
    """Half of its 10 us are done: 85 - 5 us of waiting make 9 tokens, 84 - 5 do not."""
    tables = [
        whole("long", cpu=50),
        make_table("half", {"cpu": {(0, 0): 5, (1, 1): 5, (0, 1): 10}}),
    ]
    for came_us, expected in ((15, 1), (16, 0)):
        half = arrived(make_job(1, "half", priority=9, finished=1, holder=0), came_us)
        long = arrived(make_job(0, "long", priority=2), 100)
        assert first("prema", FixedView(tables, [long, half], now_us=100)) == expected


def test_prema_levels_are_parameters() -> None:
    jobs = [make_job(0, "long", priority=3), make_job(1, "short", priority=6)]
    view = FixedView([whole("long", cpu=50), whole("short", cpu=10)], jobs)
    assert first("prema", view) == 0
    assert first("prema", view, high=6) == 1


def test_planaria_divides_by_slack_and_processor_time() -> None:
    """Job 0: 1 / (8 x 90 x 10) = 1/7200; job 1: 1 / (8 x 30 x 20) = 1/4800; class 4: 1/3600."""
    tables = [whole("m", cpu=10), whole("n", cpu=20)]
    urgent = make_job(1, "n", deadline_us=50)
    plain = make_job(0, "m", deadline_us=100)
    assert first("planaria_lite", FixedView(tables, [plain, urgent])) == 1
    classy = plain._replace(priority=4)
    assert first("planaria_lite", FixedView(tables, [classy, urgent])) == 0


def test_planaria_takes_a_job_without_deadline_as_due_after_a_while() -> None:
    """Due in 60 us it is 1 / (50 x 10), more than 1 / (30 x 20); due in 1 s it is less."""
    tables = [whole("m", cpu=10), whole("n", cpu=20)]
    view = FixedView(tables, [make_job(0, "m"), make_job(1, "n", deadline_us=50)])
    assert first("planaria_lite", view) == 1
    assert first("planaria_lite", view, no_deadline_us=60) == 0


def test_dysta_adds_a_hundredth_of_the_spare_time() -> None:
    """10 + 0.01 x 90 = 10.9 against 10.5 + 0.01 x 29.5 = 10.795 ms; without beta 10 < 10.5."""
    tables = [whole("a", cpu=10_000), whole("b", cpu=10_500)]
    jobs = [make_job(0, "a", deadline_us=100_000), make_job(1, "b", deadline_us=40_000)]
    view = FixedView(tables, jobs)
    assert first("dysta", view) == 1
    assert first("dysta", view, beta=0.0) == 0


def test_dysta_counts_the_wait_by_length_and_queue() -> None:
    """Equal jobs: the fresh one has 10 + 0.5 x 90, the old one 0.5 x 40 / (10 x 2) more."""
    view = FixedView(
        [whole("a", cpu=10_000)],
        [make_job(0, "a", deadline_us=140_000), arrived(make_job(1, "a"), 40_000)],
        now_us=40_000,
    )
    assert first("dysta", view, no_deadline_us=100_000, beta=0.5) == 1
    assert first("dysta", view, no_deadline_us=102_001, beta=0.5) == 0


def test_dream_weighs_urgency_against_starvation() -> None:
    """At 10: job 0 has waited 10 of its 10 us (1.0); job 1 needs 20 of the 30 it has (0.667)."""
    tables = [whole("m", cpu=10), whole("n", cpu=20)]
    fresh = arrived(make_job(1, "n", deadline_us=40), 10)
    view = FixedView(tables, [make_job(0, "m"), fresh], now_us=10)
    assert first("dream", view) == 0
    assert first("dream", view, alpha=0.5) == 1


def test_dream_prefers_the_processor_that_suits_an_urgent_job() -> None:
    """Urgency 10/40: 0.25 x 20/10 on the cpu, 0.25 x 20/30 on the gpu."""
    table = whole("m", cpu=10, gpu=30)
    view = FixedView([table], [make_job(0, deadline_us=40)])
    assert dispatched(plan("dream", view)) == [(0, 0)]
    busy = FixedView([table], [make_job(0, deadline_us=40)], waits_us=[5, 0, 0, 0])
    assert dispatched(plan("dream", busy)) == [(0, 1)], "only idle processors compete"


def energies(table: PlanTable, *energy_uj: int) -> PlanTable:
    spans = (s._replace(energy_uj=e) for s, e in zip(table.spans, energy_uj, strict=True))
    return replace(table, spans=tuple(spans))


def test_dream_saves_energy_where_it_is_known() -> None:
    """Mean 250 uJ: 0.625 on the cpu, 2.5 on the gpu; unknown or weightless, the lower index."""
    table = whole("m", cpu=10, gpu=20)
    view = FixedView([energies(table, 400, 100)], [make_job(0)])
    assert dispatched(plan("dream", view)) == [(0, 1)]
    assert dispatched(plan("dream", view, beta=0.0)) == [(0, 0)]
    unknown = FixedView([energies(table, 400, 0)], [make_job(0)])
    assert dispatched(plan("dream", unknown)) == [(0, 0)]


def test_dream_drops_hopeless_frames_within_the_limit_of_their_model() -> None:
    jobs = [make_job(n, deadline_us=9) for n in range(4)]
    view = FixedView([whole("m", cpu=10)], jobs)
    policy = make_policy(policy_swapped("dream", {"drop_history": 4}))
    decisions = policy.plan(view)
    assert [d.job for d in decisions if isinstance(d, Drop)] == [0, 1]
    assert dispatched(decisions) == [(2, 0)]
    busy = FixedView([whole("m", cpu=10)], jobs[3:], waits_us=[5])
    assert list(policy.plan(busy)) == [], "2 of the last 3 are dropped"
    assert policy.statistics() == {"dropped": 2}  # type: ignore[attr-defined]
    assert not [d for d in plan("dream", view, drop=False) if isinstance(d, Drop)]


def test_dream_bears_drops_again_once_others_have_begun() -> None:
    table = whole("m", cpu=10)
    policy = make_policy(policy_swapped("dream", {"drop_limit": 1, "drop_history": 2}))
    late = [make_job(n, deadline_us=9) for n in range(9)]
    fates = []
    for number in range(9):
        (decision,) = policy.plan(FixedView([table], [late[number]]))
        fates.append(isinstance(decision, Drop))
    assert fates == [True, False, False, True, False, False, True, False, False]
