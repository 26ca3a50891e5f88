"""What a driver can set on the core, and what the core says of itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from band.errors import BandError, ErrorCode
from band.scheduler.events import PolicySwapped

DEFAULT_POLICY: Final = "shortest_expected_latency"


class Margin(StrEnum):
    """Which estimate of a span's run time counts when a deadline is at stake."""

    MEAN = "mean"
    P95 = "p95"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionOptions:
    """What is refused or dropped before any policy sees it. By default nothing is.

    Attributes:
        at_arrival: refuse a request that can no longer make its deadline.
        while_waiting: drop a waiting job that can no longer make its deadline.
        margin: take the mean or the 95th percentile of what its own plan's spans took.
        count_queue: the work in front of a job delays it: jobs of a better class, and of its own
            class that came earlier. Without, only what runs does.
        window: how many waiting jobs are looked at, from the front of the queue. Those behind
            them are never dropped, and delay a newcomer as if they were like them.
        quotas: app -> requests that it may have in the system at once.
        default_quota: the same for every other app; None for no limit. Requests that name no app
            are those of one app, "".
        model_queue_limits: model -> requests that may wait for their first task.
        stream_queue_limits: stream -> the same.
    """

    at_arrival: bool = False
    while_waiting: bool = False
    margin: Margin = Margin.MEAN
    count_queue: bool = True
    window: int = 16
    quotas: Mapping[str, int] = field(default_factory=dict)
    default_quota: int | None = None
    model_queue_limits: Mapping[str, int] = field(default_factory=dict)
    stream_queue_limits: Mapping[str, int] = field(default_factory=dict)

    @property
    def active(self) -> bool:
        """Return whether there is anything to do."""
        limits = self.quotas or self.model_queue_limits or self.stream_queue_limits
        shedding = self.at_arrival or self.while_waiting
        return shedding or bool(limits) or self.default_quota is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """Time slots in which a processor belongs to one app, or to nobody here (a compositor).

    Slots are [offset + k * period, offset + k * period + length) of the core's clock, k >= 0. No
    task of another app starts that is predicted to run into one.

    Attributes:
        processor: its name.
        app: whose requests may use the slots; "" for nobody's.

    Raises:
        BandError: INVALID_CONFIG if the slots leave no time between them, or are none.
    """

    processor: str
    period_us: int
    length_us: int
    offset_us: int = 0
    app: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.length_us < self.period_us or self.offset_us < 0:
            raise BandError(
                ErrorCode.INVALID_CONFIG,
                f"a slot on {self.processor} of {self.length_us} us every {self.period_us} us from "
                f"{self.offset_us} us on: it must be longer than 0 and shorter than its period",
                processor=self.processor,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreOptions:
    """Settings of one core.

    Attributes:
        default_priority: the class that a request with priority 0 belongs to.
        window: how many waiting jobs a policy sees, unless its ``Params`` has a ``window``.
        queue_limit: jobs that may wait for their first task; one more is dropped: queue_full.
        default_policy: the shipped policy that replaces one that fails.
        admission: what is refused or dropped before a policy sees it.
        strict_classes: as long as a job of a better class waits, no task of a worse one starts.
        reservations: when processors belong to one app, or to nobody.
        background_loads: load further useful slices while memory for them is free.
        load_quiet_us: a background load begins once no request has been under way for so long.
        load_pause_us: under requests that never pause, time between the end of a background load
            and the next one, at least.
        load_share_percent: share of the time that background loads may take under such requests.
        advise_pause_us: time from one Advise to the next, at least.
        gather: let the policy decide once about all that happens at one microsecond: only a Tick
            makes passes, every other event asks for one at its own time. The driver hands ticks
            over behind the other events of their time, as the simulator does.
    """

    default_priority: int = 8
    window: int = 16
    queue_limit: int = 4096
    default_policy: str = DEFAULT_POLICY
    admission: AdmissionOptions = field(default_factory=AdmissionOptions)
    strict_classes: bool = False
    reservations: tuple[Reservation, ...] = ()
    background_loads: bool = True
    load_quiet_us: int = 100_000
    load_pause_us: int = 500_000
    load_share_percent: int = 5
    advise_pause_us: int = 1_000_000
    gather: bool = False


class PolicyReport(NamedTuple):
    """What went wrong with a policy.

    Attributes:
        policy: the one that it went wrong with.
        reason: what it did wrong, in one sentence.
        at_us: when.
        replaced: the default policy took over; else only its advice failed, and it goes on.
    """

    policy: str
    reason: str
    at_us: int
    replaced: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreStatus:
    """A picture of the core for people and programs.

    Attributes:
        policy: name of the policy in force.
        swapped: the event that puts exactly that policy in force.
        requested: name of the policy asked for last; differs from ``policy`` if replaced.
        replaced: whether the policy asked for was replaced.
        reason: why it was replaced, else "".
        reports: what went wrong with policies so far, oldest first.
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
        statistics: figures that the policy in force keeps of itself; empty if it keeps none.
        notes: what it has to say to whoever reads the figures, each a sentence.
    """

    policy: str
    swapped: PolicySwapped
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
    statistics: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
