"""Band's own service: the device, plans with reasons, policies, events, recordings, counts."""

import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc

from band.config.suggestion import suggestion
from band.errors import BandError, ErrorCode
from band.rpc.calls import Calls
from band.rpc.describe import device_message, model_message, plan_message, stats_message
from band.rpc.hub import Hub
from band.rpc.methods import Handler
from band.rpc.recording import Recordings
from band.rpc.records import event_message
from band.runtime.engine import Engine
from band.scheduler.loader import find_policies
from band.v1 import band_pb2


class BandService:
    """Handlers of ``band.v1.Band``.

    Args:
        engine: whose service it is.
        calls: of the inference service, which words what an unknown model is.
        hub: where the engine's records come from.
        recordings: starts and stops recordings.
        policy_dirs: searched for policies; a request can name installed ones, and those that it
            took out of force, such as the operator's own by path.
    """

    def __init__(
        self,
        engine: Engine,
        calls: Calls,
        *,
        hub: Hub,
        recordings: Recordings,
        policy_dirs: tuple[Path, ...],
    ) -> None:
        self._engine = engine
        self._calls = calls
        self._hub = hub
        self._recordings = recordings
        self._policy_dirs = policy_dirs
        # What the operator, or a request before, put in force may be named again.
        self._asked_for: set[str] = set()
        # A client that gives up puts back what was in force: that must come second.
        self._swapping = threading.Lock()

    def handlers(self) -> Mapping[str, Handler]:
        """Return the handler of each method."""
        return {
            "ListDevices": self._list_devices,
            "GetDevice": self._get_device,
            "ListModels": self._list_models,
            "GetPlan": self._get_plan,
            "ListPolicies": self._list_policies,
            "SwapPolicy": self._swap_policy,
            "WatchEvents": self._watch_events,
            "StartRecording": self._start_recording,
            "StopRecording": self._stop_recording,
            "Stats": self._stats,
        }

    def _list_devices(
        self, _: band_pb2.ListDevicesRequest, __: grpc.ServicerContext
    ) -> band_pb2.ListDevicesResponse:
        return band_pb2.ListDevicesResponse(devices=[self._device()])

    def _get_device(
        self, request: band_pb2.GetDeviceRequest, _: grpc.ServicerContext
    ) -> band_pb2.Device:
        name = self._engine.device.name
        if request.name not in ("", name):
            raise BandError(
                ErrorCode.UNKNOWN_DEVICE,
                f"this daemon coordinates the device {name!r}, not {request.name!r}",
                device=request.name,
            )
        return self._device()

    def _device(self) -> band_pb2.Device:
        return device_message(self._engine.device, self._engine.stats())

    def _list_models(
        self, _: band_pb2.ListModelsRequest, __: grpc.ServicerContext
    ) -> band_pb2.ListModelsResponse:
        names = [info.name for info in self._engine.models()]
        return band_pb2.ListModelsResponse(
            models=[model_message(self._engine.registration(name).prepared) for name in names]
        )

    def _get_plan(self, request: band_pb2.GetPlanRequest, _: grpc.ServicerContext) -> band_pb2.Plan:
        name = self._calls.model(request.model).name
        return plan_message(self._engine.registration(name).prepared, self._engine.device.name)

    def _list_policies(
        self, _: band_pb2.ListPoliciesRequest, __: grpc.ServicerContext
    ) -> band_pb2.ListPoliciesResponse:
        current = self._engine.stats().core.swapped
        response = band_pb2.ListPoliciesResponse(
            current=current.name,
            current_params_json=json.dumps(dict(current.params)),
            current_sha256=current.sha256,
        )
        for source in find_policies(self._policy_dirs).sources:
            info = source.info
            response.policies.add(
                name=source.name, aliases=info.aliases, summary=info.summary, source=info.source
            )
        return response

    def _swap_policy(
        self, request: band_pb2.SwapPolicyRequest, _: grpc.ServicerContext
    ) -> band_pb2.SwapPolicyResponse:
        params = _params(request.params_json)
        with self._swapping:
            self._asked_for.add(self._engine.stats().core.requested)
            if request.policy not in self._asked_for:
                self._check_installed(request.policy)
            self._engine.swap_policy(request.policy, params, sha256=request.sha256)
            return band_pb2.SwapPolicyResponse(policy=self._engine.stats().core.policy)

    def _check_installed(self, policy: str) -> None:
        """Refuse a path or an object: it would run code of the caller's choice in the daemon."""
        known = find_policies(self._policy_dirs).names
        if policy not in known:
            raise BandError(
                ErrorCode.UNKNOWN_POLICY,
                f"no policy {policy!r} is installed in this daemon; "
                f"{suggestion(policy, known, noun='policies')}",
                policy=policy,
            )

    def _watch_events(
        self, request: band_pb2.WatchEventsRequest, context: grpc.ServicerContext
    ) -> Iterator[band_pb2.Event]:
        if request.model:
            self._calls.model(request.model)
        with self._hub.watch(request.model) as watcher:
            # The headers tell the client that nothing from here on is missed.
            context.send_initial_metadata(())
            if not context.add_callback(watcher.close):
                return
            for seen in watcher:
                event = event_message(seen.record)
                event.lost = seen.lost
                yield event

    def _start_recording(
        self, request: band_pb2.StartRecordingRequest, _: grpc.ServicerContext
    ) -> band_pb2.StartRecordingResponse:
        path = self._recordings.start(request.name)
        return band_pb2.StartRecordingResponse(path=str(path))

    def _stop_recording(
        self, _: band_pb2.StopRecordingRequest, __: grpc.ServicerContext
    ) -> band_pb2.StopRecordingResponse:
        path, requests = self._recordings.stop()
        return band_pb2.StopRecordingResponse(path=str(path), requests=requests)

    def _stats(self, _: band_pb2.StatsRequest, __: grpc.ServicerContext) -> band_pb2.StatsResponse:
        return stats_message(self._engine.stats())


def _params(text: str) -> dict[str, Any]:
    if not text:
        return {}
    try:
        params = json.loads(text)
    except ValueError as error:
        raise BandError(
            ErrorCode.INVALID_REQUEST, f"params_json is not JSON: {error}; send one object"
        ) from error
    if not isinstance(params, dict):
        raise BandError(ErrorCode.INVALID_REQUEST, "params_json must be one JSON object")
    return params
