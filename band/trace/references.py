"""How a trace refers to its models: zoo name or path relative to the trace, and the file's sha256.

The digest of a pulled model is known before it is pulled, so a trace has the same bytes on a
machine that has the models and on one that has not.
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from band.errors import BandError, ErrorCode
from band.model.source import is_path, split_reference
from band.model.zoo import generated, pulled, unknown_model
from band.trace.schema import TraceModel


def trace_models(
    references: Mapping[str, str], *, base: Path, folder: Path, must_exist: bool = True
) -> tuple[TraceModel, ...]:
    """Return the models of a trace's header.

    Args:
        references: name used by requests -> zoo name or path.
        base: folder that relative paths start from.
        folder: of the trace; paths are written relative to it.
        must_exist: refuse a path where there is no file; otherwise it has no sha256.

    Raises:
        BandError: UNKNOWN_MODEL for a name in no table; NOT_FOUND for a missing file.
    """
    return tuple(
        _from_path(name, base / reference, folder, must_exist)
        if is_path(reference)
        else TraceModel(name=name, zoo=reference, sha256=_zoo_sha256(reference))
        for name, reference in references.items()
    )


def _from_path(name: str, path: Path, folder: Path, must_exist: bool) -> TraceModel:
    file = Path(split_reference(str(path))[0])
    if not file.is_file() and must_exist:
        raise BandError(ErrorCode.NOT_FOUND, f"model {name!r}: there is no file {file}", model=name)
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None
    return TraceModel(name=name, path=os.path.relpath(path, folder), sha256=sha256)


def _zoo_sha256(name: str) -> str:
    if net := generated(name):
        return net.build().graph.sha256
    if found := pulled(name):
        return found[1].sha256
    raise unknown_model(name)
