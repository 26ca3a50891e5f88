"""Opens a model by what a person types: a path or a name of the zoo."""

from band.errors import BandError, ErrorCode
from band.model.cache import cached_path
from band.model.model import Model
from band.model.tflite_reader import read_model
from band.model.zoo import PulledFile, PulledSet, generated, pulled, unknown_model


def is_path(ref: str) -> bool:
    """Return whether a model reference is a path; all others are names."""
    return "/" in ref or "\\" in ref or ref.lower().endswith(".tflite")


def open_model(ref: str) -> Model:
    """Return a model by path or by zoo name.

    Args:
        ref: a path (it has a slash or ends in .tflite), a generated net, or a file of a pulled set.

    Raises:
        BandError: UNKNOWN_MODEL for a name in no table (the nearest ones are listed); NOT_FOUND
            for a missing file or a set that has not been pulled; INVALID_MODEL for a bad file.
    """
    if is_path(ref):
        return read_model(ref)
    if net := generated(ref):
        return net.build()
    if found := pulled(ref):
        return _open_pulled(*found)
    raise unknown_model(ref)


def _open_pulled(of: PulledSet, file: PulledFile) -> Model:
    path = cached_path(of, file)
    if not path.is_file():
        msg = f"model {file.name!r} has not been pulled; run `band models pull {of.name}` once"
        raise BandError(ErrorCode.NOT_FOUND, msg, model=file.name, set=of.name)
    model = read_model(path)
    if model.graph.sha256 != file.sha256:
        msg = f"{path} is not the file that was pulled; run `band models pull {of.name}` again"
        raise BandError(ErrorCode.INVALID_MODEL, msg, model=file.name, set=of.name)
    return model
