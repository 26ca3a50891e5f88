"""The messages of the Open Inference Protocol, in a descriptor pool of their own.

The classes come from the committed descriptor set of ``protos/inference/v2/inference.proto``
(``make protos``). They stay out of protobuf's default pool, because there a second file that
defines package ``inference``, such as a KServe client library's, is an error. Their types are in
``wire.pyi``.
"""

from pathlib import Path

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

_POOL = descriptor_pool.DescriptorPool()
for _file in descriptor_pb2.FileDescriptorSet.FromString(
    Path(__file__).with_name("inference.binpb").read_bytes()
).file:
    _POOL.Add(_file)

DESCRIPTOR = _POOL.FindFileByName("inference/v2/inference.proto")

globals().update(
    {
        name: message_factory.GetMessageClass(descriptor)
        for name, descriptor in DESCRIPTOR.message_types_by_name.items()
    }
)
globals().update(
    {name: EnumTypeWrapper(enum) for name, enum in DESCRIPTOR.enum_types_by_name.items()}
)
