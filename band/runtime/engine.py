"""The engine: many models, one device, one scheduler, in this process.

    with Engine(load_device("host")) as engine:
        engine.register("hand_landmark.tflite")
        result = engine.infer("hand_landmark", {"input_1": image}, slo_us=33_000)

The core is driven by whoever has something to tell it, one at a time; one worker thread owns each
processor, and a delivery thread talks to the outside. ``submit`` may be called from any thread,
and from callbacks.
"""

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, Self, Unpack

from band.clock import MonotonicClock
from band.config.params import parse_params
from band.config.scheduler import check_reservations
from band.device.profile import Device
from band.errors import BandError, ErrorCode
from band.metrics.recorder import Recorder
from band.model.source import Source, to_model
from band.runtime.advisor import Advisor
from band.runtime.delivery import Delivery, Observer
from band.runtime.driver import Driver
from band.runtime.futures import InferFuture, InferResult
from band.runtime.intake import Intake
from band.runtime.loading import Registered
from band.runtime.memory import BufferPool, MemoryAccount
from band.runtime.options import EngineOptions
from band.runtime.overrun import OverrunWatch
from band.runtime.requests import RequestMaker, RequestParameters
from band.runtime.service import SliceService
from band.runtime.stats import EngineStats, take_stats
from band.runtime.tensors import ModelInfo, TensorInfo
from band.runtime.workforce import Workforce
from band.scheduler.core import Core
from band.scheduler.events import Cancelled
from band.scheduler.loader import make_policy, policy_swapped
from band.scheduler.options import CoreOptions

_SWITCH_INTERVAL_S: Final = 2e-4


class Engine:
    """Serves models on one device.

    While it is open, Python's thread switch interval is 0.2 ms: with the default of 5 ms, a
    thread that computes in Python would hold back the end of every slice for that long.

    Args:
        device: where models run. Device time is wall time divided by its ``time_scale``.
        policy: name, alias, ``path.py`` or ``package:object``.
        policy_params: parameters of the policy; the others take their defaults.
        policy_dirs: folders with more policies, found by name.
        options: settings.
        recorder: is given every event of the core with its commands.

    Attributes:
        clock: device time; all times of requests and records are its times.

    Raises:
        BandError: the policy or a backend cannot be used.
    """

    def __init__(
        self,
        device: Device,
        *,
        policy: str = "shortest_expected_latency",
        policy_params: Mapping[str, Any] | None = None,
        policy_dirs: Sequence[Path] = (),
        options: EngineOptions | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        options, self.device = options or EngineOptions(), device
        _check_device(device, options.core)
        self.clock = MonotonicClock(time_scale=device.time_scale)
        self._start_us = self.clock.now_us()
        self._policy_event = partial(policy_swapped, policy_dirs=policy_dirs, parse=parse_params)
        opening = self._policy_event(policy, policy_params)
        self._intake = Intake()
        self._requests = RequestMaker(device, self.cancel)
        self._account = MemoryAccount(device.memory_budget_bytes)
        self._pool = BufferPool(self._account)
        self._delivery = Delivery()
        self._driver = Driver(
            core=_core(options.core, policy_dirs),
            clock=self.clock,
            pool=self._pool,
            delivery=self._delivery,
            recorder=recorder,
            watch=_watch(options),
            default_priority=options.core.default_priority,
            delivered=self._intake.delivered,
        )
        try:
            self._workforce = Workforce(device, self.clock, options.seed, self._driver.report)
        except BaseException:
            self._delivery.close()
            raise
        posts = self._workforce.posts
        self._slices = SliceService(
            device, posts, self._pool, self._driver, self.clock, options, self._intake.check
        )
        self._registry = self._slices.registry
        self._switch_interval_s = sys.getswitchinterval()
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        self._advisor = Advisor(self._driver.post, options.advise_ms)
        self._driver.start(posts, self._slices.mover, self._slices.room, self._advisor, opening)
        try:
            self._check_policy()
        except BandError:
            self.close()
            raise

    def register(self, source: Source, *, name: str | None = None) -> ModelInfo:
        """Load a model on the processors; when this returns it can be used.

        Registering the same file under the same name again changes nothing.

        Args:
            source: a path, a zoo name, the bytes of a file, or a model.
            name: to use it by; the model's own if None.

        Raises:
            BandError: MODEL_EXISTS for another file of that name; INVALID_MODEL,
                UNSUPPORTED_MODEL, OUT_OF_MEMORY and others if it cannot be served.
        """
        model = to_model(source)
        return self._registry.add(model, name or model.graph.name).live.info

    def unregister(self, name: str) -> None:
        """Forget a model and free what it takes. Its waiting requests end as dropped.

        Raises:
            BandError: UNKNOWN_MODEL.
        """
        self._registry.remove(name)

    def models(self) -> tuple[ModelInfo, ...]:
        """Return the registered models, in the order of their registration."""
        return tuple(registered.live.info for registered in self._registry.all())

    def model(self, name: str) -> ModelInfo:
        """Return one registered model.

        Raises:
            BandError: UNKNOWN_MODEL.
        """
        return self._registry.get(name).live.info

    def registration(self, name: str) -> Registered:
        """Return how a model is cut, what is loaded of it where, and what was measured.

        Raises:
            BandError: UNKNOWN_MODEL.
        """
        return self._registry.get(name).now()

    def submit(
        self, model: str, inputs: Mapping[str, Any], **parameters: Unpack[RequestParameters]
    ) -> InferFuture:
        """Ask for one execution of a model; the inputs are copied before this returns.

        Args:
            model: registered name.
            inputs: name -> array of exactly the declared type and shape.
            **parameters: see :class:`~band.runtime.requests.RequestParameters`.

        Raises:
            BandError: UNKNOWN_MODEL; INVALID_REQUEST naming the tensor or parameter; DRAINING
                after ``drain`` or ``close``.
        """
        now_us = self.clock.now_us()
        job = self._requests.make(self._registry.get(model).live, inputs, parameters, now_us)
        with self._intake.accept():
            self._driver.submit(job)
        return job.future

    infer_async = submit

    def infer(
        self, model: str, inputs: Mapping[str, Any], **parameters: Unpack[RequestParameters]
    ) -> InferResult:
        """Run a model and wait for the result.

        Raises:
            BandError: what ``submit`` raises, or why the request did not complete.
        """
        return self.submit(model, inputs, **parameters).result()

    def cancel(self, request: int) -> None:
        """Cancel a request; nothing happens if it has ended."""
        self._driver.post(Cancelled(request))

    def swap_policy(
        self, policy: str, params: Mapping[str, Any] | None = None, *, sha256: str = ""
    ) -> None:
        """Put another policy in force, between two decisions; no request is lost.

        One of another file than ``sha256`` says is refused.

        Raises:
            BandError: UNKNOWN_POLICY, INVALID_CONFIG or POLICY_FAILED; then nothing has changed,
                or the default policy is in force if only its construction failed.
        """
        self._driver.post(self._policy_event(policy, params, sha256=sha256))
        self._check_policy()

    def stats(self) -> EngineStats:
        """Return counts and the scheduler's state, consistent with one another."""
        return self._driver.ask(
            lambda core: take_stats(
                core.status(),
                self._driver.counters,
                self._workforce.posts,
                self._pool,
                slices=self._slices.counts(),
                accepted=self._intake.accepted,
                down=self._driver.down(),
                up_us=self.clock.now_us() - self._start_us,
            )
        )

    def add_observer(self, observer: Observer) -> None:
        """Give every TaskRecord and RequestRecord from now on to a function.

        It is called in the delivery thread, a request's record before its result is out.
        """
        self._delivery.add_observer(observer)

    def drain(self, timeout_s: float | None = None) -> bool:
        """Accept nothing new and wait for what is under way.

        Args:
            timeout_s: wall time to wait at most; for ever if None.

        Returns:
            Whether everything has ended.
        """
        return self._intake.drain(timeout_s)

    def close(self) -> None:
        """Cancel what is under way, free everything and end all threads. May be called again."""
        if not self._intake.end():
            return
        self._driver.stop()
        self._advisor.close()
        self._workforce.close()
        self._slices.close()
        self._delivery.close()
        sys.setswitchinterval(self._switch_interval_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _check_policy(self) -> None:
        """Raise if the policy asked for last could not be put in force."""
        status = self._driver.ask(lambda core: core.status())
        if status.replaced:
            raise BandError(
                ErrorCode.POLICY_FAILED,
                f"policy {status.requested!r} cannot be used: {status.reason}",
                policy=status.requested,
            )

    def __repr__(self) -> str:
        return f"<Engine {self.device.name} {self._registry!r} accepted={self._intake.accepted}>"


def _core(options: CoreOptions, policy_dirs: Sequence[Path]) -> Core:
    return Core(make_policy=partial(make_policy, policy_dirs=policy_dirs), options=options)


def _watch(options: EngineOptions) -> OverrunWatch | None:
    budget_us = options.policy_budget_us
    return None if budget_us is None else OverrunWatch(budget_us)


def _check_device(device: Device, core: CoreOptions) -> None:
    check_reservations(core, device)
    real = [p.name for p in device.processors if p.available and not p.emulated]
    if device.time_scale != 1 and real:
        raise BandError(
            ErrorCode.INVALID_CONFIG,
            f"device {device.name!r} has time_scale {device.time_scale}, but processor {real[0]!r} "
            "is not emulated and runs in real time; set time_scale to 1",
            device=device.name,
        )


__all__ = ["Engine", "EngineOptions", "InferFuture", "InferResult", "ModelInfo", "TensorInfo"]
