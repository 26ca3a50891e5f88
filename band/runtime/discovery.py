"""Finds backends: a backend is one file in ``band/runtime/backends``, known by its file name.

A file is a backend if it has a class ``Backend`` and a frozen dataclass ``Options``. The name in a
device profile is the file's name with ``_`` written as ``-``.
"""

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import is_dataclass
from difflib import get_close_matches
from types import ModuleType

import band.runtime.backends
from band.config.params import parse_params
from band.device.profile import Processor
from band.errors import BandError, ErrorCode
from band.runtime.backends.protocol import Backend, BackendContext


def backend_names() -> tuple[str, ...]:
    """Return the names of all backends, sorted."""
    modules = (m.name for m in pkgutil.iter_modules(band.runtime.backends.__path__))
    return tuple(sorted(m.replace("_", "-") for m in modules if _is_backend(_import(m))))


def open_backend(processor: Processor, context: BackendContext) -> Backend:
    """Make the backend of a processor, in the thread that will use it.

    Raises:
        BandError: INVALID_CONFIG for a backend that does not exist or options it does not take;
            whatever the backend itself raises.
    """
    module = _module(processor)
    raw: Mapping[str, object] = dict(processor.options)
    options = parse_params(
        module.Options,
        raw,
        f"options of processor {processor.name!r} (backend {processor.backend})",
    )
    backend: Backend = module.Backend(processor, options, context)
    return backend


def _module(processor: Processor) -> ModuleType:
    name = processor.backend.replace("-", "_")
    if name.isidentifier():
        try:
            module = _import(name)
        except ModuleNotFoundError as error:
            if error.name != f"{band.runtime.backends.__name__}.{name}":
                raise  # the backend is there, something that it imports is not
        else:
            if _is_backend(module):
                return module
    names = backend_names()
    near = get_close_matches(processor.backend, names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(names)}"
    raise BandError(
        ErrorCode.INVALID_CONFIG,
        f"processor {processor.name!r} names the unknown backend {processor.backend!r}; {hint}",
        processor=processor.name,
        backend=processor.backend,
    )


def _import(name: str) -> ModuleType:
    return importlib.import_module(f"{band.runtime.backends.__name__}.{name}")


def _is_backend(module: ModuleType) -> bool:
    return hasattr(module, "Backend") and is_dataclass(getattr(module, "Options", None))
