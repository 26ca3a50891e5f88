"""Backends for tests, found by their file names like all others while they are made known."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import band.runtime.backends


@contextmanager
def known_backends() -> Iterator[ModuleType]:
    """Make the backends of this folder known; gives the module ``scripted``, its scripts empty."""
    path = band.runtime.backends.__path__
    path.append(__path__[0])
    name = f"{band.runtime.backends.__name__}.scripted"
    try:
        yield importlib.import_module(name)
    finally:
        path.remove(__path__[0])
        sys.modules.pop(name, None)
