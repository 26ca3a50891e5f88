"""The policy in force: its passes, and its replacement when it fails.

A policy is foreign code. Whatever it raises and whatever it returns, the pass is not lost: the
default policy takes over at once, and the report says why.
"""

from collections.abc import Callable

from band.errors import BandError
from band.scheduler.core_view import CoreView
from band.scheduler.events import Json, PolicySwapped
from band.scheduler.options import CoreOptions, PolicyReport
from band.scheduler.policy import Advisor, Decision, Policy
from band.scheduler.state import CoreState

MakePolicy = Callable[[PolicySwapped], Policy]


class PolicyInForce:
    """Which policy decides, which one was asked for, and what went wrong."""

    def __init__(self, make_policy: MakePolicy, options: CoreOptions) -> None:
        self._make_policy = make_policy
        self._options = options
        self.requested = options.default_policy
        self.reports: list[PolicyReport] = []
        self.reason = ""
        self._policy: Policy | None = None
        self.name = options.default_policy
        self.window = options.window
        self.is_default = True

    def swap(self, event: PolicySwapped, now_us: int) -> None:
        """Put a policy in force; one that cannot be made is replaced by the default policy."""
        self.requested = event.name
        self.reason = ""
        try:
            self._install(event, is_default=False)
        except Exception as error:  # noqa: BLE001 - foreign code: it may raise anything
            self.name = event.name
            self.replace(_reason(error), now_us)

    def replace(self, reason: str, now_us: int) -> None:
        """Put the default policy in force instead of one that failed."""
        self.reports.append(PolicyReport(self.name, reason, now_us))
        self.reason = reason
        self._install(PolicySwapped(self._options.default_policy, "", ()), is_default=True)

    def plan(self, state: CoreState, now_us: int) -> tuple[Decision, ...]:
        """Return the decisions of one pass."""
        if self._policy is None:
            self._install(PolicySwapped(self._options.default_policy, "", ()), is_default=True)
        assert self._policy is not None
        return tuple(self._policy.plan(CoreView(state, now_us, self.window)))

    def advised(self, policy: str, payload: Json) -> None:
        """Hand over what the policy's ``advise`` returned, if it is still in force."""
        if policy == self.name and isinstance(self._policy, Advisor):
            self._policy.advised(payload)

    def _install(self, event: PolicySwapped, *, is_default: bool) -> None:
        policy = self._make_policy(event)
        window = getattr(getattr(policy, "params", None), "window", self._options.window)
        self._policy, self.name, self.window = policy, event.name, window
        self.is_default = is_default

    def __repr__(self) -> str:
        return f"<PolicyInForce {self.name} window={self.window} replaced={bool(self.reason)}>"


def _reason(error: Exception) -> str:
    if isinstance(error, BandError):
        return error.message
    return f"{type(error).__name__}: {error}"
