"""``band sweep`` as a user types it: on processes, on a Dask cluster, killed and interrupted."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from band.testing import models
from band.testing.policy_files import write_policy
from band.trace.schema import Frame, Header, Node, Trace, TraceModel
from band.trace.writer import write_trace

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

REHEARSED = "name: rehearsal\nparams: {simulations: 8}\n"
WORKER_LIMIT_S = 60
ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = "examples/earliest_deadline_first.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short and a long trace of one small model, a policy file and one that ends its process."""
    folder = tmp_path_factory.mktemp("sweep")
    write_policy(folder, "killer", "import os; os._exit(1)")
    (folder / "rehearsed.yaml").write_text(REHEARSED, encoding="utf-8")
    model = models.chain()
    (folder / "chain.tflite").write_bytes(model.content)
    named = TraceModel(name="chain", path="chain.tflite", sha256=model.graph.sha256)
    for seconds in (1, 60):
        frames = tuple(
            Frame(
                at_us=at_us,
                stream="camera",
                frame=frame,
                nodes=(Node(id="a", model="chain", deadline_us=at_us + 15_000),),
            )
            for frame, at_us in enumerate(range(0, seconds * 1_000_000, 8_000))
        )
        header = Header(scenario="toy", seed=4, seconds=float(seconds), models=(named,))
        write_trace(Trace(header=header, frames=frames), folder / f"t{seconds}.jsonl")
    return folder


def band(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "band", *args]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def cluster() -> Iterator[str]:
    """Two Dask workers on the loopback, without a dashboard; gives the scheduler's address."""
    # In a process of its own, as on a real cluster: nothing of this one is shared with it.
    script = (
        "import sys\n"
        "from distributed import LocalCluster\n"
        "if __name__ == '__main__':\n"
        "    with LocalCluster(n_workers=2, threads_per_worker=1, host='127.0.0.1',\n"
        "                      dashboard_address=None) as cluster:\n"
        "        print(cluster.scheduler_address, flush=True)\n"
        "        sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield process.stdout.readline().strip()
        process.stdin.close()
        assert process.wait(WORKER_LIMIT_S) == 0


def test_a_dask_cluster_gives_the_identical_files(folder: Path, cluster: str) -> None:
    def swept(name: str, *args: str) -> tuple[bytes, bytes, dict[str, Any]]:
        done = band(
            folder,
            *("sweep", "--trace", "t1.jsonl", "--device", "pixel4", "--device", "coral_dev_board"),
            *("--policy", "heft", "--policy", "price_aware", "--policy", "rehearsed.yaml"),
            *("--seeds", "2", "--json", "-"),
            *("--csv", f"{name}.csv", "--parquet", f"{name}.parquet", *args),
        )
        assert done.returncode == 0, done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        csv, parquet = folder / f"{name}.csv", folder / f"{name}.parquet"
        return csv.read_bytes(), parquet.read_bytes(), document

    local = swept("local", "--workers", "2")
    assert swept("dask", "--executor", f"dask:{cluster}", "--out", "kept") == local
    cells = local[2]["cells"]
    assert len(cells) == 12
    assert {cell["word"] for cell in cells} == {"simulated"}
    assert len((folder / "kept" / "cells.jsonl").read_bytes().splitlines()) == 12


def test_a_cell_that_kills_its_process_is_named_and_the_others_are_played(folder: Path) -> None:
    done = band(
        folder,
        *("sweep", "--trace", "t1.jsonl", "--device", "pixel4", "--seeds", "2", "--workers", "2"),
        *("--policy", "killer.py", "--policy", "heft", "--json", "s.json"),
    )
    assert done.returncode == 1
    assert "failed: t1.jsonl, pixel4, killer.py, seed 0: the process that played" in done.stderr
    assert "simulated" in done.stdout
    cells = json.loads((folder / "s.json").read_text())["cells"]
    assert [("error" in cell, cell["policy"]) for cell in cells] == [
        (True, "killer.py"), (True, "killer.py"), (False, "heft"), (False, "heft"),
    ]  # fmt: skip


def test_ctrl_c_ends_at_once_and_keeps_what_is_done(folder: Path) -> None:
    # A job in the background ignores Ctrl-C, and so would its children: here they must not.
    start = (
        "import signal, band.cli.main as b; signal.signal(2, signal.default_int_handler); b.main()"
    )
    command = [sys.executable, "-c", start, "sweep", "--device", "pixel4", "--policy", "heft"]
    command += ["--trace", "t1.jsonl", "--trace", "t60.jsonl", "--seeds", "40", "--out", "cut"]
    kept = folder / "cut" / "cells.jsonl"
    with subprocess.Popen(
        command, cwd=folder, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        for _ in range(600):
            sleep(0.1)
            if kept.exists() and kept.read_bytes().count(b"\n") >= 40:
                break
        os.killpg(process.pid, signal.SIGINT)
        _, told = process.communicate(timeout=WORKER_LIMIT_S)
    assert process.returncode == 130
    assert "Traceback" not in told
    assert told.splitlines()[-1] == "interrupted"
    count = len(kept.read_bytes().splitlines())
    assert f"{count} cells were added to cut/cells.jsonl; run it again to go on" in told
    assert 40 <= count < 80
    assert _group_ends(process.pid)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_a_sweep_that_is_killed(folder: Path, number: int) -> None:
    command = [sys.executable, "-m", "band", "sweep", "--device", "pixel4", "--policy", "heft"]
    command += ["--trace", "t1.jsonl", "--trace", "t60.jsonl", "--seeds", "400"]
    command += ["--out", f"killed{number:d}"]
    kept = folder / f"killed{number:d}" / "cells.jsonl"
    with subprocess.Popen(
        command, cwd=folder, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        for _ in range(600):
            sleep(0.1)
            if kept.exists() and kept.read_bytes():
                break
        process.send_signal(number)
    assert process.returncode == -number
    assert _group_ends(process.pid)


def _group_ends(group: int) -> bool:
    """Return whether no process of a group is left within half a minute."""
    for _ in range(300):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        sleep(0.1)
    return False


def test_the_study_of_the_page_runs_as_it_stands_there(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "sweep.md").read_text(encoding="utf-8")
    commands = page.split("```console\n")[1].split("```")[0]
    script = page.split("```python\n")[1].split("```")[0]
    rule = (ROOT / EXAMPLE).read_text(encoding="utf-8")
    (tmp_path / "my_rule.py").write_text(rule.replace(Path(EXAMPLE).stem, "my_rule"))
    quick = commands.replace("--seconds 60", "--seconds 1").replace("--seeds 10", "--seeds 1")
    quick = quick.replace(" --device snapdragon_8gen3", "")
    assert quick.count("--seconds 1 ") == 2
    assert "--seeds 1 " in quick
    for command in quick.replace("\\\n", " ").splitlines():
        done = band(tmp_path, *shlex.split(command)[1:])
        assert done.returncode == 0, done.stderr
    reading = [sys.executable, "-c", script]
    read = subprocess.run(reading, cwd=tmp_path, capture_output=True, text=True, check=True)
    names = [line.split()[0] for line in read.stdout.splitlines()]
    assert names == ["heft", "least_slack_first", "my_rule.py"]


def test_the_page_names_every_option(folder: Path) -> None:
    page = (ROOT / "docs" / "sweep.md").read_text(encoding="utf-8")
    options = set(re.findall(r"--[a-z-]+", band(folder, "sweep", "--help").stdout)) - {"--help"}
    assert options
    assert [option for option in sorted(options) if f"`{option}" not in page] == []


def test_without_a_scheduler_one_sentence_says_so(folder: Path) -> None:
    done = band(
        folder,
        *("sweep", "--trace", "t1.jsonl", "--device", "pixel4", "--policy", "heft"),
        *("--executor", "dask:tcp://127.0.0.1:1"),
    )
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr.strip() == (
        "error: no Dask scheduler answers at tcp://127.0.0.1:1; start one with `dask scheduler`"
    )
