"""The best plans of an idle device that leave a processor out, or that must use it."""

from band.plan.best import BestPlan, Step
from band.plan.hops import DOWN_US, UNREACHABLE_US, Hop, Hops
from band.plan.kernel import Kernel
from band.plan.table import PlanTable


def without_processor(table: PlanTable) -> tuple[BestPlan | None, ...]:
    """Return per processor the best plan that does not use it, None if there is none."""
    kernel = Kernel(table)
    everyone = range(len(table.processors))
    return tuple(
        kernel.plan(0, tuple(DOWN_US if p == absent else 0 for p in everyone))
        for absent in everyone
    )


def with_processor(table: PlanTable) -> tuple[BestPlan | None, ...]:
    """Return per processor the best plan that runs at least one unit on it, None if there is none.

    Such a plan is the shortest way to a hop on the processor, the hop, and the shortest way on.
    """
    hops = Hops(table, (1 << len(table.processors)) - 1)
    start = hops.state(0, -1)
    reached_us, parents = _shortest(hops, start)
    best: list[tuple[int, Hop] | None] = [None] * len(table.processors)
    for state, ready_us in enumerate(reached_us[:-1]):
        for bound_us, *_, hop in hops.make(state) if ready_us < UNREACHABLE_US else ():
            known = best[hop.processor]
            if known is None or ready_us + bound_us < known[0]:
                best[hop.processor] = (ready_us + bound_us, hop)
    return tuple(found and _through(hops, start, parents, found[1]) for found in best)


def _shortest(hops: Hops, start: int) -> tuple[list[int], list[Hop | None]]:
    """Return per state the earliest time when nothing waits, and the hop that leads there."""
    reached_us = [UNREACHABLE_US] * (hops.last_state + 1)
    parents: list[Hop | None] = [None] * (hops.last_state + 1)
    reached_us[start] = 0
    for state in range(start, hops.last_state):
        ready_us = reached_us[state]
        for *_, hop in hops.make(state) if ready_us < UNREACHABLE_US else ():
            done_us = ready_us + hop.transfer_us + hop.cost_us
            if done_us < reached_us[hop.target]:
                reached_us[hop.target], parents[hop.target] = done_us, hop
    return reached_us, parents


def _through(hops: Hops, start: int, parents: list[Hop | None], middle: Hop) -> BestPlan:
    chain = [middle]
    while chain[0].source != start:
        before = parents[chain[0].source]
        assert before is not None  # every state but the first is reached by a hop
        chain.insert(0, before)
    while chain[-1].target != hops.last_state:
        *_, onward = hops.make(chain[-1].target)[0]  # the first has the least bound
        chain.append(onward)
    steps, finish_us = [], 0
    for hop in chain:
        start_us = finish_us + hop.transfer_us
        finish_us = start_us + hop.cost_us
        steps.append(Step(hop.span, start_us, finish_us))
    return BestPlan(finish_us, tuple(steps))
