"""The nine dual cases of XRBench with complete costs: policies beside the upper bound, simulated.

``compat`` is the release's own LatencyGreedy with its semantics; the others play in correct mode:
the simple shedding rule (shortest job first, earliest finish), rehearsal without and with salvage
(one set of parameters for all cases), and the bound that no policy passes, with whole starts and,
higher, with starts in parts. A score above its bound is a bug and ends the benchmark.

Needs the published costs: BAND_TEST_DATA names the folder that holds ``xrbench/costs.json``.

    python benchmarks/xrbench.py --json -
"""

import argparse
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rounds import document

from band.testing.xrbench_data import NO_XRBENCH, dual_cases, xrbench_folder
from band.xrbench import compat, correct
from band.xrbench.bound import bound
from band.xrbench.case import Case

REHEARSAL: Final[Mapping[str, Any]] = {"objective": "xr_score"}
SHEDDING: Final[Mapping[str, Any]] = {"shed": True, "placement": "earliest_finish"}
COLUMNS: Final = (
    "compat",
    "shedding",
    "rehearsal",
    "rehearsal_salvage",
    "bound",
    "bound_in_parts",
)


def row(case: Case, bound_s: float) -> dict[str, float]:
    """Return the overall scores of a case, by column.

    Raises:
        AssertionError: a result is above the bound.
    """
    plain = correct.run(case, "rehearsal", {**REHEARSAL, "salvage": False})
    salvaging = correct.run(case, "rehearsal", {**REHEARSAL, "salvage": True})
    results = {
        "shedding": correct.run(case, "sjf", SHEDDING).scores.overall,
        "rehearsal": plain.scores.overall,
        "rehearsal_salvage": salvaging.scores.overall,
    }
    bounds = {
        "bound": bound(case, time_limit_s=bound_s).overall,
        "bound_in_parts": bound(case, time_limit_s=bound_s, relaxed=True).overall,
    }
    for name, overall in results.items():
        if overall > min(bounds.values()):
            message = f"{name} scores {overall} on {case.name}, above its bound {bounds}"
            raise AssertionError(message)
    return {"compat": compat.run(case).scores.overall, **results, **bounds}


def run(bound_s: float) -> dict[str, Any]:
    """Return the document of the benchmark."""
    folder = xrbench_folder()
    if folder is None:
        return document("xrbench", {}, {}, skipped=NO_XRBENCH)
    rows: dict[str, dict[str, float]] = {}
    _say("simulated", COLUMNS)
    for case in dual_cases(folder):
        rows[case.name] = row(case, bound_s)
        _say(case.name, [f"{rows[case.name][column]:.2f}" for column in COLUMNS])
    means = {c: statistics.fmean(found[c] for found in rows.values()) for c in COLUMNS}
    _say("mean", [f"{means[column]:.2f}" for column in COLUMNS])
    metrics = {f"{column}_mean": means[column] for column in COLUMNS}
    for name, found in rows.items():
        metrics |= {f"{column} {name}": value for column, value in found.items()}
    ratios = {f"{c}_over_bound": means[c] / means["bound"] for c in COLUMNS[1:4]}
    return document("xrbench", metrics, ratios)


def _say(name: str, cells: Sequence[str]) -> None:
    print(f"{name:36}" + "".join(f"{cell:>18}" for cell in cells), file=sys.stderr, flush=True)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", metavar="FILE", help="write the JSON document here; - is stdout")
    parser.add_argument(
        "--bound-seconds", type=float, default=60.0, help="for each bound of a case (default 60)"
    )
    options = parser.parse_args()
    result = run(options.bound_seconds)
    if result["skipped"]:
        print(result["skipped"], file=sys.stderr)
    text = json.dumps(result, indent=2) + "\n"
    if options.json == "-":
        sys.stdout.write(text)
    elif options.json:
        Path(options.json).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
