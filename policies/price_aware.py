"""Price aware: what a job takes from scarce processors counts, and the more so under load.

Formula:
    advise: from the rates of the streams, the flow of spans that carries the most load
    (``band.plan.flows``); it yields a price per processor (the dual of its capacity, mean 1) and
    per (unit, holder of the data) the share of jobs that each span takes.
    Until then this is shortest_expected_latency. In force, in the order (class, hopeless last,
    latest start): latest start = due - latency of the best plan, hopeless jobs (now + latency
    later than the deadline) by arrival; due = deadline, or without one arrival + ``patience`` x
    the latency. A job's plan is the best one on costs x (1 + ``beta`` x load x price), load = what
    the streams ask for over what the flow carries, at most 1; its first step is dispatched if that
    processor is idle, else it counts as load there for the jobs behind it.
    With at least ``congested`` waiting jobs a processor, jobs follow the flow instead, earliest due
    first: of the spans of their state the one that is furthest behind its share (deficits).

Parameters:
    beta: weight of the prices, 0 or more, default 1.
    congested: waiting jobs per processor from which the flow is followed, 0 or more, default 2.
    patience: due time of a job without deadline, in latencies, above 0, default 3.
    window: jobs looked at, 1 or more, default 32.

Good near the capacity of a device whose processors differ: it is stable up to a few percent below
the bound. Bad when the load is not made of streams, or changes faster than advice comes.

Source: own work: shortest_expected_latency (Band, MobiSys 2022) with the shadow prices and the
flows of a linear programme; deficits as in Shreedhar and Varghese, SIGCOMM 1995.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt

from band.plan.flows import NOBODY, span_flows
from band.plan.hops import DOWN_US
from band.plan.table import PlanTable, Span
from band.scheduler.advice import Simulate, Snapshot
from band.scheduler.events import Json
from band.scheduler.plans import Plans
from band.scheduler.policy import Dispatch, PolicyInfo, TaskSpec
from band.scheduler.rules import longest_that_can_start, one_by_one
from band.scheduler.rules_placing import NO_DEADLINE_US, best_latency_us
from band.scheduler.view import JobView, View
from band.units import US_PER_S


@dataclass(frozen=True)
class Params:
    """Parameters: ``beta``, ``congested``, ``patience``, and ``window`` jobs are looked at."""

    beta: Annotated[float, Ge(0)] = 1.0
    congested: Annotated[float, Ge(0)] = 2.0
    patience: Annotated[float, Gt(0)] = 3.0
    window: Annotated[int, Ge(1)] = 32


_UNIT = 1000
"""What a microsecond counts on a processor whose price is 0."""

Choice = tuple[int, int, int]
"""(first, last, processor) of a span."""

State = tuple[str, int, int]
"""(model, holder of the data, first unit that is not finished)."""

Offers = dict[Choice, Span]


class Shares:
    """Which spans the jobs of each state take, in proportion to the flow of the programme.

    Args:
        flows: model -> (holder, first, last, processor, share) of each span, as in ``SpanFlow``.
    """

    def __init__(self, flows: Mapping[str, Sequence[tuple[int, int, int, int, float]]]) -> None:
        self._shares: dict[State, dict[Choice, float]] = {}
        for model, spans in flows.items():
            for holder, first, last, processor, share in spans:
                self._shares.setdefault((model, holder, first), {})[first, last, processor] = share
        self._owed: dict[State, dict[Choice, float]] = {}
        self._planned: dict[State, dict[Choice, float]] = {}
        self._offers: dict[str, tuple[PlanTable, dict[tuple[State, int], Offers]]] = {}

    def begin_pass(self) -> None:
        """Forget what waiting jobs were meant to take in the pass before."""
        self._planned = {state: owed.copy() for state, owed in self._owed.items()}

    def choose(self, view: View, table: PlanTable, job: JobView) -> Span | None:
        """Return the span that a job should take next, None if the flow does not tell.

        The jobs of a pass that share a state are spread like those that start. Slices have come
        and gone since the advice: a span counts only if the rest can be run after it.
        """
        state, in_order = self._state(job), not job.finished & (job.finished + 1)
        shares = self._shares.get(state) if in_order else None
        if shares is None or job.running or job.processor >= 0:
            return None
        offers = self._offered(view, table, job, state)
        if not offers:
            return None
        owed = self._planned.get(state, {})
        choice = max(offers, key=lambda choice: owed.get(choice, 0.0) + shares[choice])
        self._planned[state] = self._charged(owed, shares, choice)
        return offers[choice]

    def started(self, job: JobView, span: Span) -> None:
        """Count a dispatch."""
        state, choice = self._state(job), (span.first, span.last, span.processor)
        shares = self._shares.get(state, {})
        if choice in shares:
            self._owed[state] = self._charged(self._owed.get(state, {}), shares, choice)

    def _offered(self, view: View, table: PlanTable, job: JobView, state: State) -> Offers:
        """Return the flow's spans of a state that are loaded and lead on; kept per table."""
        known = self._offers.get(job.model)
        if known is None or known[0] is not table:
            known = self._offers[job.model] = (table, {})
        offers = known[1].get((state, job.finished))
        if offers is None:
            spans = {choice: table.find(*choice) for choice in self._shares[state]}
            offers = {c: s for c, s in spans.items() if s and _leads_on(view, table, job, s)}
            known[1][state, job.finished] = offers
        return offers

    def _state(self, job: JobView) -> State:
        unit = job.finished.bit_length()
        known = (job.model, job.holder, unit)
        return known if known in self._shares else (job.model, NOBODY, unit)

    def _charged(
        self, owed: Mapping[Choice, float], shares: Mapping[Choice, float], taken: Choice
    ) -> dict[Choice, float]:
        """Return what is owed after one more job: every choice its share, less the one taken."""
        total = sum(shares.values())
        after = {choice: owed.get(choice, 0.0) + share / total for choice, share in shares.items()}
        after[taken] -= 1.0
        return after


class PriceAware:
    """Plans on priced costs; follows the flow of the linear programme when much waits."""

    info: ClassVar = PolicyInfo(
        name="price_aware",
        summary="shortest expected latency with capacity prices; follows the best flow near it",
        source="own work, on Band, MobiSys 2022",
        work_conserving=False,
    )

    def __init__(self, params: Params) -> None:
        self.params = params
        self._factors: tuple[int, ...] = ()
        self._shares = Shares({})
        self._priced: dict[str, tuple[PlanTable, Plans]] = {}
        self._load = 0.0
        self._passes = {"passes_unadvised": 0, "passes_priced": 0, "passes_flow": 0}

    def advise(self, snapshot: Snapshot, params: Any, simulate: Simulate, budget: int) -> Json:
        """Return prices and flows for the load of the snapshot; None if it has none."""
        del params, simulate, budget  # the programme tells without trials
        rates: dict[str, float] = {}
        for stream in snapshot.streams:
            rate = stream.copies * US_PER_S / max(1, stream.period_us)
            table = snapshot.tables.get(stream.model)
            if table is not None and table.complete:
                rates[stream.model] = rates.get(stream.model, 0.0) + rate
        if not any(rates.values()):
            return None
        flows = span_flows(snapshot.tables, rates)
        return {
            "load": 1 / flows.scale,
            "prices": flows.prices,
            "flows": {model: tuple(map(tuple, spans)) for model, spans in flows.spans.items()},
        }

    def advised(self, payload: Json) -> None:
        """Put prices and flows in force; without a payload those before stay."""
        if not isinstance(payload, dict):
            return
        advice: Mapping[str, Any] = payload
        prices = advice["prices"]
        beta = self.params.beta * min(1.0, advice["load"])
        self._factors = tuple(round(_UNIT * (1 + beta * price * len(prices))) for price in prices)
        self._shares = Shares(advice["flows"])
        self._priced = {}
        self._load = advice["load"]

    def statistics(self) -> Mapping[str, float]:
        """Return the load in percent of what the flow carries, and the passes of each kind."""
        return {"load_percent": round(100 * self._load, 1), **self._passes}

    def plan(self, view: View) -> Sequence[Dispatch]:
        """Return the dispatches of one pass."""
        waits = list(view.waits_us)
        if not self._factors:
            self._passes["passes_unadvised"] += 1
            return one_by_one(view, longest_that_can_start)
        if 0 not in waits:
            return ()
        follow = len(view.window) >= self.params.congested * len(waits)
        self._passes["passes_flow" if follow else "passes_priced"] += 1
        if follow:
            self._shares.begin_pass()
        tasks: list[TaskSpec] = []
        for job in self._in_order(view, follow=follow):
            table = view.table(job.model)
            span = self._shares.choose(view, table, job) if follow else None
            span = span or self._by_price(view, job, waits)
            if span is None:
                continue
            move_us = _move_us(table, job.holder, span)
            if waits[span.processor] == 0:
                tasks.append(TaskSpec.of(job, table, span))
                if follow:
                    self._shares.started(job, span)
            waits[span.processor] = max(waits[span.processor], move_us) + span.cost_us
            if 0 not in waits:
                break
        return (Dispatch(tuple(tasks)),) if tasks else ()

    def _in_order(self, view: View, *, follow: bool) -> list[JobView]:
        """Return the jobs by urgency, without those whose latency counts and that have no plan."""
        keyed = []
        for job in view.window:
            due_us, latency_us = job.deadline_us, 0
            if not follow or due_us is None:
                best = view.first_step(job)
                if best is None:
                    continue
                latency_us = best.latency_us
            late = due_us is not None and view.now_us + latency_us > due_us
            if due_us is None:
                due_us = job.arrived_us + round(self.params.patience * latency_us)
            if follow:
                key = (job.priority, 0, due_us)
            elif late:
                key = (job.priority, 1, job.arrived_us)
            else:
                key = (job.priority, 0, due_us - latency_us)
            keyed.append((key, job))
        keyed.sort(key=lambda pair: pair[0])
        return [job for _, job in keyed]

    def _by_price(self, view: View, job: JobView, waits: Sequence[int]) -> Span | None:
        """Return the first span of the best plan on priced costs.

        Where that would be late and the plain best plan is not, time is worth its price.
        """
        table = view.table(job.model)
        known = self._priced.get(job.model)
        if known is None or known[0] is not table:
            known = self._priced[job.model] = (table, Plans(_priced(table, self._factors)))
        scaled = [wait if wait >= DOWN_US else wait * _UNIT for wait in waits]
        priced = known[1].best_plan(job[7:11], scaled)  # finished, running, holder, processor
        if priced is None:
            return None
        spans = [found for step in priced.steps if (found := table.find(*step.span[:3]))]
        if job.deadline_us is not None:
            left_us = job.deadline_us - view.now_us
            if _finish_us(table, job.holder, spans, waits) > left_us:
                plain = view.first_step(job, waits)
                if plain is not None and plain.latency_us <= left_us:
                    return plain.span
        return spans[0]


def _leads_on(view: View, table: PlanTable, job: JobView, span: Span) -> bool:
    """Return whether the rest of a job can be run once a span is finished."""
    finished = job.finished | span.units
    rest = job._replace(finished=finished, holder=span.processor)
    return finished == table.all_units or best_latency_us(view, rest) < NO_DEADLINE_US


def _priced(table: PlanTable, factors: Sequence[int]) -> PlanTable:
    """Return a table where a processor's time counts as often as its factor says.

    Whole numbers keep equal plans equal: rounding would prefer those of many short steps.
    """
    spans = tuple(s._replace(cost_us=s.cost_us * factors[s.processor]) for s in table.spans)
    moves = tuple(
        tuple(tuple(us * by for us, by in zip(row, factors, strict=True)) for row in rows)
        for rows in table.transfer_us
    )
    return replace(table, spans=spans, transfer_us=moves)


def _finish_us(table: PlanTable, holder: int, spans: Sequence[Span], waits: Sequence[int]) -> int:
    """Return when a chain of spans is done, at real costs, from now."""
    done_us = 0
    for span in spans:
        begin_us = max(waits[span.processor], done_us + _move_us(table, holder, span))
        done_us, holder = begin_us + span.cost_us, span.processor
    return done_us


def _move_us(table: PlanTable, holder: int, span: Span) -> int:
    """Return how long the data that a span reads take from their holder."""
    return table.transfer_us[span.first][holder][span.processor] if holder >= 0 else 0
