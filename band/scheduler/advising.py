"""When a policy's ``advise`` is asked for: what it depends on has changed, and not too often."""

from mypy_extensions import mypyc_attr

from band.plan.table import PlanTable
from band.scheduler.commands import Advise
from band.scheduler.demand import MOVED, Demand
from band.scheduler.options import CoreOptions
from band.scheduler.policy import Policy
from band.scheduler.state import CoreState


@mypyc_attr(allow_interpreted_subclasses=True)
class Advising:
    """Asks the driver for advice when the policy, the load or a table has changed.

    One advice is under way at a time, and none is asked for before any load is known. What the
    answer is depends on the driver; it comes as an event, and so stands in the inbox.

    Attributes:
        demand: the load.
    """

    def __init__(self, state: CoreState, options: CoreOptions) -> None:
        self._state = state
        self._pause_us = options.advise_pause_us
        self._policy: Policy | None = None
        self._tables: dict[str, PlanTable] = {}
        self._compared: dict[str, PlanTable] = {}
        self._asked_us: int | None = None
        self._outstanding: Policy | None = None
        self.demand = Demand()

    def ask(self, policy: Policy, name: str, now_us: int) -> Advise | None:
        """Return the command if it is time for advice, else None.

        Args:
            policy: in force; it has an ``advise``.
            name: by which it was put in force.
            now_us: the time.
        """
        if self._outstanding is not None or not self._state.models:
            return None
        if self._asked_us is not None and now_us < self._asked_us + self._pause_us:
            return None
        demand = self.demand
        moved = policy is not self._policy or demand.changed or self._tables_moved()
        if not moved or not demand.known(now_us):
            return None
        demand.changed = False
        self._tables = {model.name: model.table for model in self._state.models.values()}
        self._compared = self._tables.copy()
        self._policy = self._outstanding = policy
        self._asked_us = now_us
        return Advise(name)

    def answered(self, policy: Policy | None) -> bool:
        """Take an answer; return whether it was asked for the policy in force."""
        asked, self._outstanding = self._outstanding, None
        return asked is None or asked is policy

    def _tables_moved(self) -> bool:
        """Return whether a table has other spans than when advice was last asked for.

        Or a cost that has moved by more than a tenth.
        """
        models = self._state.models
        if models.keys() != self._tables.keys():
            return True
        for name, model in models.items():
            if model.table is not self._compared[name]:
                if _moved(self._tables[name], model.table):
                    return True
                self._compared[name] = model.table
        return False

    def __repr__(self) -> str:
        return f"<Advising asked={self._asked_us} outstanding={self._outstanding is not None}>"


def _moved(before: PlanTable, after: PlanTable) -> bool:
    if len(before.spans) != len(after.spans) or before.dependencies != after.dependencies:
        return True
    return any(
        old[:3] != new[:3] or abs(new.cost_us - old.cost_us) > MOVED * old.cost_us
        for old, new in zip(before.spans, after.spans, strict=True)
    )
