"""Policies on emulated phones under the workload that Band's paper opens with, all simulated.

The EagleEye-shaped scenario (one detector, then faces through three further nets) at 1, 1.5 and 2
times a base load. That load is the scenario's own 8 frames a second; a phone that can sustain more
than four times as much gets half of its capacity bound instead. Every request is due one frame
period of the base load after its frame arrives, at every load. Each policy stands beside the
limits, beside every model whole on the CPU, and beside the best fixed mapping of models to
processors, found by trying all of them, for frames and for deadlines each the one that is best.

    python benchmarks/phones.py --phones all --seeds 0-2 --jobs 2
"""

import argparse
import itertools
import json
import statistics
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple

from load import seed_range
from rounds import document

from band.config.device import load_device
from band.device.profile import Device
from band.replay.policies import ChosenPolicy, choose_policies
from band.replay.replay import sim_runner, summaries
from band.replay.sim import SimReplay
from band.scheduler.loader import policy_swapped
from band.trace.contents import TraceContents, contents
from band.trace.generator import generate
from band.trace.scenario import Scenario, load_scenario
from band.trace.schema import Trace

PHONES: Final = ("pixel4", "snapdragon_865", "snapdragon_8gen3")
LOADS: Final = (1.0, 1.5, 2.0)
SCENARIO: Final = "eagleeye"
PAPER: Final = (
    "The paper's own figures on real phones (Band, MobiSys'22): up to 5.04x the frame rate of "
    "TFLite, up to 3.76x the SLO satisfaction."
)
_MUCH: Final = 4.0
_VAST: Final = 100
"""A base that is exceeded so often is next to nothing: the ratio says no more than that."""


class Case(NamedTuple):
    """One load on one phone."""

    phone: str
    load: float
    seed: int
    frames: int
    policies: tuple[str, ...]


class Figures(NamedTuple):
    """What a run, or a limit, comes to."""

    fps: float
    slo: float


class Measured(NamedTuple):
    """What was found in one case.

    Attributes:
        offered_fps: frames a second that arrive.
        limit: what no policy can pass.
        cpu: every model whole on the CPU.
        mapping: the best of all fixed mappings, for each figure its own.
        mappings: how many were tried.
        policies: by name.
    """

    offered_fps: float
    limit: Figures
    cpu: Figures
    mapping: Figures
    mappings: int
    policies: dict[str, Figures]


def measure(case: Case) -> Measured:
    """Return the figures of one case."""
    device = load_device(case.phone)
    scenario, _ = load_scenario(SCENARIO)
    fps = base_fps(scenario, device)
    trace = _trace(scenario, fps, fps * case.load, case)
    held = contents(trace)
    runner = sim_runner(trace, held, device, seed=case.seed)
    mappings = {name: _run(runner, trace, held, one) for name, one in _mappings(runner, device)}
    limit = runner.limits
    assert limit.capacity is not None
    assert limit.on_time is not None
    offered_fps = held.frames / held.seconds
    return Measured(
        offered_fps=offered_fps,
        limit=Figures(
            offered_fps * min(1.0, limit.capacity["scale"]), limit.on_time / held.with_deadline
        ),
        cpu=mappings[("cpu",) * len(runner.prepared)],
        mapping=Figures(
            max(one.fps for one in mappings.values()), max(one.slo for one in mappings.values())
        ),
        mappings=len(mappings),
        policies={
            policy.name: _run(runner, trace, held, policy)
            for policy in choose_policies(case.policies)[0]
        },
    )


def base_fps(scenario: Scenario, device: Device) -> float:
    """Return the frame rate of load 1 on a phone."""
    (stream,) = scenario.streams
    trace = generate(scenario, seconds=100 / stream.fps, seed=0)
    capacity = sim_runner(trace, contents(trace), device).limits.capacity
    assert capacity is not None
    scale: float = capacity["scale"]
    return stream.fps if scale <= _MUCH else stream.fps * scale / 2


def _trace(scenario: Scenario, base: float, fps: float, case: Case) -> Trace:
    """Return the frames of a case, each due one period of the base load after its arrival."""
    (stream,) = scenario.streams
    paced = stream.model_copy(update={"fps": fps, "deadline_ms": 1000 / base})
    loaded = scenario.model_copy(update={"streams": (paced,)})
    return generate(loaded, seconds=case.frames / fps, seed=case.seed)


def _mappings(runner: SimReplay, device: Device) -> Iterator[tuple[tuple[str, ...], ChosenPolicy]]:
    """Yield every mapping of whole models to processors that run them."""
    tables = [prepared.usable for prepared in runner.prepared]
    choices = [
        [p.name for p in device.processors if table.find(0, table.unit_count - 1, p.index)]
        for table in tables
    ]
    for names in itertools.product(*choices):
        processors = {table.model: name for table, name in zip(tables, names, strict=True)}
        swapped = policy_swapped("fixed_worker", {"processors": processors})
        yield names, ChosenPolicy(name="fixed_worker", ref="fixed_worker", swapped=swapped)


def _run(runner: SimReplay, trace: Trace, held: TraceContents, policy: ChosenPolicy) -> Figures:
    played = runner.run(trace, policy)
    if played.replaced is not None:
        raise RuntimeError(played.replaced)
    (summary,) = summaries([played], held)
    return Figures(summary.total.fps, summary.total.slo_satisfaction or 0.0)


def mean(cases: Sequence[Measured]) -> Measured:
    """Return the means over the seeds of one load on one phone."""

    def of(figures: Sequence[Figures]) -> Figures:
        fps, slo = zip(*figures, strict=True)
        return Figures(statistics.fmean(fps), statistics.fmean(slo))

    return Measured(
        offered_fps=statistics.fmean(case.offered_fps for case in cases),
        limit=of([case.limit for case in cases]),
        cpu=of([case.cpu for case in cases]),
        mapping=of([case.mapping for case in cases]),
        mappings=cases[0].mappings,
        policies={name: of([case.policies[name] for case in cases]) for name in cases[0].policies},
    )


def tables(found: dict[str, dict[float, Measured]]) -> Iterator[str]:
    """Yield a table in Markdown for each load on each phone."""
    for phone, loads in found.items():
        for load, one in loads.items():
            yield (
                f"\n{load:g}x on simulated {phone}: {one.offered_fps:.1f} frames/s arrive; no "
                f"policy can do more than {one.limit.fps:.1f} frames/s and {one.limit.slo:.1%} of "
                f"the deadlines. {one.mappings} fixed mappings.\n"
            )
            yield (
                "| policy (simulated) | frames/s | of limit | x CPU | x mapping "
                "| SLO | of limit | x CPU | x mapping |"
            )
            yield "|---|---|---|---|---|---|---|---|---|"
            rows = {"(all on the CPU)": one.cpu, "(best fixed mapping)": one.mapping}
            for name, figures in (rows | one.policies).items():
                cells = [
                    name,
                    f"{figures.fps:.2f}",
                    *(_ratio(figures.fps, base.fps) for base in (one.limit, one.cpu, one.mapping)),
                    f"{figures.slo:.1%}",
                    *(_ratio(figures.slo, base.slo) for base in (one.limit, one.cpu, one.mapping)),
                ]
                yield f"| {' | '.join(cells)} |"


def _ratio(ours: float, base: float) -> str:
    if not base:
        return "-"
    return f"{ours / base:.2f}" if ours < _VAST * base else f"> {_VAST}"


def report(found: dict[str, dict[float, Measured]]) -> dict[str, Any]:
    """Return the JSON document of the benchmark."""
    metrics = {
        f"{phone}_{load:g}x_{policy}_{name}": value
        for phone, loads in found.items()
        for load, one in loads.items()
        for policy, figures in one.policies.items()
        for name, value in figures._asdict().items()
    }
    cases = {
        phone: {
            f"{load:g}": {
                **one._asdict(),
                **{name: getattr(one, name)._asdict() for name in ("limit", "cpu", "mapping")},
                "policies": {name: figures._asdict() for name, figures in one.policies.items()},
            }
            for load, one in loads.items()
        }
        for phone, loads in found.items()
    }
    return {**document("phones", metrics, {}), "simulated": True, "paper": PAPER, "phones": cases}


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--phones", default=PHONES[0], help="devices with commas between, or 'all' (default pixel4)"
    )
    parser.add_argument("--policies", default="", help="names with commas between (default all)")
    parser.add_argument("--seeds", type=seed_range, default=seed_range("0"), help="A-B (default 0)")
    parser.add_argument("--frames", type=int, default=240, help="of a run (default 240)")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default 1)")
    parser.add_argument("--json", metavar="FILE", help="write the JSON document; - is stdout")
    options = parser.parse_args(argv)
    policies = tuple(filter(None, options.policies.split(",")))
    phones = PHONES if options.phones == "all" else tuple(options.phones.split(","))
    found: dict[str, dict[float, Measured]] = {}
    with ProcessPoolExecutor(options.jobs) as pool:
        for phone, load in itertools.product(phones, LOADS):
            cases = [Case(phone, load, seed, options.frames, policies) for seed in options.seeds]
            found.setdefault(phone, {})[load] = mean(list(pool.map(measure, cases)))
            print(f"{phone} {load:g}x", file=sys.stderr)
    print("\n".join([*tables(found), "", PAPER]), file=sys.stderr if options.json == "-" else None)
    if options.json:
        text = json.dumps(report(found), indent=2) + "\n"
        if options.json == "-":
            sys.stdout.write(text)
        else:
            Path(options.json).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
