"""What the protocol tells of a model: metadata and configuration."""

from typing import Final

from band.rpc import wire
from band.rpc.datatypes import config_type, datatype_name
from band.runtime.tensors import ModelInfo

MODEL_VERSION: Final = "1"
PLATFORM: Final = "tflite"
# ServerMetadata has no parameters, so the time scale travels as an extension with this prefix.
TIME_SCALE_EXTENSION: Final = "band_time_scale:"


def model_metadata(info: ModelInfo) -> wire.ModelMetadataResponse:
    """Return the metadata of a model."""
    response = wire.ModelMetadataResponse(
        name=info.name, versions=[MODEL_VERSION], platform=PLATFORM
    )
    for tensor in info.inputs:
        response.inputs.add(
            name=tensor.name, datatype=datatype_name(tensor.dtype), shape=tensor.shape
        )
    for tensor in info.outputs:
        response.outputs.add(
            name=tensor.name, datatype=datatype_name(tensor.dtype), shape=tensor.shape
        )
    return response


def model_config(info: ModelInfo) -> wire.ModelConfigResponse:
    """Return what the configuration extension tells of a model: one request, one execution."""
    config = wire.ModelConfig(name=info.name, platform=PLATFORM, backend="band", max_batch_size=0)
    for tensor in info.inputs:
        config.input.add(name=tensor.name, data_type=config_type(tensor.dtype), dims=tensor.shape)
    for tensor in info.outputs:
        config.output.add(name=tensor.name, data_type=config_type(tensor.dtype), dims=tensor.shape)
    return wire.ModelConfigResponse(config=config)
