"""The settings of the scheduler core, in a daemon's file or in one of their own."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from band.config.schema import Schema, parse
from band.config.suggestion import suggestion
from band.config.values import Text
from band.config.yaml_loader import load_yaml
from band.device.profile import Device
from band.errors import BandError, ErrorCode
from band.scheduler.options import AdmissionOptions, CoreOptions, Margin, Reservation

_CORE = CoreOptions()
_ADMISSION = _CORE.admission

Limit = Annotated[int, Field(ge=0)]


class QueueLimitsConfig(Schema):
    """How many requests may wait for their first task, besides the limit of all together.

    Attributes:
        models: by model.
        streams: by stream.
    """

    models: dict[Text, Limit] = Field(default_factory=dict)
    streams: dict[str, Limit] = Field(default_factory=dict)


class AdmissionConfig(Schema):
    """What is refused or dropped before a policy sees it.

    Attributes:
        at_arrival: refuse what can no longer make its deadline.
        while_waiting: drop what waits and can no longer make its deadline.
        margin: which estimate of a job's own run times counts.
        count_queue: the work in front of a job counts.
        window: how many waiting jobs are looked at.
        quotas: app -> requests that it may have in the system.
        default_quota: of every other app; None for no limit.
        queue_limits: by model and by stream.
    """

    at_arrival: bool = _ADMISSION.at_arrival
    while_waiting: bool = _ADMISSION.while_waiting
    margin: Margin = _ADMISSION.margin
    count_queue: bool = _ADMISSION.count_queue
    window: int = Field(default=_ADMISSION.window, ge=1)
    quotas: dict[str, Limit] = Field(default_factory=dict)
    default_quota: Limit | None = None
    queue_limits: QueueLimitsConfig = QueueLimitsConfig()


class ReservationConfig(Schema):
    """Slots in which a processor belongs to one app, or to nobody here.

    Attributes:
        app: whose they are; "" for nobody's.
    """

    processor: Text
    period_us: int = Field(ge=1)
    length_us: int = Field(ge=1)
    offset_us: int = Field(default=0, ge=0)
    app: str = ""

    @model_validator(mode="after")
    def _leaves_time(self) -> Self:
        try:
            self.reservation()
        except BandError as error:
            raise ValueError(error.message) from error
        return self

    def reservation(self) -> Reservation:
        """Return it as the core takes it."""
        return Reservation(**self.model_dump())


class SchedulerConfig(Schema):
    """How the scheduler core decides, whatever the policy.

    Attributes:
        queue_limit: jobs that may wait for their first task; one more is dropped.
        window: how many waiting jobs a policy without its own ``window`` sees.
        default_priority: what a request with priority 0 gets; 1 is the highest.
        strict_classes: no task of a worse class starts while a job of a better one waits.
        admission: what is refused or dropped before a policy sees it.
        reservations: when processors belong to one app, or to nobody.
        advise_pause_us: time from one advice of a policy to the next, at least.
        gather: the policy decides once about all that happens at one microsecond.
    """

    queue_limit: int = Field(default=_CORE.queue_limit, ge=1)
    window: int = Field(default=_CORE.window, ge=1)
    default_priority: int = Field(default=_CORE.default_priority, ge=1)
    strict_classes: bool = _CORE.strict_classes
    admission: AdmissionConfig = AdmissionConfig()
    reservations: tuple[ReservationConfig, ...] = ()
    advise_pause_us: int = Field(default=_CORE.advise_pause_us, ge=1)
    gather: bool = _CORE.gather

    def core_options(self) -> CoreOptions:
        """Return them as the core takes them."""
        given = self.admission.model_dump(exclude={"queue_limits"})
        limits = self.admission.queue_limits
        return CoreOptions(
            queue_limit=self.queue_limit,
            window=self.window,
            default_priority=self.default_priority,
            strict_classes=self.strict_classes,
            admission=AdmissionOptions(
                **given, model_queue_limits=limits.models, stream_queue_limits=limits.streams
            ),
            reservations=tuple(slot.reservation() for slot in self.reservations),
            advise_pause_us=self.advise_pause_us,
            gather=self.gather,
        )


def load_scheduler(path: str | Path) -> CoreOptions:
    """Return the settings in a YAML file that holds nothing else.

    Raises:
        BandError: NOT_FOUND if there is no such file, INVALID_CONFIG ``file:line`` if it is bad.
    """
    return parse(load_yaml(path), SchedulerConfig).core_options()


def check_reservations(options: CoreOptions, device: Device) -> None:
    """Refuse slots on a processor that the device does not have.

    Raises:
        BandError: INVALID_CONFIG.
    """
    names = [p.name for p in device.processors]
    for slot in options.reservations:
        if slot.processor not in names:
            hint = suggestion(slot.processor, names, noun="processors of it")
            raise BandError(
                ErrorCode.INVALID_CONFIG,
                f"a slot is reserved on {slot.processor!r}, which device {device.name!r} lacks; "
                f"{hint}",
                processor=slot.processor,
            )
