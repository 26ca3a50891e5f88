"""Where pulled models lie on disk."""

import os
from pathlib import Path

from band.model.zoo import PulledFile, PulledSet


def cache_dir() -> Path:
    """Return the folder of everything that can be fetched again.

    ``BAND_CACHE``, or ``band`` under ``XDG_CACHE_HOME``, or ``~/.cache/band``.
    """
    if own := os.environ.get("BAND_CACHE"):
        return Path(own)
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "band"


def set_dir(pulled: PulledSet) -> Path:
    """Return the folder of one set of models."""
    return cache_dir() / "models" / pulled.name


def cached_path(pulled: PulledSet, file: PulledFile) -> Path:
    """Return where a pulled file lies, whether it is there or not."""
    return set_dir(pulled) / f"{file.name}.tflite"


def is_cached(pulled: PulledSet, file: PulledFile) -> bool:
    """Return whether a file of the right size is there; its digest is checked when opened."""
    path = cached_path(pulled, file)
    return path.is_file() and path.stat().st_size == file.byte_count
