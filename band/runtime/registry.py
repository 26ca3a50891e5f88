"""The registered models of an engine."""

import threading
from collections.abc import Callable
from itertools import count

from band.errors import BandError, ErrorCode
from band.model.graph import input_shapes
from band.model.model import Model
from band.runtime.driver import Driver
from band.runtime.loading import Registered
from band.runtime.mover import Mover
from band.runtime.registrar import Registrar
from band.runtime.room import Room
from band.runtime.stores import ModelStore
from band.scheduler.events import ModelAdded, ModelRemoved


class Registry:
    """Adds and removes models, one at a time, while others are being served.

    Args:
        registrar: loads them.
        driver: tells the core.
        mover: carries out what the core asks for them afterwards.
        room: is told what comes and goes.
        trim: frees what is kept for later only; called before a model is loaded.
        check_open: raises if nothing new may come in.
    """

    def __init__(
        self,
        registrar: Registrar,
        driver: Driver,
        mover: Mover,
        room: Room,
        trim: Callable[[], None],
        check_open: Callable[[], None],
    ) -> None:
        self._registrar = registrar
        self._driver = driver
        self._mover = mover
        self._room = room
        self._trim = trim
        self._parsed = ModelStore()
        self._check_open = check_open
        self._models: dict[str, Registered] = {}
        self._versions = count(1)
        self._turn = threading.Lock()

    def add(self, model: Model, name: str) -> Registered:
        """Load a model and make it known; the same file under the same name is known already.

        Raises:
            BandError: MODEL_EXISTS for another file of that name, or other shapes of its inputs;
                what loading it raises.
        """
        with self._turn:
            self._check_open()
            known = self._models.get(name)
            if known is None:
                known = self._models[name] = self._load(model, name)
            elif not _is_same(known, model):
                raise BandError(
                    ErrorCode.MODEL_EXISTS,
                    f"another model is registered as {name!r}; unregister it or choose a name",
                    model=name,
                )
            return known

    def _load(self, model: Model, name: str) -> Registered:
        self._trim()
        model = self._parsed.keep(model)
        try:
            loaded = self._registrar.add(model, name, next(self._versions))
        except BaseException:
            self._parsed.drop(model)
            self._room.release()
            raise
        prepared = loaded.prepared
        self._mover.adopt(loaded)
        slices_bytes = self._room.admit(name, prepared.boundary_bytes)
        self._driver.post(
            ModelAdded(prepared.table, prepared.loads, prepared.stateful, slices_bytes)
        )
        return loaded

    def remove(self, name: str) -> None:
        """Forget a model and free what it takes, after the tasks that still run on its slices.

        Raises:
            BandError: UNKNOWN_MODEL.
        """
        with self._turn:
            registered = self.get(name)
            del self._models[name]
            self._driver.post(ModelRemoved(name))  # the core asks for each slice to be evicted
            self._mover.abandon(registered)
            self._parsed.drop(registered.prepared.model)
            self._trim()
            self._room.dismiss(name)

    def get(self, name: str) -> Registered:
        """Return one model.

        Raises:
            BandError: UNKNOWN_MODEL.
        """
        registered = self._models.get(name)
        if registered is None:
            names = ", ".join(sorted(self._models)) or "none"
            raise BandError(
                ErrorCode.UNKNOWN_MODEL,
                f"Request for unknown model: {name!r} is not found; registered: {names}",
                model=name,
            )
        return registered

    @property
    def parsed(self) -> int:
        """Return how many distinct files are kept parsed."""
        return len(self._parsed)

    def all(self) -> tuple[Registered, ...]:
        """Return all models in the order of their registration."""
        return tuple(self._models.values())

    def __repr__(self) -> str:
        return f"<Registry {', '.join(self._models) or 'empty'}>"


def _is_same(known: Registered, model: Model) -> bool:
    """Return whether a model is the registered one: the same file for inputs of the same shape."""
    shapes = {tensor.index: tensor.shape for tensor in known.live.info.inputs}
    given = input_shapes(model.graph)
    return known.live.info.sha256 == model.graph.sha256 and all(
        shapes[tensor] == shape for tensor, shape in given.items()
    )
