"""Asks a runtime for the shapes that a model file leaves out."""

from collections.abc import Mapping

from band.clock import MonotonicClock
from band.device.profile import Device, Processor
from band.errors import BandError, ErrorCode
from band.model.graph import input_shapes
from band.model.model import Model
from band.runtime.backends.protocol import BackendContext
from band.runtime.discovery import open_backend


def ask_shapes(model: Model, device: Device) -> Mapping[int, tuple[int, ...]]:
    """Return the shape of every tensor of a model, from the first available processor's runtime.

    Raises:
        BandError: NO_PROCESSOR if the device has none available; what the backend raises.
    """
    processor = first_available(device)
    context = BackendContext(device=device, clock=MonotonicClock(), seed=0)
    backend = open_backend(processor, context)
    try:
        return backend.shapes(model.source, input_shapes(model.graph))
    finally:
        backend.close()


def first_available(device: Device) -> Processor:
    """Return the first processor of a device that can be used.

    Raises:
        BandError: NO_PROCESSOR if there is none.
    """
    processor = next((p for p in device.processors if p.available), None)
    if processor is None:
        message = f"device {device.name} has no available processor; enable one"
        raise BandError(ErrorCode.NO_PROCESSOR, message, device=device.name)
    return processor
