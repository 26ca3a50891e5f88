"""Sweeps: every cell once, in order, whatever fails on the way, and none twice."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from band.errors import BandError, ErrorCode
from band.replay.policies import choose_policies
from band.replay.replay import compare, sim_runner, summaries
from band.replay.sweep import Row, sweep
from band.replay.sweep_grid import Grid, make_grid
from band.replay.sweep_output import csv_text, document, table, write_parquet
from band.replay.sweep_pools import Pool, pool_opener
from band.replay.sweep_store import FILE, CellStore
from band.testing import models
from band.testing.policy_files import write_policy
from band.trace.contents import contents
from band.trace.reader import read_trace
from band.trace.schema import Frame, Header, Node, Trace, TraceModel
from band.trace.writer import write_trace

POLICIES = ("heft", "shortest_expected_latency")
DEVICES = ("pixel4", "coral_dev_board")
POISON = "poison"


@pytest.fixture
def trace(tmp_path: Path) -> str:
    """Half a second of 50 frames per second: a chain, due 15 ms after the frame."""
    model = models.chain()
    (tmp_path / "chain.tflite").write_bytes(model.content)
    named = TraceModel(name="chain", path="chain.tflite", sha256=model.graph.sha256)
    frames = tuple(
        Frame(
            at_us=i * 20_000,
            stream="camera",
            frame=i,
            nodes=(Node(id="a", model="chain", deadline_us=i * 20_000 + 15_000),),
        )
        for i in range(25)
    )
    header = Header(scenario="toy", seed=4, seconds=0.5, models=(named,))
    write_trace(Trace(header=header, frames=frames), tmp_path / "t.jsonl")
    return str(tmp_path / "t.jsonl")


class Here(Executor):
    """Runs at once, and breaks like a pool of processes when it is given the poisoned seed."""

    def __init__(self, calls: list[int], poisoned: int | None) -> None:
        self._calls = calls
        self._poisoned = poisoned
        self._broken = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        if self._broken:
            raise BrokenExecutor
        future: Future[Any] = Future()
        seed = args[-1]
        self._calls.append(seed)
        if seed == self._poisoned:
            self._broken = True
            future.set_exception(BrokenExecutor())
        else:
            future.set_result(fn(*args, **kwargs))
        return future


class Pools:
    """Opens pools in this process and counts what they were given."""

    def __init__(self, *, width: int = 2, poisoned: int | None = None) -> None:
        self.calls: list[int] = []
        self.opened = 0
        self._width = width
        self._poisoned = poisoned

    @contextmanager
    def __call__(self) -> Iterator[Pool]:
        self.opened += 1
        yield Pool(executor=Here(self.calls, self._poisoned), width=self._width)


def grid(trace: str, *, seeds: int = 2, **more: Any) -> Grid:
    return make_grid([trace], more.pop("devices", DEVICES), POLICIES, seeds=seeds, **more)


def names(rows: tuple[Row, ...]) -> list[tuple[str, str, int]]:
    return [(row.cell.device, row.cell.policy, row.cell.seed) for row in rows]


def test_every_cell_is_played_once_and_stands_in_the_order_of_the_command(trace: str) -> None:
    pools = Pools()
    told: list[tuple[str, int, int]] = []
    rows = sweep(grid(trace), pools, progress=lambda *step: told.append(step))
    assert names(rows) == [(d, p, s) for d in DEVICES for p in POLICIES for s in (0, 1)]
    assert (len(pools.calls), pools.opened) == (8, 1)
    assert told == [("cells", done, 8) for done in range(9)]


def test_a_cell_has_the_figures_of_a_replay(trace: str) -> None:
    rows = sweep(grid(trace, devices=("pixel4",)), Pools())
    played = read_trace(trace)
    held = contents(played)
    chosen, _ = choose_policies(POLICIES)
    for row in rows:
        policy = next(p for p in chosen if p.name == row.cell.policy)
        runner = sim_runner(played, held, grid(trace).devices[0][1], seed=row.cell.seed)
        (summary,) = summaries(tuple(compare(runner, played, [policy])), held)
        assert row.figures == json.loads(json.dumps(summary.to_json()))


def test_a_policy_that_asks_for_advice_works_in_a_cell(trace: str) -> None:
    policies = ("rehearsal", "price_aware")
    rows = sweep(make_grid([trace], ["pixel4"], policies), Pools())
    assert [row.error for row in rows] == [None, None]
    assert [row.figures["reports"] for row in rows] == [[], []]


def test_a_cell_whose_policy_was_replaced_has_failed(trace: str, tmp_path: Path) -> None:
    """Its figures would be those of the default policy under the name of another one."""
    failing = write_policy(tmp_path, "failing", "raise RuntimeError('not today')")
    failed, played = sweep(make_grid([trace], ["pixel4"], [str(failing), "heft"]), Pools())
    reason = "was replaced by the default one at 0 us: it raised RuntimeError: not today"
    assert failed.error == f"policy {failing} {reason}"
    assert set(failed.figures) == {"error"}
    assert played.error is None


def test_what_must_be_known_stands_in_every_kind_of_file(trace: str) -> None:
    (row,) = sweep(make_grid([trace], ["pixel4"], ["heft"]), Pools())
    told = row._replace(figures={**row.figures, "reports": ["one thing", "another"]})
    assert told.reports == ("one thing", "another")
    (line,) = csv.DictReader(io.StringIO(csv_text([told])))
    assert line["reports"] == "one thing; another"


def test_what_is_named_twice_is_played_once(trace: str) -> None:
    doubled = make_grid([trace, trace], ["pixel4", "pixel4"], ["heft", "heft"])
    assert len(sweep(doubled, Pools())) == 1


def test_a_sweep_goes_on_where_the_one_before_it_stopped(trace: str, tmp_path: Path) -> None:
    whole = document(sweep(grid(trace, seeds=3), Pools()))
    with CellStore(tmp_path / "out") as store:
        sweep(grid(trace, seeds=1), Pools(), store=store)
    pools = Pools()
    with CellStore(tmp_path / "out") as store:
        rows = sweep(grid(trace, seeds=3), pools, store=store)
    assert sorted(pools.calls) == [1] * 4 + [2] * 4
    assert json.dumps(document(rows)) == json.dumps(whole)
    idle = Pools()
    with CellStore(tmp_path / "out") as store:
        sweep(grid(trace, seeds=3), idle, store=store)
    assert idle.opened == 0


def test_a_line_that_was_cut_short_is_played_again(trace: str, tmp_path: Path) -> None:
    with CellStore(tmp_path) as store:
        rows = sweep(grid(trace), Pools(), store=store)
        assert not store.damaged
    file = tmp_path / FILE
    content = file.read_bytes()
    file.write_bytes(content[:-40])
    pools = Pools()
    with CellStore(tmp_path) as store:
        assert store.damaged
        assert len(store.done) == 7
        assert sweep(grid(trace), pools, store=store) == rows
    assert len(pools.calls) == 1
    assert sorted(file.read_bytes().splitlines()) == sorted(content.splitlines())


def test_a_damaged_line_before_the_last_is_an_error(trace: str, tmp_path: Path) -> None:
    with CellStore(tmp_path) as store:
        sweep(grid(trace), Pools(), store=store)
    file = tmp_path / FILE
    first, *rest = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(first[:20] + b"\n" + b"".join(rest))
    with pytest.raises(BandError, match=r"cells\.jsonl:1: .*delete the line"):
        CellStore(tmp_path)


def test_two_sweeps_cannot_write_to_one_folder(tmp_path: Path) -> None:
    with CellStore(tmp_path), pytest.raises(BandError, match="another sweep is writing"):
        CellStore(tmp_path)
    CellStore(tmp_path).__exit__(None, None, None)


def test_the_key_of_a_cell_changes_with_all_that_its_figures_depend_on(
    trace: str, tmp_path: Path
) -> None:
    def keys(**more: Any) -> list[str]:
        made = grid(trace, seeds=1, devices=(str(device),), **more)
        return [cell.key for pair in made.pairs() for cell in made.cells(*pair)]

    device = tmp_path / "device.yaml"
    shipped = Path(grid(trace).devices[1][1].source)
    text = shipped.read_text(encoding="utf-8").replace(
        "../support", str(shipped.parent.parent / "support")
    )
    device.write_text(text, encoding="utf-8")
    before = keys()
    assert before == keys()
    assert len(set(before)) == 2
    device.write_text(text.replace("value: 0.2", "value: 0.3"), encoding="utf-8")
    assert not set(before) & set(keys())
    device.write_text(text, encoding="utf-8")
    file = Path(trace)
    file.write_text(file.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert not set(before) & set(keys())


def test_a_device_that_cannot_run_a_model_fails_its_own_cells_only(
    trace: str, tmp_path: Path
) -> None:
    device = tmp_path / "strict.yaml"
    text = Path(grid(trace).devices[0][1].source).read_text(encoding="utf-8")
    folder = Path(grid(trace).devices[0][1].source).parent.parent / "support"
    device.write_text(text.replace("../support", str(folder)) + "\nstrict: npu\n", encoding="utf-8")
    rows = sweep(grid(trace, devices=(str(device), "pixel4"), seeds=1), Pools())
    failed, played = rows[:2], rows[2:]
    for row in failed:
        assert row.figures["error"]["code"] == ErrorCode.FALLBACK_REFUSED
        assert "strict mode refuses model chain" in (row.error or "")
    assert [row.error for row in played] == [None, None]


@pytest.mark.parametrize("width", [1, 3, 100])
def test_a_cell_that_kills_its_process_takes_no_other_along(trace: str, width: int) -> None:
    pools = Pools(width=width, poisoned=1)
    rows = sweep(grid(trace, seeds=3), pools)
    assert names(rows) == [(d, p, s) for d in DEVICES for p in POLICIES for s in range(3)]
    for row in rows:
        assert (row.error is not None) == (row.cell.seed == 1)
        if row.error is not None:
            assert row.figures["error"]["code"] == ErrorCode.WORKER_DOWN


def test_failed_cells_are_tried_again(trace: str, tmp_path: Path) -> None:
    with CellStore(tmp_path) as store:
        sweep(grid(trace), Pools(poisoned=1), store=store)
        assert len(store.done) == 4
    pools = Pools()
    with CellStore(tmp_path) as store:
        rows = sweep(grid(trace), pools, store=store)
    assert pools.calls == [1] * 4
    assert all(row.error is None for row in rows)


def test_the_tables_have_a_row_for_each_cell_and_say_simulated(trace: str, tmp_path: Path) -> None:
    rows = sweep(grid(trace), Pools(poisoned=1))
    read = list(csv.DictReader(io.StringIO(csv_text(rows))))
    assert len(read) == 8
    assert list(read[0])[:4] == ["trace", "device", "policy", "seed"]
    assert list(read[0])[-1] == "error"
    for line, row in zip(read, rows, strict=True):
        assert (line["device"], line["seed"]) == (row.cell.device, str(row.cell.seed))
        if row.error is None:
            assert (line["word"], line["error"]) == ("simulated", "")
            assert float(line["fps"]) == row.figures["fps"]
            assert int(line["requests.sent"]) == 25
            assert line["requests.dropped.queue_full"] == "0"
        else:
            assert (line["word"], line["fps"], line["error"]) == ("", "", row.error)
    write_parquet(rows, tmp_path / "t.parquet")
    stored = parquet.read_table(tmp_path / "t.parquet")
    columns, lines = table(rows)
    assert tuple(stored.column_names) == columns
    assert [tuple(line.values()) for line in stored.to_pylist()] == lines


@pytest.mark.parametrize(
    ("where", "workers", "sentence"),
    [
        ("ray:x", None, "unknown executor 'ray:x'; it is local, or dask:ADDRESS"),
        ("dask:", None, "unknown executor 'dask:'"),
        ("dask:a:1", 2, "leave --workers out"),
    ],
)
def test_a_place_that_does_not_exist_is_refused(
    where: str, workers: int | None, sentence: str
) -> None:
    with pytest.raises(BandError, match=sentence):
        pool_opener(where, workers)
