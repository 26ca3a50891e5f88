"""Jobs alike: one best plan serves all waiting jobs of a model that are in the same state.

However long a window is, it holds few distinct states, and only the head of each group competes.
A pass asks for each group's plan once, and again only after a wait has risen that the plan
depends on (``FirstStep.touches``): every other plan is still the best one, ties included.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Final

from band.scheduler.policy import Dispatch, TaskSpec
from band.scheduler.view import FirstStep, JobView, View

_by_class = attrgetter("priority")
_new: Final = tuple.__new__  # a NamedTuple's own constructor takes twice as long


class Group:
    """Waiting jobs of one class, model, state (finished, running, holder, pin) and app.

    The app counts because a reserved slot of a processor is open to some apps only.

    Attributes:
        priority: their class.
        places: their places in the window, those that still compete, first come first.
        step: how their best plan starts under the line's waits; None where it must be asked for.
    """

    __slots__ = ("places", "priority", "step")

    def __init__(self, priority: int, places: list[int], step: FirstStep | None = None) -> None:
        self.priority = priority
        self.places = places
        self.step = step


class Line:
    """The waiting jobs of one pass, in groups, and the waits behind what the pass has decided.

    Args:
        view: of the pass.
        other: a line of the same view, to begin where it is.

    Attributes:
        window: the jobs, as the view shows them.
        waits: time per processor until it is free; they only rise.
        groups: in order of their first jobs; emptied ones stay.
    """

    __slots__ = ("groups", "view", "waits", "window")

    def __init__(self, view: View, other: "Line | None" = None) -> None:
        self.view = view
        self.window: Sequence[JobView] = view.window
        if other is None:
            self.waits = list(view.waits_us)
            self.groups = _grouped(self.window)
        else:
            self.waits = other.waits.copy()
            self.groups = [Group(g.priority, g.places.copy(), g.step) for g in other.groups]

    def classes(self) -> Iterator[list[Group]]:
        """Return the groups of each class, the best class first."""
        return (list(groups) for _, groups in groupby(self.groups, key=_by_class))

    def step(self, group: Group) -> FirstStep | None:
        """Return how the best plan of a group's jobs starts; a group without one is emptied."""
        step = group.step
        if step is None and group.places:
            step = group.step = self.view.first_step(self.window[group.places[0]], self.waits)
            if step is None:
                group.places = []
        return step

    def longest(self, groups: Sequence[Group], *, idle_only: bool = False) -> Group | None:
        """Return the group with the longest best plan, the one with the first job on ties.

        Args:
            groups: to choose from.
            idle_only: only those whose plan starts on a processor that is idle now.
        """
        chosen, longest_us, first = None, -1, 0
        waits = self.waits
        for group in groups:
            if not group.places:
                continue
            step = group.step or self.step(group)
            if step is None or step.latency_us < longest_us:
                continue
            if idle_only and waits[step.span.processor]:
                continue
            place = group.places[0]
            if step.latency_us > longest_us or place < first:
                chosen, longest_us, first = group, step.latency_us, place
        return chosen

    def pass_over(self, groups: Sequence[Group], chosen: Group) -> None:
        """Take out of the line the jobs that come before the head of a group by longest plan.

        They wait for busy processors, and are looked at again in the next pass.

        Args:
            groups: those that compete, their steps known.
            chosen: whose head is started.
        """
        step, place = chosen.step, chosen.places[0]
        assert step is not None
        for group in groups:
            if group is chosen or group.step is None:
                continue
            if group.step.latency_us > step.latency_us:
                group.places.clear()
            elif group.step.latency_us == step.latency_us and group.places:
                group.places = [other for other in group.places if other > place]

    def raise_wait(self, processor: int, wait_us: int) -> None:
        """Let a processor be free later than so far; plans that depend on it are forgotten."""
        self.waits[processor] = wait_us
        bit = 1 << processor
        for group in self.groups:
            step = group.step
            if step is not None and step.touches & bit:
                group.step = None

    def start(self, group: Group, step: FirstStep, place: int | None = None) -> TaskSpec:
        """Return the task that starts a job of a group: it leaves the line.

        Args:
            group: of the job.
            step: what it runs.
            place: of the job, if it is not the group's first.
        """
        if place is None:
            place = group.places.pop(0)
        else:
            group.places.remove(place)
        job = self.window[place]
        task = TaskSpec.of(job, self.view.table(job.model), step.span)
        self.raise_wait(step.span.processor, step.finish_us)
        return task

    def what_if(self) -> "Line":
        """Return a copy to try things in: its groups and waits are its own, in the same order."""
        return Line(self.view, self)

    def __repr__(self) -> str:
        waiting = sum(len(group.places) for group in self.groups)
        return f"<Line {waiting} jobs in {len(self.groups)} groups, waits {self.waits}>"


def _grouped(window: Sequence[JobView]) -> list[Group]:
    found: dict[tuple[object, ...], Group] = {}
    for place, job in enumerate(window):
        key = (job[4], job[1], job[7:11], job[12])  # class, model, state, app
        group = found.get(key)
        if group is None:
            found[key] = Group(job[4], [place])
        else:
            group.places.append(place)
    return list(found.values())


def start_alone(view: View, job: JobView) -> Sequence[Dispatch]:
    """Return the pass over a window of one job: its best plan starts if that processor is idle."""
    step = view.first_step(job)
    if step is None:
        return ()
    span = step.span
    if view.waits_us[span.processor]:
        return ()
    return (_new(Dispatch, ((TaskSpec.of(job, view.table(job.model), span),),)),)
