"""How much of what the device could do at most a policy sustains, over random workloads.

Per policy and seed: the highest load, as a share of the capacity bound, with at most 1 % missed
deadlines, and the highest one that is stable (``load_watch`` says exactly when). ``--limit`` adds
how far any policy could come: 1 by definition, less for deadlines that no plan can meet. Simulated:
six models on four processors, ``band.testing.workloads``.

    python benchmarks/load.py --seeds 0-29 --jobs 2 --policies heft,rehearsal --out load.jsonl
"""

import argparse
import json
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path
from typing import Any, Final

from load_search import Limits, Setting, deadline_limit, find_limits
from load_watch import CRITERIA
from rounds import document

from band.errors import BandError
from band.metrics.figures import nearest_rank
from band.scheduler.loader import list_policies, resolve

LIMIT: Final = "limit_of_any_policy"

Found = dict[str, dict[int, Limits]]
"""policy -> seed -> limits."""


def run(
    settings: Sequence[Setting],
    path: Path | None,
    jobs: int,
    begin: tuple[int, int] | None = None,
) -> Found:
    """Return the limits of each policy and seed, in the order of the settings.

    Args:
        settings: what to try.
        path: file of verdicts, so that a run that was broken off goes on where it was.
        jobs: processes.
        begin: where each search begins, as in ``find_limits``.
    """
    done: dict[Setting, Limits] = {}
    start_s = time.perf_counter()
    find = partial(find_limits, path=path, begin=begin)
    for setting, limits in _limits(settings, find, jobs):
        done[setting] = limits
        print(
            f"[{len(done)}/{len(settings)}, {time.perf_counter() - start_s:.0f} s] "
            f"{setting.policy}, seed {setting.seed}: {limits.on_time} % on time, "
            f"{limits.stable} % stable; {limits.runs} runs, {limits.cpu_s:.0f} s of CPU",
            file=sys.stderr,
        )
    found: Found = defaultdict(dict)
    for setting in settings:
        found[setting.policy][setting.seed] = done[setting]
    return found


def _limits(
    settings: Sequence[Setting], find: Callable[[Setting], Limits], jobs: int
) -> Iterator[tuple[Setting, Limits]]:
    if jobs == 1:
        yield from ((setting, find(setting)) for setting in settings)
        return
    pool: Executor
    with ProcessPoolExecutor(jobs) as pool:
        futures = {pool.submit(find, one): one for one in settings}
        yield from ((futures[future], future.result()) for future in as_completed(futures))


def report(found: Found, seconds: float, *, declared: bool) -> dict[str, Any]:
    """Return the JSON document of the benchmark."""
    metrics = {
        f"{policy}_{criterion}_{name}": value
        for policy, seeds in found.items()
        for criterion in CRITERIA
        for name, value in _spread(seeds, criterion).items()
    }
    return {
        **document("load", metrics, {}),
        "simulated": True,
        "seconds": seconds,
        "declared": declared,
        "policies": {
            policy: {
                "seeds": len(seeds),
                "cpu_s": round(sum(limits.cpu_s for limits in seeds.values()), 1),
                **{
                    criterion: {
                        **_spread(seeds, criterion),
                        "per_seed": {
                            str(seed): getattr(limits, criterion) / 100
                            for seed, limits in seeds.items()
                        },
                    }
                    for criterion in CRITERIA
                },
            }
            for policy, seeds in found.items()
        },
    }


def _spread(seeds: dict[int, Limits], criterion: str) -> dict[str, float]:
    percents = sorted(getattr(limits, criterion) for limits in seeds.values())
    return {
        "median": statistics.median(percents) / 100,
        "p10": (nearest_rank(percents, 10) or 0) / 100,
        "p90": (nearest_rank(percents, 90) or 0) / 100,
    }


def table(result: dict[str, Any]) -> str:
    """Return the table for people, in Markdown."""
    lines = [
        "| policy (simulated) | seeds | at most 1 % missed: median | p10 .. p90 "
        "| stable: median | p10 .. p90 |",
        "|---|---|---|---|---|---|",
    ]
    for policy, one in result["policies"].items():
        cells = [policy, str(one["seeds"])]
        for criterion in CRITERIA:
            spread = one[criterion]
            cells += [f"{spread['median']:.3f}", f"{spread['p10']:.2f} .. {spread['p90']:.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def seed_range(text: str) -> range:
    """Return the seeds of ``A-B`` or ``A``."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def _pair(text: str) -> tuple[int, int]:
    on_time, stable = text.split(",")
    return int(on_time), int(stable)


def _policies(text: str) -> list[str]:
    if text == "all":
        return [source.name for source in list_policies() if not source.needs_params]
    return [resolve(name.strip()).name for name in text.split(",")]


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--policies",
        default="shortest_expected_latency",
        help="names with commas between, or 'all' (default shortest_expected_latency)",
    )
    parser.add_argument("--seeds", type=seed_range, default=seed_range("0"), help="A-B (default 0)")
    parser.add_argument("--seconds", type=float, default=60.0, help="of a run (default 60)")
    parser.add_argument(
        "--declared", action="store_true", help="tell the core of the streams beforehand"
    )
    parser.add_argument("--limit", action="store_true", help="a line for what no policy can pass")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default 1)")
    parser.add_argument(
        "--begin",
        type=_pair,
        metavar="ON_TIME,STABLE",
        help="percent where each search begins (default: where shorter runs say)",
    )
    parser.add_argument("--out", type=Path, help="file of verdicts: what it holds is not run again")
    parser.add_argument("--json", metavar="FILE", help="write the JSON document; - is stdout")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark from the command line."""
    options = _options(argv)
    try:
        policies = _policies(options.policies)
    except BandError as error:
        sys.exit(error.message)
    # Seed by seed, so that what there is when it is broken off compares all policies.
    settings = [
        Setting(policy, seed, options.seconds, options.declared)
        for seed in options.seeds
        for policy in policies
    ]
    found = run(settings, options.out, options.jobs, options.begin)
    if options.limit:
        found[LIMIT] = {
            seed: Limits(deadline_limit(seed, options.seconds), 100, 0, 0.0)
            for seed in options.seeds
        }
    result = report(found, options.seconds, declared=options.declared)
    print(table(result), file=sys.stderr if options.json == "-" else sys.stdout)
    if options.json == "-":
        print(json.dumps(result, indent=2))
    elif options.json:
        Path(options.json).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
