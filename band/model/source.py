"""Opens a model by what a person types: a path or a name of the zoo, maybe with input shapes.

``melspectrogram.tflite?samples=1,16000`` is a file whose input ``samples`` is to be [1, 16000];
``&`` parts the shapes of several inputs.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from band.errors import BandError, ErrorCode
from band.model.cache import cached_path
from band.model.content import Content
from band.model.model import Model, with_input_shapes
from band.model.tflite_reader import read_model
from band.model.zoo import PulledFile, PulledSet, generated, pulled, unknown_model

Source = str | Path | Content | Model
"""A path or zoo name as text, a path, what a file holds, or a model."""

_SHAPES: Final = "?"


def is_path(ref: str) -> bool:
    """Return whether a model reference is a path; all others are names."""
    ref = ref.partition(_SHAPES)[0]
    return "/" in ref or "\\" in ref or ref.lower().endswith(".tflite")


def open_model(ref: str) -> Model:
    """Return a model by path or by zoo name.

    Args:
        ref: a path (it has a slash or ends in .tflite), a generated net, or a file of a pulled
            set; behind a question mark the shapes of inputs that the file leaves open.

    Raises:
        BandError: INVALID_REQUEST for shapes that do not fit or cannot be read; UNKNOWN_MODEL for
            a name in no table (the nearest ones are listed); NOT_FOUND for a missing file or a set
            that has not been pulled; INVALID_MODEL for a bad file.
    """
    name, shapes = split_reference(ref)
    model = _open(name)
    return with_input_shapes(model, shapes) if shapes else model


def split_reference(ref: str) -> tuple[str, dict[str, tuple[int, ...]]]:
    """Return the path or name of a model reference, and the input shapes behind it.

    Raises:
        BandError: INVALID_REQUEST if the shapes cannot be read.
    """
    name, mark, listed = ref.partition(_SHAPES)
    shapes = {}
    for entry in listed.split("&") if mark else ():
        tensor, _, sizes = entry.rpartition("=")
        try:
            shapes[tensor] = tuple(int(size) for size in sizes.split(","))
        except ValueError:
            msg = (
                f"cannot read the input shape {entry!r} of model {name!r}; "
                "write NAME=1,16000 behind the question mark"
            )
            raise BandError(ErrorCode.INVALID_REQUEST, msg, model=name) from None
    return name, shapes


def with_shapes_named(ref: str, shapes: Mapping[str, tuple[int, ...]]) -> str:
    """Return a model reference that also says the shapes of inputs."""
    listed = "&".join(f"{name}={','.join(map(str, shape))}" for name, shape in shapes.items())
    return f"{ref}{_SHAPES}{listed}" if listed else ref


def _open(ref: str) -> Model:
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


def to_model(source: Source) -> Model:
    """Return the model that somebody means: one already read, what a file holds, or a name of it.

    Raises:
        BandError: what :func:`open_model` and ``read_model`` raise.
    """
    if isinstance(source, Model):
        return source
    return open_model(source) if isinstance(source, str) else read_model(source)
