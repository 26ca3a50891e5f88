"""The TFLite interpreter as the CPU-computed backends use it, in either of its two packages.

Both packages have the same ``Interpreter`` class. It must not be called from two threads at once,
and releases the interpreter lock of Python in ``invoke`` only: allocating holds it.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from band.analysis.partition import Unsupported
from band.device.profile import Processor
from band.errors import BandError, ErrorCode
from band.model.graph import Graph
from band.runtime.backends.kernels import LITERT, TFLITE, without_kernel
from band.runtime.backends.known_shapes import known_shapes
from band.runtime.backends.native_log import notices_hidden
from band.runtime.backends.ports import ports
from band.runtime.backends.protocol import Allocate, Array, LoadedSlice

DELEGATE: Final = "xnnpack"
"""Both packages hand what they can to XNNPACK unless told otherwise, and nothing here does."""

_MODULES: Final = {LITERT: "ai_edge_litert.interpreter", TFLITE: "tflite_runtime.interpreter"}
_INSTALL: Final = {LITERT: "ai-edge-litert", TFLITE: "'band-scheduler[tflite-runtime]'"}
_SET_TENSOR_BYTES: Final = 1 << 20
_RUNTIME_ERRORS: Final = (RuntimeError, ValueError, TypeError, SystemError)


class Runtime(NamedTuple):
    """One installed interpreter package; ``plain_resolver`` asks it for no delegate at all."""

    name: str
    version: str
    interpreter: Callable[..., Any]
    plain_resolver: Any

    def unsupported(self, graph: Graph, processor: str) -> tuple[Unsupported, ...]:
        """Return the ops that the package has no kernel for."""
        return without_kernel(graph, self.name, self.version, processor)


def installed_version(name: str) -> str | None:
    """Return the version of an interpreter package that is installed here, None if none is."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def open_runtime(name: str, processor: str) -> Runtime:
    """Return an interpreter package, imported.

    Args:
        name: ``ai-edge-litert`` or ``tflite-runtime``.
        processor: who wants it, for the messages.

    Raises:
        BandError: INVALID_CONFIG for another name; BACKEND_FAILED if the package is missing or
            cannot work with the numpy that is installed.
    """
    if name not in _MODULES:
        raise BandError(
            ErrorCode.INVALID_CONFIG,
            f"processor {processor!r} asks for the runtime {name!r}; "
            f"there are {' and '.join(_MODULES)}",
            processor=processor,
        )
    version = installed_version(name)
    if version is None:
        raise BandError(
            ErrorCode.BACKEND_FAILED,
            f"processor {processor!r} needs the package {name}, which is not installed: "
            f"run pip install {_INSTALL[name]}",
            processor=processor,
        )
    # Checked here because under numpy 2 the import works and only a real inference dies.
    if name == TFLITE and int(np.__version__.split(".", maxsplit=1)[0]) >= 2:
        raise BandError(
            ErrorCode.BACKEND_FAILED,
            f"processor {processor!r} runs on tflite-runtime {version}, which cannot work with "
            f"numpy {np.__version__}: install numpy<2",
            processor=processor,
        )
    with notices_hidden():
        module = import_module(_MODULES[name])
    plain = module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    return Runtime(name, version, module.Interpreter, plain)


class LoadedModel:
    """One slice in one allocated interpreter.

    Args:
        runtime: the package that runs it.
        content: the file; kept alive, since the interpreter reads weights from these bytes.
        inputs, outputs: original tensor ids in the order of the file.
        threads: for the interpreter's own pool.

    Raises:
        BandError: BACKEND_FAILED if the runtime refuses the file; UNSUPPORTED_FEATURE if an input
            or output has strings.
    """

    def __init__(
        self,
        runtime: Runtime,
        content: bytes,
        inputs: tuple[int, ...],
        outputs: tuple[int, ...],
        threads: int,
    ) -> None:
        self._content = content
        self._interpreter = _allocated(runtime, content, threads)
        made = self._interpreter
        self._inputs = ports(made, inputs, made.get_input_details())
        self._outputs = ports(made, outputs, made.get_output_details())

    @property
    def load_bytes(self) -> int:
        """Return an estimate of the memory it takes.

        The file's bytes, the packed copy of its weights (fp16 weights are unpacked to twice
        their size), and the two largest activations that are visible.
        """
        details = self._interpreter.get_tensor_details()
        half = any(d["dtype"] is np.float16 for d in details)
        sizes: list[int] = sorted(
            int(np.prod(d["shape"], dtype=np.int64)) * np.dtype(d["dtype"]).itemsize
            for d in details
        )
        return len(self._content) * (3 if half else 2) + sum(sizes[-2:])

    def set_inputs(self, inputs: Mapping[int, Array]) -> None:
        """Copy the inputs in, by original tensor id.

        Raises:
            BandError: BACKEND_FAILED if one is missing or does not fit.
        """
        for port in self._inputs:
            value = inputs.get(port.tensor)
            if value is None:
                raise BandError(
                    ErrorCode.BACKEND_FAILED,
                    f"the slice reads tensor {port.tensor}, which nobody has produced",
                    tensor=port.tensor,
                )
            try:
                if value.nbytes < _SET_TENSOR_BYTES:
                    self._interpreter.set_tensor(port.position, value)
                else:
                    np.copyto(port.view(), value, casting="no")
            except _RUNTIME_ERRORS as error:
                raise _failed(f"the slice refused its input tensor {port.tensor}", error) from error

    def invoke(self) -> None:
        """Run once.

        Raises:
            BandError: BACKEND_FAILED if the runtime reports an error.
        """
        try:
            self._interpreter.invoke()
        except _RUNTIME_ERRORS as error:
            raise _failed("the slice failed to run", error) from error

    def copy_outputs(self, allocate: Allocate) -> dict[int, Array]:
        """Return copies of the outputs, by original tensor id.

        No view outlives the call: one that is alive makes the next ``invoke`` fail.
        """
        outputs: dict[int, Array] = {}
        for port in self._outputs:
            view = port.view()
            copy = allocate(port.tensor, view.shape, view.dtype)
            copy[...] = view  # np.copyto takes twice as long when nothing of it is cached
            outputs[port.tensor] = copy
            del view
        return outputs


class InterpreterBackend:
    """What the backends that compute with an interpreter share: all but ``info`` and ``run``.

    Args:
        processor: whose ``runtime`` and ``threads`` it uses.

    Attributes:
        loads: how many slices it has loaded so far.

    Raises:
        BandError: see :func:`open_runtime`.
    """

    def __init__(self, processor: Processor) -> None:
        self.loads = 0
        self.processor = processor
        self.runtime = open_runtime(processor.runtime, processor.name)
        self.slices: dict[int, LoadedModel] = {}

    def probe(self, graph: Graph) -> tuple[Unsupported, ...]:
        """Return the ops that the runtime has no kernel for."""
        return self.runtime.unsupported(graph, self.processor.name)

    def shapes(
        self, source: bytes | Path, inputs: Mapping[int, tuple[int, ...]]
    ) -> Mapping[int, tuple[int, ...]]:
        """Return the shape of every tensor that has one before the model runs.

        Raises:
            BandError: BACKEND_FAILED if the runtime refuses the model.
        """
        what = f"{self.runtime.name} {self.runtime.version} refused the model"
        with runtime_errors(what), notices_hidden():
            return known_shapes(self.runtime, source, inputs)

    def load(
        self, content: bytes, inputs: tuple[int, ...], outputs: tuple[int, ...]
    ) -> LoadedSlice:
        """Load and allocate a slice.

        Raises:
            BandError: BACKEND_FAILED if the runtime refuses the slice.
        """
        model = LoadedModel(self.runtime, content, inputs, outputs, self.processor.threads)
        self.loads += 1
        self.slices[self.loads] = model
        return LoadedSlice(self.loads, model.load_bytes)

    def unload(self, handle: int) -> None:
        """Free a loaded slice."""
        self.slices.pop(handle, None)

    def close(self) -> None:
        """Free everything."""
        self.slices.clear()


@contextmanager
def runtime_errors(what: str) -> Iterator[None]:
    """Turn what an interpreter raises into one sentence.

    Raises:
        BandError: BACKEND_FAILED.
    """
    try:
        yield
    except _RUNTIME_ERRORS as error:
        raise _failed(what, error) from error


def _failed(what: str, error: Exception) -> BandError:
    return BandError(ErrorCode.BACKEND_FAILED, f"{what}: {' '.join(str(error).split())}")


def _allocated(runtime: Runtime, content: bytes, threads: int) -> Any:
    with runtime_errors(f"{runtime.name} {runtime.version} refused the slice"), notices_hidden():
        interpreter = runtime.interpreter(model_content=content, num_threads=threads)
        interpreter.allocate_tensors()
        return interpreter
