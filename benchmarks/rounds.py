"""How every benchmark here measures and reports.

Ours and the peer run interleaved, A B A B, on one thread, in CPU time (``time.thread_time_ns``),
which repeats within a few percent even on a busy machine. The result is the median of the ratios
of neighbouring rounds, never an absolute time.
"""

import argparse
import gc
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from band.scheduler.core import COMPILED


class Paired(NamedTuple):
    """What interleaved rounds of a peer and of ours gave.

    Attributes:
        ratio: median of peer time / our time over the rounds.
        low, high: 10th and 90th percentile of that ratio.
        ours_us, peer_us: median CPU time of one call, in microseconds.
    """

    ratio: float
    low: float
    high: float
    ours_us: float
    peer_us: float


def thread_us(work: Callable[[], object]) -> float:
    """Return the CPU time of one call of ``work`` on this thread, in microseconds."""
    gc.collect()
    gc.disable()
    try:
        start = time.thread_time_ns()
        work()
        return (time.thread_time_ns() - start) / 1e3
    finally:
        gc.enable()


def compare(
    ours: Callable[[], object], peer: Callable[[], object], *, calls: int, rounds: int
) -> Paired:
    """Return the paired comparison of two pieces of work.

    Args:
        ours: runs ``calls`` calls of ours.
        peer: runs the same calls of the peer.
        calls: how many calls one run makes.
        rounds: interleaved rounds, after one warm-up of each.
    """
    ours()
    peer()
    pairs = [(thread_us(ours), thread_us(peer)) for _ in range(rounds)]
    ratios = sorted(theirs / mine for mine, theirs in pairs)
    return Paired(
        ratio=statistics.median(ratios),
        low=ratios[len(ratios) // 10],
        high=ratios[-1 - len(ratios) // 10],
        ours_us=statistics.median(mine for mine, _ in pairs) / calls,
        peer_us=statistics.median(theirs for _, theirs in pairs) / calls,
    )


def document(
    benchmark: str,
    metrics: Mapping[str, float],
    ratios: Mapping[str, float],
    skipped: str | None = None,
) -> dict[str, Any]:
    """Return the JSON document of a benchmark."""
    return {
        "benchmark": benchmark,
        "machine": {
            "cores": os.cpu_count(),
            "cpu": platform.processor() or platform.machine(),
            "python": platform.python_version(),
            "core": "compiled" if COMPILED else "interpreted",
        },
        "metrics": {name: round(value, 3) for name, value in metrics.items()},
        "ratios": {name: round(value, 3) for name, value in ratios.items()},
        "skipped": skipped,
    }


def main(run: Callable[[int], dict[str, Any]], argv: Sequence[str] | None = None) -> None:
    """Run a benchmark from the command line: a short table, or JSON with ``--json``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", metavar="FILE", help="write the JSON document here; - is stdout")
    parser.add_argument("--rounds", type=int, default=11, help="interleaved rounds (default 11)")
    options = parser.parse_args(argv)
    result = run(max(3, options.rounds))
    figures = {**result["metrics"], **result["ratios"]}
    lines = [f"{name:36} {value:>12}" for name, value in figures.items()]
    print("\n".join([*lines, *filter(None, [result["skipped"]])]), file=sys.stderr)
    text = json.dumps(result, indent=2) + "\n"
    if options.json == "-":
        sys.stdout.write(text)
    elif options.json:
        Path(options.json).write_text(text, encoding="utf-8")
