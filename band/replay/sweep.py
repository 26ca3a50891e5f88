"""Plays a grid of traces, devices, policies and seeds through any executor."""

from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from contextlib import closing
from typing import Any, NamedTuple

from band.errors import BandError, ErrorCode
from band.replay.bound import demands, limits
from band.replay.models import prepare_models
from band.replay.progress import Progress, ignore_progress
from band.replay.sim import SimReplay
from band.replay.sweep_cell import Figures, failure, pack, pack_policy, play
from band.replay.sweep_grid import Cell, Grid, PlayedTrace
from band.replay.sweep_pools import OpenPool, Pool
from band.replay.sweep_store import CellStore


class Row(NamedTuple):
    """A cell and its figures."""

    cell: Cell
    figures: Figures

    @property
    def error(self) -> str | None:
        """Return why it failed, None if it did not."""
        failed: dict[str, str] | None = self.figures.get("error")
        return None if failed is None else failed["message"]

    @property
    def reports(self) -> tuple[str, ...]:
        """Return what must be known to read its figures, each a sentence."""
        return tuple(self.figures.get("reports", ()))

    def to_json(self) -> dict[str, Any]:
        """Return it as it stands in the document of a sweep."""
        cell = self.cell
        named = {
            "trace": cell.trace,
            "device": cell.device,
            "policy": cell.policy,
            "seed": cell.seed,
        }
        return {**named, **{k: v for k, v in self.figures.items() if k not in named}}


class _Job(NamedTuple):
    cell: Cell
    packed: bytes
    policy: bytes


def sweep(
    grid: Grid,
    open_pool: OpenPool,
    *,
    store: CellStore | None = None,
    progress: Progress = ignore_progress,
) -> tuple[Row, ...]:
    """Return all cells of a grid, in its order, whatever order they end in.

    A cell that fails has its reason in its row; the others go on.

    Args:
        grid: what to play.
        open_pool: where; opened only if there is something to play.
        store: cells that it has are not played; those that are played are added to it.
        progress: told of cells, the stage being "cells".

    Raises:
        BandError: UNREACHABLE if the cluster does not answer; a model of a trace cannot be opened.
    """
    cells = [cell for pair in grid.pairs() for cell in grid.cells(*pair)]
    known = {} if store is None else {c: store.done[c.key] for c in cells if c.key in store.done}
    done: dict[Cell, Figures] = dict(known)
    progress("cells", len(done), len(cells))
    if len(done) < len(cells):
        with closing(_played(_jobs(grid, done), open_pool)) as played:
            for cell, figures in played:
                done[cell] = figures
                if store is not None:
                    store.add(cell, figures)
                progress("cells", len(done), len(cells))
    return tuple(Row(cell, done[cell]) for cell in cells)


def _jobs(grid: Grid, done: dict[Cell, Figures]) -> Iterator[_Job | Row]:
    """Yield what is to be played, or the rows of what cannot be prepared."""
    policies = {policy.name: pack_policy(policy) for policy in grid.policies}
    for trace, device in grid.pairs():
        todo = [cell for cell in grid.cells(trace, device) if cell not in done]
        if not todo:
            continue
        try:
            packed = _packed(grid, trace, device[0])
        except BandError as error:
            yield from (Row(cell, failure(error.code, error.message)) for cell in todo)
            continue
        for cell in todo:
            yield _Job(cell, packed, policies[cell.policy])


def _packed(grid: Grid, trace: PlayedTrace, device_ref: str) -> bytes:
    """Prepare the models of a trace for a device."""
    device = dict(grid.devices)[device_ref]
    prepared = tuple(prepare_models(trace.models, device))
    replay = SimReplay(
        contents=trace.contents,
        device=device,
        prepared=prepared,
        limits=limits([one.usable for one in prepared], trace.contents, demands(trace.trace)),
        policy_dirs=grid.policy_dirs,
    )
    return pack(trace.trace, trace.contents, replay.setup)


def _played(jobs: Iterable[_Job | Row], open_pool: OpenPool) -> Generator[Row, None, None]:
    """Yield the rows as their cells end.

    When a process dies, its executor gives up all that it was given. One of these cells is the
    cause, so each is played again alone; then the rest goes on.
    """
    rest = iter(jobs)
    suspects: list[_Job] = []
    while True:
        with open_pool() as pool:
            yield from _stream(rest, pool, suspects)
        if not suspects:
            return
        for job in suspects:
            with open_pool() as pool:
                yield Row(job.cell, _alone(job, pool))
        suspects.clear()


def _stream(jobs: Iterator[_Job | Row], pool: Pool, suspects: list[_Job]) -> Iterator[Row]:
    """Yield rows until there are no more jobs, or the pool breaks and leaves suspects."""
    running: dict[Future[Figures], _Job] = {}
    exhausted = False
    while running or not exhausted:
        while not exhausted and not suspects and len(running) < pool.width:
            job = next(jobs, None)
            if job is None:
                exhausted = True
            elif isinstance(job, Row):
                yield job
            else:
                try:
                    running[pool.executor.submit(play, job.packed, job.policy, job.cell.seed)] = job
                except BrokenExecutor:
                    suspects.append(job)
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            job = running.pop(future)
            figures = _result(future)
            if figures is None:
                suspects.append(job)
            else:
                yield Row(job.cell, figures)
        if suspects and not running:
            return


def _alone(job: _Job, pool: Pool) -> Figures:
    figures = _result(pool.executor.submit(play, job.packed, job.policy, job.cell.seed))
    if figures is None:
        text = "the process that played this cell died, perhaps for want of memory; use fewer"
        return failure(ErrorCode.WORKER_DOWN, f"{text} --workers or a shorter trace")
    return figures


def _result(future: "Future[Figures]") -> Figures | None:
    """Return the figures of a cell, None if the executor broke."""
    try:
        return future.result()
    except BrokenExecutor:
        return None
    except Exception as error:  # noqa: BLE001 - whatever an executor raises is no figure
        return failure(ErrorCode.WORKER_DOWN, f"{type(error).__name__}: {error}")
