"""The models of a trace: opened, checked against its header, prepared for a device."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from band.device.profile import Device
from band.errors import BandError, ErrorCode
from band.model.model import Model
from band.model.source import open_model
from band.runtime.profiling import Profile
from band.runtime.registration import AnalysisOptions, Memory, Prepared, prepare
from band.runtime.shapes import ask_shapes
from band.trace.contents import TraceContents
from band.trace.schema import Trace, TraceModel


def open_models(trace: Trace, contents: TraceContents) -> Iterator[tuple[str, Model]]:
    """Yield (name, model) for the models that a trace uses, in the order of its header.

    Raises:
        BandError: NOT_FOUND, UNKNOWN_MODEL or INVALID_MODEL as ``open_model`` says; INVALID_TRACE
            if a file is not the one that the trace was made with.
    """
    for model in trace.header.models:
        if contents.models[model.name]:
            yield model.name, _open(model, trace.folder)


def prepare_models(
    models: Mapping[str, Model],
    device: Device,
    *,
    profile: Profile | None = None,
    options: AnalysisOptions | None = None,
) -> Iterator[Prepared]:
    """Yield models as an engine would register them one after the other, without loading them.

    Args:
        models: by the name to register them with.
        device: its memory budget is shared by all of them.
        profile: measured costs.
        options: of the analysis.

    Raises:
        BandError: what ``prepare`` raises.
    """
    free_bytes = device.memory_budget_bytes
    for name, model in models.items():
        prepared = prepare(
            model,
            device,
            name=name,
            options=options,
            shapes=lambda found: ask_shapes(found, device),
            profile=profile,
            memory=Memory(free_bytes),
        )
        size = {(s.first, s.last, s.processor): s.load_bytes for s in prepared.table.spans}
        free_bytes -= sum(size[key] for key in prepared.loads)
        yield prepared


def _open(model: TraceModel, folder: str) -> Model:
    reference = model.reference
    if model.path is not None:
        reference = str((Path(folder) / model.path).absolute())
    opened = open_model(reference)
    if model.sha256 is not None and opened.graph.sha256 != model.sha256:
        raise BandError(
            ErrorCode.INVALID_TRACE,
            f"model {model.name!r} ({reference}) is not the file the trace was made with; "
            "generate the trace anew or bring the file back",
            model=model.name,
        )
    return opened
