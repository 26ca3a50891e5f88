"""One table of the methods of both services; handlers and stubs are made from it.

The table is read off the service descriptors, so the .proto files are the only place that names
methods, their messages and which side streams.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from band.rpc import wire
from band.v1 import band_pb2

Handler = Callable[[Any, grpc.ServicerContext], Any]


class Method(NamedTuple):
    """One remote method.

    Attributes:
        service: full name of its service.
        streams_requests, streams_responses: which side sends any number of messages.
    """

    service: str
    name: str
    request: type[Message]
    response: type[Message]
    streams_requests: bool
    streams_responses: bool

    @property
    def path(self) -> str:
        """Return the path of the method on the wire."""
        return f"/{self.service}/{self.name}"


def _methods(service: ServiceDescriptor) -> Mapping[str, Method]:
    return {
        method.name: Method(
            service=service.full_name,
            name=method.name,
            request=GetMessageClass(method.input_type),
            response=GetMessageClass(method.output_type),
            streams_requests=method.client_streaming,
            streams_responses=method.server_streaming,
        )
        for method in service.methods
    }


INFERENCE: Final = _methods(wire.DESCRIPTOR.services_by_name["GRPCInferenceService"])
BAND: Final = _methods(band_pb2.DESCRIPTOR.services_by_name["Band"])


def rpc_handler(method: Method, handler: Handler) -> "grpc.RpcMethodHandler[Any, Any]":
    """Return the server side of a method; its handler gets bytes and answers with messages."""
    make = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[method.streams_requests, method.streams_responses]
    return make(
        handler,
        request_deserializer=None,  # ``status.answered`` parses: bad bytes are the client's fault
        response_serializer=method.response.SerializeToString,
    )


def stub(channel: grpc.Channel, method: Method) -> Any:
    """Return the client side of a method: a gRPC multi-callable of the matching kind."""
    make = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, False): channel.stream_unary,
        (True, True): channel.stream_stream,
    }[method.streams_requests, method.streams_responses]
    return make(
        method.path,
        request_serializer=method.request.SerializeToString,
        response_deserializer=method.response.FromString,
    )
