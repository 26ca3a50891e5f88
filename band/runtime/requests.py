"""Checks what an app asks for and makes a job of it. Nothing invalid enters the core."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from itertools import count
from typing import Any, TypedDict

from band.device.profile import Device
from band.errors import BandError, ErrorCode
from band.runtime.futures import InferFuture
from band.runtime.live import LiveJob, LiveModel
from band.runtime.tensors import check_inputs
from band.scheduler.events import RequestArrived


class RequestParameters(TypedDict, total=False):
    """How a request may be asked for; all times are device time in microseconds.

    Attributes:
        priority: 1 is highest; 0, the default, reads as the engine's default priority.
        slo_us: the result is wanted within this time; a late one is still a result.
        deadline_us: the same as an absolute time; not together with ``slo_us``.
        timeout_us: if it has not started within this time, it is dropped.
        stream, frame: which frame of which stream it belongs to.
        parents: requests whose completion led to this one.
        processor: name of the processor it must run on.
        app: who asks, for quotas and fair shares.
        supersede: it takes the place of older frames of the same app, stream and model that have
            not started; they are dropped.
    """

    priority: int
    slo_us: int | None
    deadline_us: int | None
    timeout_us: int | None
    stream: str
    frame: int | None
    parents: tuple[int, ...]
    processor: str | None
    app: str
    supersede: bool


class RequestMaker:
    """Makes jobs, each with a number of its own.

    Args:
        device: names the processors.
        cancel: cancels a request by number.
    """

    def __init__(self, device: Device, cancel: Callable[[int], None]) -> None:
        self._processors = tuple(p.name for p in device.processors)
        self._cancel = cancel
        self._numbers = count(1)

    def make(
        self,
        model: LiveModel,
        inputs: Mapping[str, Any],
        parameters: RequestParameters,
        now_us: int,
    ) -> LiveJob:
        """Return the job of a request that arrives now, with copies of its inputs.

        Raises:
            BandError: INVALID_REQUEST naming what is wrong.
            TypeError: a parameter that does not exist.
        """
        unknown = parameters.keys() - RequestParameters.__annotations__.keys()
        if unknown:
            raise TypeError(f"a request has no parameter {min(unknown)!r}")
        checked = check_inputs(model.info, inputs)
        number = next(self._numbers)
        event = self._event(model.name, parameters, number, now_us)
        return LiveJob(model, event, InferFuture(number, self._cancel), checked, now_us)

    def _event(
        self, model: str, parameters: RequestParameters, number: int, now_us: int
    ) -> RequestArrived:
        slo_us, timeout_us = parameters.get("slo_us"), parameters.get("timeout_us")
        deadline_us, priority = parameters.get("deadline_us"), parameters.get("priority", 0)
        for name, value in (("slo_us", slo_us), ("timeout_us", timeout_us)):
            if value is not None and value <= 0:
                raise _refused(model, f"has {name} {value}; it must be positive")
        if priority < 0:
            raise _refused(model, f"has priority {priority}; 1 is the highest, 0 the default")
        if slo_us is not None:
            if deadline_us is not None:
                raise _refused(model, "has both slo_us and deadline_us; give one of them")
            deadline_us = now_us + slo_us
        return RequestArrived(
            number,
            model,
            parameters.get("stream", ""),
            parameters.get("frame"),
            tuple(parameters.get("parents", ())),
            priority,
            deadline_us,
            None if timeout_us is None else now_us + timeout_us,
            self._processor(model, parameters.get("processor")),
            parameters.get("app", ""),
            parameters.get("supersede", False),
        )

    def _processor(self, model: str, name: str | None) -> str | None:
        if name is None or name in self._processors:
            return name
        near = get_close_matches(name, self._processors, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(self._processors)}"
        raise _refused(model, f"names the unknown processor {name!r}; {hint}")


def _refused(model: str, problem: str) -> BandError:
    return BandError(
        ErrorCode.INVALID_REQUEST, f"request for model {model!r} {problem}", model=model
    )
