"""The gRPC server: threads, limits, address, health and reflection around the two services."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NoReturn

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from band.errors import BandError, ErrorCode
from band.rpc import wire
from band.rpc.address import Address, claimed, taken
from band.rpc.calls import MAX_CALLS
from band.rpc.methods import BAND, INFERENCE, Handler, Method, rpc_handler
from band.rpc.status import answered
from band.units import BYTES_PER_MIB
from band.v1 import band_pb2

# A call keeps a thread until it ends, and threads are made as they are needed. Beyond the calls
# that may wait for the engine there must be some to refuse more of them, and for everything else.
THREADS: Final = MAX_CALLS + 128
_SERVING: Final = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING: Final = health_pb2.HealthCheckResponse.NOT_SERVING
_SERVICES: Final = (INFERENCE, BAND)


class Server:
    """A gRPC server with both services, health checking and reflection.

    Args:
        address: where to listen; port 0 takes a free one.
        inference, band: handlers of the two services by method; a method without one answers
            UNIMPLEMENTED.
        max_message_mib: of one message, either way.
    """

    def __init__(
        self,
        address: Address,
        *,
        inference: Mapping[str, Handler],
        band: Mapping[str, Handler],
        max_message_mib: int,
    ) -> None:
        self._address = address
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="band-rpc")
        limit = max_message_mib * BYTES_PER_MIB
        self._server = grpc.server(
            self._pool,
            maximum_concurrent_rpcs=THREADS,
            options=(
                ("grpc.so_reuseport", 0),  # else two daemons share a port without a word
                ("grpc.max_receive_message_length", limit),
                ("grpc.max_send_message_length", limit),
            ),
        )
        self._health = health.HealthServicer()
        for methods, handlers in zip(_SERVICES, (inference, band), strict=True):
            self._add(methods, handlers)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self.set_serving(serving=False)
        reflection.enable_server_reflection(_names(), self._server, pool=_reflected())

    def start(self) -> str:
        """Listen and serve; return the address with the port that was taken.

        Raises:
            BandError: INVALID_CONFIG if the address is in use or not this machine's.
        """
        target = self._address.target
        try:
            with claimed(self._address):
                port = self._server.add_insecure_port(target)
                self._server.start()
        except RuntimeError as error:
            raise taken(target) from error
        if self._address.path is not None:
            return target
        return f"{target.rpartition(':')[0]}:{port}"

    def set_serving(self, *, serving: bool) -> None:
        """Tell health checks whether requests are taken."""
        for name in ("", *_names()):
            self._health.set(name, _SERVING if serving else _NOT_SERVING)

    def stop(self, grace_s: float) -> None:
        """Refuse new calls, give running ones some time, then cancel them."""
        self._server.stop(grace_s).wait()
        self._pool.shutdown()

    def _add(self, methods: Mapping[str, Method], handlers: Mapping[str, Handler]) -> None:
        table = {
            name: rpc_handler(method, answered(method, handlers.get(name, _unimplemented(method))))
            for name, method in methods.items()
        }
        service = next(iter(methods.values())).service
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(service, table),)
        )


def _names() -> tuple[str, ...]:
    return tuple(next(iter(methods.values())).service for methods in _SERVICES)


def _unimplemented(method: Method) -> Handler:
    def handler(_: Any, __: grpc.ServicerContext) -> NoReturn:
        raise BandError(
            ErrorCode.UNSUPPORTED_FEATURE,
            f"this daemon does not offer {method.name}; ServerMetadata lists what it offers",
        )

    return handler


def _reflected() -> DescriptorPool:
    """Return a pool with every file served: they come from two pools that must stay apart."""
    pool = DescriptorPool()
    for file in (
        wire.DESCRIPTOR,
        band_pb2.DESCRIPTOR,
        health_pb2.DESCRIPTOR,
        reflection_pb2.DESCRIPTOR,
    ):
        pool.AddSerializedFile(file.serialized_pb)
    return pool
