"""The kernel against the literal ports, ties included, on random tables and waits."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from band.plan.best import BestPlan
from band.plan.hops import DOWN_US
from band.plan.kernel import Kernel
from band.plan.table import PlanTable, Span, zero_transfers
from band.testing.oracles import (
    PortModel,
    PortPlan,
    shortest_plan,
    shortest_plan_with_transfers,
)

# Few distinct costs make ties common; they are where a fast kernel goes wrong.
COSTS = st.one_of(st.integers(1, 3), st.integers(1, 2_000))
WAITS = st.one_of(st.just(0), st.integers(0, 6), st.integers(0, 5_000), st.just(DOWN_US))


@st.composite
def tables(draw: st.DrawFn, *, transfers: bool, most_units: int = 6) -> PlanTable:
    unit_count = draw(st.integers(1, most_units))
    count = draw(st.integers(1, 4))
    spans = tuple(
        Span(first, last, processor, draw(COSTS))
        for first in range(unit_count)
        for last in range(first, unit_count)
        for processor in range(count)
        if draw(st.integers(0, 3))
    )
    moves = zero_transfers(unit_count, count)
    if transfers:
        inner = tuple(
            tuple(
                tuple(0 if a == b else draw(st.integers(0, 4)) for b in range(count))
                for a in range(count)
            )
            for _ in range(unit_count - 1)
        )
        moves = (moves[0], *inner, moves[0])
    return PlanTable(
        model="random",
        version=1,
        processors=tuple(f"p{i}" for i in range(count)),
        unit_count=unit_count,
        dependencies=(0,) * unit_count,
        spans=spans,
        transfer_us=moves,
    )


def _steps(plan: BestPlan | None) -> tuple[int, list[tuple[int, int, int]]] | None:
    if plan is None:
        return None
    keys = [(s.span.processor, s.span.first, s.span.last) for s in plan.steps]
    return plan.latency_us, keys


def _keys(plan: PortPlan | None) -> tuple[int, list[tuple[int, int, int]]] | None:
    if plan is None:
        return None
    return plan.latency_us, [(k.worker, k.first, k.last) for k in plan.keys]


def _check_times(table: PlanTable, plan: BestPlan, waits: list[int], holder: int) -> None:
    """Assert that the steps are a schedule: contiguous, no step before its input or processor."""
    assert plan.steps[-1].span.last == table.unit_count - 1
    assert plan.latency_us == plan.steps[-1].finish_us
    ready = 0
    for step in plan.steps:
        move = 0
        if holder >= 0:
            move = table.transfer_us[step.span.first][holder][step.span.processor]
        assert step.start_us == max(ready + move, waits[step.span.processor])
        assert step.finish_us == step.start_us + step.span.cost_us
        ready, holder = step.finish_us, step.span.processor
    assert all(a.span.last + 1 == b.span.first for a, b in pairwise(plan.steps))


@given(st.data(), tables(transfers=False))
def test_without_transfers_the_kernel_is_the_literal_port(
    data: st.DataObject, table: PlanTable
) -> None:
    kernel, model = Kernel(table), PortModel.of(table)
    for _ in range(4):  # one kernel answers many questions: what it keeps must not leak
        waits = [data.draw(WAITS) for _ in table.processors]
        start = data.draw(st.integers(0, table.unit_count - 1))
        plan = kernel.plan(start, waits)
        assert _steps(plan) == _keys(shortest_plan(model, start, dict(enumerate(waits))))
        if plan is not None:
            _check_times(table, plan, waits, -1)


@given(st.data(), tables(transfers=True))
def test_with_transfers_the_kernel_is_the_second_oracle(
    data: st.DataObject, table: PlanTable
) -> None:
    kernel, model = Kernel(table), PortModel.of(table)
    for _ in range(4):
        waits = [data.draw(WAITS) for _ in table.processors]
        start = data.draw(st.integers(0, table.unit_count - 1))
        holder = data.draw(st.integers(-1, len(table.processors) - 1))
        plan = kernel.plan(start, waits, holder)
        oracle = shortest_plan_with_transfers(model, start, dict(enumerate(waits)), holder)
        assert _steps(plan) == _keys(oracle)
        if plan is not None:
            _check_times(table, plan, waits, holder)


@given(st.data(), tables(transfers=False))
def test_the_two_oracles_agree_on_latency_where_transfers_are_free(
    data: st.DataObject, table: PlanTable
) -> None:
    model = PortModel.of(table)
    waits = {p: data.draw(WAITS) for p in range(len(table.processors))}
    one, two = shortest_plan(model, 0, waits), shortest_plan_with_transfers(model, 0, waits)
    assert (one is None) == (two is None)
    assert one is None or two is None or one.latency_us == two.latency_us


@given(st.data(), st.booleans())
def test_the_hot_form_says_the_same_as_the_plan(data: st.DataObject, transfers: bool) -> None:
    table = data.draw(tables(transfers=transfers))
    kernel = Kernel(table)
    for _ in range(4):
        waits = [data.draw(WAITS) for _ in table.processors]
        start = data.draw(st.integers(0, table.unit_count - 1))
        holder = data.draw(st.integers(-1, len(table.processors) - 1))
        pin = data.draw(st.integers(-1, len(table.processors) - 1))
        hot, plan = kernel.best(start, waits, holder, pin), kernel.plan(start, waits, holder, pin)
        if plan is None or hot is None:
            assert hot is None
            assert plan is None
            continue
        used = {step.span.processor for step in plan.steps}
        first = plan.steps[0]
        assert hot[:3] == (plan.latency_us, first.span, first.finish_us)
        assert hot.touches in {-1, sum(1 << p for p in used)}


@given(st.data(), st.booleans())
def test_a_plan_stays_the_best_while_only_waits_rise_that_it_does_not_touch(
    data: st.DataObject, transfers: bool
) -> None:
    table = data.draw(tables(transfers=transfers))
    waits = [data.draw(WAITS) for _ in table.processors]
    holder = data.draw(st.integers(-1, len(table.processors) - 1))
    before = Kernel(table).best(0, waits, holder)
    if before is None:
        return
    plan = Kernel(table).plan(0, waits, holder)
    raised = [
        wait if before.touches >> p & 1 else max(wait, data.draw(WAITS))
        for p, wait in enumerate(waits)
    ]
    assert _steps(Kernel(table).plan(0, raised, holder)) == _steps(plan)


@given(st.data(), st.booleans())
def test_a_pinned_plan_is_the_best_of_a_table_of_that_processor_alone(
    data: st.DataObject, transfers: bool
) -> None:
    table = data.draw(tables(transfers=transfers))
    waits = [data.draw(WAITS) for _ in table.processors]
    pinned = data.draw(st.integers(0, len(table.processors) - 1))
    start = data.draw(st.integers(0, table.unit_count - 1))
    holder = data.draw(st.integers(-1, len(table.processors) - 1))
    alone = table.restricted(
        [(s.first, s.last, s.processor) for s in table.spans if s.processor == pinned]
    )
    found = Kernel(table).plan(start, waits, holder, only_processor=pinned)
    assert _steps(found) == _steps(Kernel(alone).plan(start, waits, holder))


@given(tables(transfers=True, most_units=4), st.integers(1, 6))
def test_k_best_is_the_head_of_all_plans_that_do_not_merely_cut(table: PlanTable, k: int) -> None:
    costs = {(s.first, s.last, s.processor): s.cost_us for s in table.spans}
    every: list[tuple[int, int, tuple[tuple[int, int], ...], tuple[Span, ...]]] = []

    def extend(chain: tuple[Span, ...], latency: int) -> None:
        unit = chain[-1].last + 1 if chain else 0
        if unit == table.unit_count:
            order = tuple((s.processor, s.last) for s in chain)
            every.append((latency, len(chain), order, chain))
            return
        for span in table.spans:
            if span.first != unit:
                continue
            if chain and chain[-1].processor == span.processor:
                joined = costs.get((chain[-1].first, span.last, span.processor))
                if joined is not None and joined <= chain[-1].cost_us + span.cost_us:
                    continue
            move = table.transfer_us[unit][chain[-1].processor][span.processor] if chain else 0
            extend((*chain, span), latency + move + span.cost_us)

    extend((), 0)
    found = [(p.latency_us, tuple(s.span for s in p.steps)) for p in Kernel(table).k_best(k)]
    assert found == [(latency, chain) for latency, _, _, chain in sorted(every)[:k]]
