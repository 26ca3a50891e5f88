"""What a driver can set on the core, and what the core says of itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

DEFAULT_POLICY: Final = "shortest_expected_latency"


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreOptions:
    """Settings of one core.

    Attributes:
        default_priority: the class that a request with priority 0 belongs to.
        window: how many waiting jobs a policy sees, unless its ``Params`` has a ``window``.
        queue_limit: jobs that may wait for their first task; one more is dropped: queue_full.
        default_policy: the shipped policy that replaces one that fails.
        background_loads: load further useful slices while memory for them is free.
        load_quiet_us: a background load begins once no request has been under way for so long.
        load_pause_us: under requests that never pause, time between the end of a background load
            and the next one, at least.
        load_share_percent: share of the time that background loads may take under such requests.
    """

    default_priority: int = 8
    window: int = 16
    queue_limit: int = 4096
    default_policy: str = DEFAULT_POLICY
    background_loads: bool = True
    load_quiet_us: int = 100_000
    load_pause_us: int = 500_000
    load_share_percent: int = 5


class PolicyReport(NamedTuple):
    """One replacement of a policy by the default policy.

    Attributes:
        policy: the one that was replaced.
        reason: what it did wrong, in one sentence.
        at_us: when.
    """

    policy: str
    reason: str
    at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreStatus:
    """A picture of the core for people and programs.

    Attributes:
        policy: name of the policy in force.
        requested: name of the policy asked for last; differs from ``policy`` if replaced.
        replaced: whether the policy asked for was replaced.
        reason: why it was replaced, else "".
        reports: every replacement so far, oldest first.
        waiting: jobs in the queue.
        running: tasks on processors.
        jobs: jobs accepted and not ended.
        ended: number of ended jobs by outcome, drops by ``dropped:REASON``.
        versions: version of the plan table in force, by model.
        up: indices of the processors that are up.
        slices: loaded slices, on all processors.
        slices_bytes: what they take.
        slices_limit_bytes: what they may take; None if no driver has said so.
        loads, evictions: how often the core has asked for a slice to be loaded or evicted.
    """

    policy: str
    requested: str
    replaced: bool
    reason: str
    reports: tuple[PolicyReport, ...]
    waiting: int
    running: int
    jobs: int
    ended: Mapping[str, int]
    versions: Mapping[str, int]
    up: tuple[int, ...]
    slices: int = 0
    slices_bytes: int = 0
    slices_limit_bytes: int | None = None
    loads: int = 0
    evictions: int = 0
