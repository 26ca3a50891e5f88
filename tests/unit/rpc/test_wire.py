"""Our wording of the inference protocol is wire-compatible, and lives beside other libraries'."""

import subprocess
import sys
from collections.abc import Iterator, Mapping

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from tritonclient.grpc import model_config_pb2, service_pb2

from band.rpc import wire
from band.rpc.methods import INFERENCE


def _messages(messages: Mapping[str, Descriptor]) -> Iterator[Descriptor]:
    for message in messages.values():
        yield message
        yield from _messages(message.nested_types_by_name)


def _shape(field: FieldDescriptor) -> tuple[object, ...]:
    inner = field.message_type or field.enum_type
    oneof = field.containing_oneof.name if field.containing_oneof else None
    return (
        field.number,
        field.type,
        field.is_repeated,
        field.has_presence,
        inner.full_name if inner else None,
        oneof,
    )


OURS = {m.full_name: m for m in _messages(wire.DESCRIPTOR.message_types_by_name)}
THEIRS = {
    message.full_name: message
    for file in (service_pb2.DESCRIPTOR, model_config_pb2.DESCRIPTOR)
    for message in _messages(file.message_types_by_name)
}


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_field_has_the_number_type_and_label_of_the_protocol(name: str) -> None:
    ours, theirs = OURS[name], THEIRS[name]
    assert {f.name: _shape(f) for f in ours.fields} == {
        f.name: _shape(theirs.fields_by_name[f.name]) for f in ours.fields
    }


def test_only_the_model_configuration_leaves_fields_out() -> None:
    shorter = {n for n in OURS if len(OURS[n].fields) < len(THEIRS[n].fields)}
    assert shorter == {"inference.ModelConfig", "inference.ModelInput", "inference.ModelOutput"}


def test_every_message_of_the_service_is_there() -> None:
    theirs = {m.full_name for m in _messages(service_pb2.DESCRIPTOR.message_types_by_name)}
    assert theirs <= set(OURS)


def test_datatype_numbers_are_those_of_the_protocol() -> None:
    assert dict(wire.DataType.items()) == dict(model_config_pb2.DataType.items())


def test_the_twenty_methods_are_those_of_the_protocol() -> None:
    theirs = service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"]
    expected = {
        m.name: (m.input_type.name, m.output_type.name, m.client_streaming, m.server_streaming)
        for m in theirs.methods
    }
    ours = {
        m.name: (
            m.request.DESCRIPTOR.name,
            m.response.DESCRIPTOR.name,
            m.streams_requests,
            m.streams_responses,
        )
        for m in INFERENCE.values()
    }
    assert ours == expected
    assert len(ours) == 20
    assert INFERENCE["ModelInfer"].path == "/inference.GRPCInferenceService/ModelInfer"


def test_the_bytes_of_a_request_are_the_same_in_both_libraries() -> None:
    ours = wire.ModelInferRequest(model_name="m", id="7")
    ours.inputs.add(name="x", datatype="FP32", shape=[1, 2])
    ours.parameters["priority"].uint64_param = 3
    ours.raw_input_contents.append(b"12345678")
    theirs = service_pb2.ModelInferRequest.FromString(ours.SerializeToString())
    assert theirs.inputs[0].shape == [1, 2]
    assert theirs.parameters["priority"].uint64_param == 3
    assert theirs.SerializeToString(deterministic=True) == ours.SerializeToString(
        deterministic=True
    )


@pytest.mark.parametrize("first", ["band.rpc.wire", "tritonclient.grpc"])
def test_both_libraries_import_in_one_process_in_either_order(first: str) -> None:
    order = sorted(("band.rpc.wire", "tritonclient.grpc"), key=lambda name: name != first)
    program = f"import {order[0]}, {order[1]}\nassert band.rpc.wire.ModelInferRequest"
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, timeout=60)
