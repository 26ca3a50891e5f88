"""Parsed models and contents of slices are kept once, as long as somebody uses them."""

from band.model.model import Model
from band.model.tflite_reader import read_model
from band.runtime.memory import MemoryAccount
from band.runtime.stores import ModelStore, SliceStore
from band.testing import models

CHAIN = models.chain()
HALF = CHAIN.graph.compute_ops[:3]
REST = CHAIN.graph.compute_ops[3:]


def _again(name: str = "chain") -> Model:
    """Return the chain model, parsed once more."""
    return read_model(bytes(CHAIN.content), name=name)


def _store(unused_bytes: int = 0, budget_bytes: int = 1 << 30) -> tuple[SliceStore, MemoryAccount]:
    account = MemoryAccount(budget_bytes)
    return SliceStore(account, unused_bytes), account


def test_a_file_is_kept_parsed_once_until_its_last_user_goes() -> None:
    store = ModelStore()
    first = store.keep(_again())
    second = store.keep(_again())
    assert second is first
    named = store.keep(_again("other"))
    assert named.graph.name == "other"
    assert (named.tree, named.graph.ops) == (first.tree, first.graph.ops)
    assert named.tree is first.tree
    assert store.keep(models.residual()).graph.name == "residual"
    assert len(store) == 2
    for model in (first, second, named):
        assert len(store) == 2
        store.drop(model)
    assert len(store) == 1
    assert store.keep(_again()) is not first


def test_a_slice_is_cut_once_and_its_bytes_are_shared() -> None:
    store, account = _store()
    parts = [store.take(model, HALF) for model in (CHAIN, CHAIN, _again("other"))]
    assert all(part.content is parts[0].content for part in parts)
    whole = store.take(CHAIN, CHAIN.graph.compute_ops)
    assert whole.inputs == CHAIN.graph.inputs
    counts = store.counts()
    assert (counts.written, counts.hits, counts.contents) == (2, 2, 2)
    assert counts.content_bytes == len(parts[0].content) + len(whole.content)
    assert counts.used_bytes == 3 * len(parts[0].content) + len(whole.content)
    assert account.used_bytes == 0, "who loads a slice counts its bytes"


def test_what_nobody_uses_is_dropped() -> None:
    store, _ = _store()
    store.take(CHAIN, HALF)
    store.take(CHAIN, HALF)
    store.give_back(CHAIN, HALF)
    assert store.counts().contents == 1
    store.give_back(CHAIN, HALF)
    assert store.counts().contents == 0
    store.take(CHAIN, HALF)
    assert store.counts().written == 2


def test_a_bound_keeps_the_last_used_and_counts_it() -> None:
    store, account = _store()
    sizes = {ops: len(store.take(CHAIN, ops).content) for ops in (HALF, REST)}
    store, account = _store(unused_bytes=max(sizes.values()))
    for ops in (HALF, REST):
        store.take(CHAIN, ops)
        store.give_back(CHAIN, ops)
    assert store.unused_bytes == account.used_bytes == sizes[REST]
    store.take(CHAIN, REST)
    assert (store.counts().hits, account.used_bytes) == (1, 0)
    store.give_back(CHAIN, REST)
    store.trim()
    assert (store.unused_bytes, account.used_bytes, store.counts().contents) == (0, 0, 0)


def test_what_does_not_fit_the_budget_is_not_kept() -> None:
    store, account = _store(unused_bytes=1 << 20, budget_bytes=10)
    store.take(CHAIN, HALF)
    store.give_back(CHAIN, HALF)
    assert (store.counts().contents, account.used_bytes) == (0, 0)
