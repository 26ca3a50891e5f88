"""Counts what damaged models do to the verifier, and what those that pass do to an interpreter.

    python -m band.testing.mutation_survey --count 10000 [--all]

``--all`` also runs what the verifier refuses, to see what it is good for.
"""

import argparse
import resource
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from band.clock import thread_cpu_ns
from band.errors import BandError
from band.model.tflite_verify import verify_bytes
from band.runtime.backends.interpreter import open_runtime
from band.runtime.backends.kernels import LITERT
from band.testing.data import real_models
from band.testing.edge_models import EDGES
from band.testing.models import RUNNABLE, custom_op
from band.testing.mutation_runs import Ending, run_apart
from band.testing.mutations import Mutation, Source, mutated, source
from band.testing.op_models import OPS
from band.testing.open_models import OPEN
from band.testing.state_models import STATES
from band.testing.typed_models import TYPED

SEED: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """One file that killed its process: which one it is, how it ended, whether it had passed."""

    number: int
    source: str
    kind: str
    ending: Ending
    passed: bool


@dataclass(slots=True)
class Survey:
    """What a series of damaged files did.

    Attributes:
        refused: files that the verifier refused.
        endings: how the children ended that ran files the verifier passed.
        endings_of_refused: the same for refused ones, where those were run.
        kills: every file that killed a process.
        slowest_s: CPU time of the longest verification, and the number of its file.
        rss_bytes: growth of this process's peak memory.
    """

    files: int = 0
    refused: int = 0
    endings: Counter[str] = field(default_factory=Counter)
    endings_of_refused: Counter[str] = field(default_factory=Counter)
    kills: list[Kill] = field(default_factory=list)
    slowest_s: tuple[float, int] = (0.0, -1)
    rss_bytes: int = 0

    def rows(self) -> list[tuple[str, object]]:
        """Return the table of the survey."""
        killed = sum(kill.passed for kill in self.kills)
        passed = self.files - self.refused
        return [
            ("mutated files", self.files),
            ("refused", self.refused),
            ("passed", passed),
            ("run ok", self.endings["ok"]),
            ("error returned", self.endings["error"]),
            ("killed by a signal", killed),
            ("killed, of those refused", len(self.kills) - killed),
            ("slowest verification, ms", round(self.slowest_s[0] * 1e3, 1)),
            ("peak memory over start, MiB", round(self.rss_bytes / (1 << 20), 1)),
        ]


def sources(*, real: bool = True) -> tuple[Source, ...]:
    """Return the sound files: those of the builder and, where they are, the real ones."""
    makers = {**RUNNABLE, **EDGES, **OPEN, **STATES, **TYPED, **OPS, "custom_op": custom_op}
    built = [source(name, bytes(make().content)) for name, make in makers.items()]
    paths = real_models() if real else ()
    return (*built, *(source(path.name, path.read_bytes(), real=True) for path in paths))


def survey(
    sound: Sequence[Source],
    numbers: Iterable[int],
    *,
    seed: int = SEED,
    everything: bool = False,
    tell: Callable[[Kill], None] = lambda _: None,
) -> Survey:
    """Verify damaged files, and run each one that passes in a child of its own.

    Args:
        sound: what is damaged.
        numbers: which files of the series.
        seed: of the series.
        everything: run refused files too.
        tell: called with each kill as it happens.

    Raises:
        Exception: whatever but a BandError the verifier raises.
    """
    interpreter = open_runtime(LITERT, "child").interpreter
    found = Survey()
    start_bytes = _peak_bytes()
    for number in numbers:
        made = mutated(sound, seed, number)
        passed = _verified(made, found)
        if passed or everything:
            _run(made, interpreter, found, passed=passed, tell=tell)
    found.rss_bytes = _peak_bytes() - start_bytes
    return found


def _verified(made: Mutation, found: Survey) -> bool:
    found.files += 1
    start_ns = thread_cpu_ns()
    try:
        verify_bytes(made.content, made.source)
        passed = True
    except BandError:
        passed = False
        found.refused += 1
    found.slowest_s = max(found.slowest_s, ((thread_cpu_ns() - start_ns) / 1e9, made.number))
    return passed


def _run(
    made: Mutation,
    interpreter: Callable[..., Any],
    found: Survey,
    *,
    passed: bool,
    tell: Callable[[Kill], None],
) -> None:
    ending = run_apart(made.content, interpreter)
    (found.endings if passed else found.endings_of_refused)[ending.how] += 1
    if ending.killed:
        kill = Kill(
            number=made.number, source=made.source, kind=made.kind, ending=ending, passed=passed
        )
        found.kills.append(kill)
        tell(kill)


def _peak_bytes() -> int:
    """Return the most memory that this process has had; in KiB on Linux."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(argv: Sequence[str] | None = None) -> None:
    """Run a survey from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--all", action="store_true", help="also run what is refused")
    options = parser.parse_args(argv)

    def tell(kill: Kill) -> None:
        sys.stderr.write(f"{kill}\n")

    numbers = range(options.first, options.first + options.count)
    found = survey(sources(), numbers, seed=options.seed, everything=options.all, tell=tell)
    sys.stdout.writelines(f"{name:30} {value}\n" for name, value in found.rows())
    sys.stdout.write(f"{'endings':30} {dict(found.endings)} {dict(found.endings_of_refused)}\n")


if __name__ == "__main__":
    main()
