"""Jobs alike in one group: the same answers as job by job, with fewer questions."""

from band.plan.table import PlanTable
from band.scheduler.groups import Group, Line, start_alone
from band.scheduler.policy import Dispatch
from band.testing.fixed_view import FixedView, make_job
from band.testing.tables import make_table, whole

LONG, SHORT = whole("long", cpu=30, gpu=20), whole("short", cpu=10)
TABLES = [LONG, SHORT]


def line_of(*models: str, waits_us: tuple[int, ...] = (0, 0, 0, 0)) -> tuple[Line, FixedView]:
    jobs = [make_job(number, model) for number, model in enumerate(models)]
    view = FixedView(TABLES, jobs, waits_us=waits_us)
    return Line(view), view


def longest(line: Line, *, idle_only: bool = False) -> Group:
    found = line.longest(line.groups, idle_only=idle_only)
    assert found is not None
    return found


def test_jobs_of_one_model_and_state_are_one_group_and_cost_one_search() -> None:
    line, view = line_of("long", "short", "long", "long")
    assert [group.places for group in line.groups] == [[0, 2, 3], [1]]
    for _ in range(3):
        longest(line)
    assert view.searches == 2


def test_what_tells_jobs_apart_tells_groups_apart() -> None:
    table = make_table("m", {"cpu": {(0, 0): 1, (1, 1): 1, (0, 1): 2}})
    jobs = [
        make_job(0),
        make_job(1, priority=1),
        make_job(2, finished=1, holder=0),
        make_job(3, finished=1, holder=1),
        make_job(4, processor=0),
        make_job(5, deadline_us=9),
        make_job(6)._replace(app="other"),
    ]
    line = Line(FixedView([table], jobs))
    assert [group.places for group in line.groups] == [[0, 5], [1], [2], [3], [4], [6]]


def test_the_groups_of_a_class_come_together() -> None:
    jobs = [make_job(0, "long", priority=1), make_job(1, "short"), make_job(2, "long")]
    classes = list(Line(FixedView(TABLES, jobs)).classes())
    assert [[group.places for group in groups] for groups in classes] == [[[0]], [[1], [2]]]


def test_the_longest_plan_wins_and_on_a_tie_the_first_job() -> None:
    line, _ = line_of("short", "long", "long")
    assert longest(line).places == [1, 2]
    twins: list[PlanTable] = [whole("a", cpu=5), whole("b", gpu=5)]
    line = Line(FixedView(twins, [make_job(0, "b"), make_job(1, "a"), make_job(2, "b")]))
    group = longest(line)
    assert group.places[0] == 0
    assert group.step is not None
    line.start(group, group.step)
    assert longest(line, idle_only=True).places == [1]


def test_only_plans_that_start_on_an_idle_processor_count_if_asked_to() -> None:
    line, _ = line_of("long", "short", waits_us=(0, 4, 0, 0))
    assert longest(line).places == [0]
    assert longest(line, idle_only=True).places == [1]


def test_a_wait_that_rises_is_asked_about_only_where_a_plan_depends_on_it() -> None:
    line, view = line_of("long", "short")
    longest(line)
    assert view.searches == 2
    line.raise_wait(1, 5)
    long, short = line.groups
    assert long.step is None
    assert short.step is not None
    longest(line)
    assert view.searches == 3


def test_a_started_job_leaves_the_line_and_its_processor_is_busy() -> None:
    line, _ = line_of("long", "short", "long")
    group = longest(line)
    assert group.step is not None
    task = line.start(group, group.step, 2)
    assert (task.jobs, task.processor) == ((2,), 1)
    assert line.waits == [0, 20, 0, 0]
    assert group.places == [0]


def test_jobs_that_are_passed_over_are_those_before_the_chosen_one() -> None:
    line, _ = line_of("long", "short", "long", waits_us=(0, 4, 0, 0))
    chosen = longest(line, idle_only=True)
    line.pass_over(line.groups, chosen)
    assert [group.places for group in line.groups] == [[], [1]]


def test_what_is_tried_in_a_copy_leaves_the_line_as_it_is() -> None:
    line, _ = line_of("long", "short", "long")
    longest(line)
    copy = line.what_if()
    group = longest(copy)
    assert group.step is not None
    copy.start(group, group.step)
    assert [g.places for g in line.groups] == [[0, 2], [1]]
    assert line.waits == [0, 0, 0, 0]
    assert all(g.step is not None for g in line.groups)


def test_a_group_that_cannot_run_is_left_out() -> None:
    jobs = [make_job(0, "short", processor=3), make_job(1, "short")]
    line = Line(FixedView(TABLES, jobs))
    assert longest(line).places == [1]
    assert line.groups[0].places == []
    assert line.step(line.groups[0]) is None


def test_a_lone_job_starts_if_its_processor_is_idle() -> None:
    view = FixedView(TABLES, [make_job(0, "short")])
    (decision,) = start_alone(view, view.window[0])
    assert isinstance(decision, Dispatch)
    assert [(task.jobs, task.processor) for task in decision.tasks] == [((0,), 0)]
    assert start_alone(view.showing(view.window, (7, 0, 0, 0)), view.window[0]) == ()
    nowhere = make_job(1, "short", processor=3)
    assert start_alone(view.showing([nowhere], (0, 0, 0, 0)), nowhere) == ()
