"""The kernel on tables small enough to check by hand."""

from collections.abc import Sequence

import pytest

from band.plan.best import BestPlan
from band.plan.hops import DOWN_US
from band.plan.kernel import Kernel
from band.plan.table import PlanTable
from band.testing.oracles import PortModel, Ties, shortest_plan
from band.testing.tables import make_table, whole

# Unit 1 runs on the CPU only: the example of the original's shortest plan.
VECTOR = make_table(
    "vector",
    {
        "cpu": {(0, 0): 10, (1, 1): 5, (2, 2): 10, (0, 1): 14, (1, 2): 14, (0, 2): 22},
        "gpu": {(0, 0): 3, (2, 2): 4},
    },
    processors=("cpu", "gpu"),
)
SPLIT = [("gpu", 0, 0), ("cpu", 1, 1), ("gpu", 2, 2)]
WHOLE = [("cpu", 0, 2)]


def _first(kernel: Kernel, unit: int, waits: Sequence[int], holder: int = -1) -> tuple[int, ...]:
    """Return latency, processor, last unit and end of the first step, and what it depends on."""
    found = kernel.best(unit, waits, holder)
    assert found is not None
    return found.latency_us, found.span.processor, found.span.last, found.finish_us, found.touches


def _steps(table: PlanTable, plan: BestPlan | None) -> list[tuple[str, int, int]]:
    assert plan is not None
    return [(table.processors[s.span.processor], s.span.first, s.span.last) for s in plan.steps]


@pytest.mark.parametrize(("waits", "steps", "latency"), [((0, 0), SPLIT, 12), ((0, 20), WHOLE, 22)])
def test_the_kernel_gives_bands_vectors(
    waits: tuple[int, int], steps: list[tuple[str, int, int]], latency: int
) -> None:
    plan = Kernel(VECTOR).plan(0, waits)
    assert _steps(VECTOR, plan) == steps
    assert plan is not None
    assert plan.latency_us == latency == plan.steps[-1].finish_us


@pytest.mark.parametrize(("waits", "steps", "latency"), [((0, 0), SPLIT, 12), ((0, 20), WHOLE, 22)])
@pytest.mark.parametrize("ties", list(Ties))
def test_the_port_gives_bands_vectors_under_either_rule_of_ties(
    waits: tuple[int, int], steps: list[tuple[str, int, int]], latency: int, ties: Ties
) -> None:
    found = shortest_plan(PortModel.of(VECTOR), 0, dict(enumerate(waits)), ties)
    assert found is not None
    assert [(VECTOR.processors[k.worker], k.first, k.last) for k in found.keys] == steps
    assert found.latency_us == latency


def test_bands_rule_of_ties_takes_the_shorter_last_piece_and_the_last_worker() -> None:
    # One piece or two take 10 either way, on either processor.
    equal = {(0, 0): 5, (1, 1): 5, (0, 1): 10}
    table = make_table("equal", {"cpu": equal, "gpu": equal}, processors=("cpu", "gpu"))
    model, idle = PortModel.of(table), {0: 0, 1: 0}
    band = shortest_plan(model, 0, idle, Ties.BAND)
    assert band is not None
    assert [(k.worker, k.first, k.last) for k in band.keys] == [(1, 0, 0), (1, 1, 1)]
    ours = shortest_plan(model, 0, idle, Ties.TOTAL)
    assert ours is not None
    assert [(k.worker, k.first, k.last) for k in ours.keys] == [(0, 0, 1)]
    assert _steps(table, Kernel(table).plan(0, (0, 0))) == [("cpu", 0, 1)]


def test_among_equal_plans_of_one_length_the_first_processor_and_the_earlier_end_win() -> None:
    table = make_table(
        "equal",
        {
            "cpu": {(0, 0): 6, (0, 1): 7, (1, 2): 4, (2, 2): 3},
            "gpu": {(0, 0): 6, (1, 2): 4},
        },
        processors=("cpu", "gpu"),
    )
    assert _steps(table, Kernel(table).plan(0, (0, 0))) == [("cpu", 0, 0), ("cpu", 1, 2)]


def test_among_equal_plans_the_processor_counts_before_the_end_unit() -> None:
    table = make_table(
        "equal",
        {"cpu": {(0, 1): 6}, "gpu": {(0, 0): 6}, "npu": {(1, 2): 4, (2, 2): 4}},
        processors=("cpu", "gpu", "npu"),
    )
    assert _steps(table, Kernel(table).plan(0, (0, 0, 0))) == [("cpu", 0, 1), ("npu", 2, 2)]


def test_a_step_waits_for_its_processor_and_for_the_step_before() -> None:
    plan = Kernel(VECTOR).plan(0, (7, 0))
    assert plan is not None
    assert [(s.start_us, s.finish_us) for s in plan.steps] == [(0, 3), (7, 12), (12, 16)]


def test_finished_units_are_not_planned_again() -> None:
    assert _steps(VECTOR, Kernel(VECTOR).plan(1, (0, 0))) == SPLIT[1:]
    assert _first(Kernel(VECTOR), 2, (0, 0)) == (4, 1, 2, 4, 0b10)


def test_the_hot_form_tells_the_first_step_and_all_processors_used() -> None:
    assert _first(Kernel(VECTOR), 0, (0, 0)) == (12, 1, 0, 3, 0b11)
    assert _first(Kernel(VECTOR), 0, (0, 20)) == (22, 0, 2, 22, 0b01)


def test_a_processor_that_is_down_is_never_chosen() -> None:
    kernel = Kernel(VECTOR)
    assert _steps(VECTOR, kernel.plan(0, (0, DOWN_US))) == WHOLE
    assert kernel.plan(0, (DOWN_US, 0)) is None
    assert kernel.best(0, (DOWN_US, DOWN_US)) is None
    assert _steps(VECTOR, kernel.plan(2, (DOWN_US, 5_000))) == [("gpu", 2, 2)]


def test_a_wait_added_to_a_processor_that_is_down_leaves_it_down() -> None:
    assert Kernel(whole("m", cpu=10)).best(0, (DOWN_US + 400, 0, 0, 0)) is None


def test_a_pinned_job_uses_its_processor_alone() -> None:
    kernel = Kernel(VECTOR)
    assert _steps(VECTOR, kernel.plan(0, (9_000, 0), only_processor=0)) == WHOLE
    assert kernel.plan(0, (0, 0), only_processor=1) is None
    assert _steps(VECTOR, kernel.plan(2, (0, 50), only_processor=1)) == [("gpu", 2, 2)]
    assert kernel.plan(2, (0, DOWN_US), only_processor=1) is None


def test_units_that_no_span_covers_make_a_job_impossible() -> None:
    table = make_table("gap", {"cpu": {(0, 0): 1, (2, 2): 1}}, processors=("cpu",))
    kernel = Kernel(table)
    assert kernel.best(0, (0,)) is None
    assert kernel.plan(1, (0,)) is None
    assert _first(kernel, 2, (0,)) == (1, 0, 2, 1, 1)


def _with_moves(move_us: int) -> PlanTable:
    return make_table(
        "moves",
        {"cpu": {(0, 0): 10, (1, 1): 10, (0, 1): 18}, "gpu": {(0, 0): 4, (1, 1): 30}},
        processors=("cpu", "gpu"),
        move_us=move_us,
    )


@pytest.mark.parametrize(
    ("move_us", "steps", "latency"),
    [(3, [("gpu", 0, 0), ("cpu", 1, 1)], 17), (5, [("cpu", 0, 1)], 18)],
)
def test_a_split_must_earn_its_transfer(
    move_us: int, steps: list[tuple[str, int, int]], latency: int
) -> None:
    table = _with_moves(move_us)
    plan = Kernel(table).plan(0, (0, 0))
    assert _steps(table, plan) == steps
    assert plan is not None
    assert plan.latency_us == latency


def test_data_travels_while_its_processor_is_still_busy() -> None:
    table = _with_moves(3)
    plan = Kernel(table).plan(0, (9, 0))
    assert plan is not None
    assert [(s.start_us, s.finish_us) for s in plan.steps] == [(0, 4), (9, 19)]


def test_the_holder_of_the_data_is_asked_first() -> None:
    table = make_table(
        "holder",
        {"cpu": {(0, 0): 10, (1, 1): 10}, "gpu": {(0, 0): 10, (1, 1): 9}},
        processors=("cpu", "gpu"),
        move_us=5,
    )
    kernel = Kernel(table)
    assert _first(kernel, 1, (0, 0), 0) == (10, 0, 1, 10, 0b01)
    assert _first(kernel, 1, (0, 0), 1) == (9, 1, 1, 9, 0b10)
    assert _first(kernel, 1, (0, 0)) == (9, 1, 1, 9, 0b10)


def test_k_best_gives_distinct_plans_best_first() -> None:
    found = Kernel(VECTOR).k_best(10)
    assert [plan.latency_us for plan in found] == sorted(plan.latency_us for plan in found)
    chains = [tuple(_steps(VECTOR, plan)) for plan in found]
    assert len(set(chains)) == len(chains)
    assert list(chains[0]) == SPLIT
    assert tuple(WHOLE) in chains


def test_k_best_leaves_out_plans_that_only_cut_one_processors_span() -> None:
    table = make_table("cuts", {"cpu": {(0, 0): 5, (1, 1): 5, (0, 1): 9}}, processors=("cpu",))
    assert [_steps(table, plan) for plan in Kernel(table).k_best(3)] == [[("cpu", 0, 1)]]


def test_k_best_keeps_a_cut_that_is_cheaper_than_the_whole() -> None:
    table = make_table("cuts", {"cpu": {(0, 0): 4, (1, 1): 4, (0, 1): 9}}, processors=("cpu",))
    lengths = [len(plan.steps) for plan in Kernel(table).k_best(3)]
    assert lengths == [2, 1]


def test_k_best_of_a_table_that_cannot_finish_is_empty() -> None:
    table = make_table("gap", {"cpu": {(0, 0): 1, (2, 2): 1}}, processors=("cpu",))
    assert Kernel(table).k_best(3) == ()


def test_many_sets_of_waiting_processors_do_not_change_answers() -> None:
    names = tuple(f"cpu{i}" for i in range(10))
    table = make_table(
        "wide", {name: {(0, 0): 100 + i} for i, name in enumerate(names)}, processors=names
    )
    kernel = Kernel(table)
    for free in range(1, 1 << 10):
        waits = [0 if free >> p & 1 else 1_000 for p in range(10)]
        first = (free & -free).bit_length() - 1
        assert _first(kernel, 0, waits)[:3] == (100 + first, first, 0)
