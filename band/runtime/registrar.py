"""Puts models on workers: plans, loads, measures; plans again around what does not load."""

import logging
from collections.abc import Mapping
from typing import Final

from band.device.profile import Device
from band.device.rules import idle_rules
from band.errors import BandError, ErrorCode
from band.model.graph import Graph, input_shapes
from band.model.model import Model
from band.runtime.backends.protocol import WorkerLostError
from band.runtime.loading import Loading, Registered, SliceRefusal, SliceTooLarge, ops_of
from band.runtime.memory import MemoryAccount
from band.runtime.options import EngineOptions
from band.runtime.refusals import with_refused
from band.runtime.registration import (
    AnalysisOptions,
    Memory,
    Prepared,
    SpanKey,
    prepare,
    refit,
)
from band.runtime.room import Room
from band.runtime.stores import SliceStore
from band.runtime.workforce import Post

_ROUNDS: Final = 16
_LOG = logging.getLogger(__name__)


class Registrar:
    """Loads models. One registration at a time; the caller sees to that.

    Args:
        device: its available processors have a worker each.
        posts: the workers, by processor.
        account: memory for slices is counted here.
        store: where slices come from.
        room: makes room for what is to be loaded.
        options: how models are cut and measured.
    """

    def __init__(
        self,
        device: Device,
        posts: Mapping[int, Post],
        account: MemoryAccount,
        store: SliceStore,
        room: Room,
        options: EngineOptions,
    ) -> None:
        self._device = device
        self._posts = posts
        self._account = account
        self._store = store
        self._room = room
        self._options = options
        self._profile = options.profile
        self._runs = options.profile_runs

    def add(self, model: Model, name: str, version: int) -> Registered:
        """Prepare a model, load its slices and measure them.

        What fails to load is refused to its processor, with the reason, and the model is planned
        again without it.

        Raises:
            BandError: what ``prepare`` raises; BACKEND_FAILED if slices keep failing;
                WORKER_DOWN if a processor went down meanwhile.
        """
        try:
            return self._add(model, name, version)
        except WorkerLostError as error:
            raise BandError(
                ErrorCode.WORKER_DOWN, f"model {name!r} cannot be loaded now: {error}", model=name
            ) from error

    def _add(self, model: Model, name: str, version: int) -> Registered:
        refused = self._probe(model.graph)
        options = self._options.analysis_of(name)
        for sentence in idle_rules(options.rules, self._device, model.graph):
            _LOG.warning("%s", sentence)
        prepared: Prepared | None = None
        sizes: dict[SpanKey, int] = {}
        failed = ""
        for _ in range(_ROUNDS):
            if prepared is None:
                device = with_refused(self._device, model.graph, refused)
                prepared = self._prepare(model, device, name, options, version)
            fitted = refit(prepared, sizes, options.plans, self._memory()) if sizes else prepared
            loading = Loading(self._posts, self._account, self._store, self._room, fitted)
            try:
                return loading.run(fitted.measured, self._runs)
            except SliceRefusal as refusal:
                loading.undo()
                ops = ops_of(fitted, refusal.span)
                reasons = refused.setdefault(refusal.span.processor, {})
                reasons.update(dict.fromkeys(ops, refusal.reason))
                failed = f"{self._device.processors[refusal.span.processor].name}: {refusal.reason}"
                prepared, sizes = None, {}
            except SliceTooLarge as large:
                loading.undo()
                sizes.update(large.sizes)
            except BaseException:
                loading.undo()
                raise
        raise BandError(
            ErrorCode.BACKEND_FAILED,
            f"model {name!r} does not load: after {_ROUNDS} attempts slices still fail or do not "
            f"fit; the last failure: {failed or 'none'}",
            model=name,
        )

    def _prepare(
        self, model: Model, device: Device, name: str, options: AnalysisOptions, version: int
    ) -> Prepared:
        return prepare(
            model,
            device,
            name=name,
            options=options,
            shapes=self._shapes,
            profile=self._profile,
            memory=self._memory(),
            version=version,
        )

    def _memory(self) -> Memory:
        return Memory(self._account.free_bytes, self._room.reclaimable)

    def _probe(self, graph: Graph) -> dict[int, dict[int, str]]:
        return {
            processor: {u.op: u.reason for u in post.worker.call(lambda b: b.probe(graph)).result()}
            for processor, post in self._posts.items()
        }

    def _shapes(self, model: Model) -> Mapping[int, tuple[int, ...]]:
        worker = next(iter(self._posts.values())).worker
        inputs = input_shapes(model.graph)
        return worker.call(lambda backend: backend.shapes(model.source, inputs)).result()
