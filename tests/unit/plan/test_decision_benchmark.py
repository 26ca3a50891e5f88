"""The decision benchmark keeps its format and its goals; it compares every answer itself."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).resolve().parents[3] / "benchmarks" / "decision.py"


@pytest.mark.slow
def test_the_kernel_is_faster_than_the_ports_by_the_agreed_factors() -> None:
    done = subprocess.run(
        [sys.executable, str(BENCHMARK), "--json", "-", "--rounds", "5"],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found) == {"benchmark", "machine", "metrics", "ratios", "skipped"}
    assert set(found["machine"]) == {"core", "cores", "cpu", "python"}
    assert found["benchmark"] == "decision"
    assert found["skipped"] is None
    ratios = found["ratios"]
    assert ratios["best_plan_over_port"] >= 9, "the goal is 10 on a quiet machine"
    assert ratios["best_plan_transfers_over_port"] >= 2
    assert ratios["lsf_pass_over_port"] >= 15
    assert ratios["heft_pass_over_port"] >= 6
