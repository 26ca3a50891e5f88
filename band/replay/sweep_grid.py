"""What a sweep plays: every trace on every device under every policy with every seed."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from band import __version__
from band.config.device import load_device
from band.device.profile import Device
from band.model.model import Model
from band.replay.models import open_models
from band.replay.policies import ChosenPolicy, choose_policies
from band.trace.contents import TraceContents, contents
from band.trace.reader import read_trace
from band.trace.schema import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One simulated replay.

    Attributes:
        trace, device, policy: as they were named.
        seed: of the noise of latencies.
        key: hash of all that its figures depend on.
    """

    trace: str
    device: str
    policy: str
    seed: int
    key: str

    def label(self) -> str:
        """Return what to call it."""
        return f"{self.trace}, {self.device}, {self.policy}, seed {self.seed}"


class PlayedTrace:
    """A trace with its models, which are opened when they are first needed.

    Args:
        ref: path of the file.

    Raises:
        BandError: NOT_FOUND or INVALID_TRACE.
    """

    def __init__(self, ref: str) -> None:
        self.ref = ref
        self.trace: Trace = read_trace(ref)
        self.contents: TraceContents = contents(self.trace)

    @cached_property
    def models(self) -> dict[str, Model]:
        """Return the models that it uses, by name.

        Raises:
            BandError: as ``open_models``.
        """
        return dict(open_models(self.trace, self.contents))

    @cached_property
    def sha256(self) -> str:
        """Return the hash of the file and of the models that it uses.

        Raises:
            BandError: a model that the header gives no hash of cannot be opened.
        """
        used = [m for m in self.trace.header.models if self.contents.models[m.name]]
        given = {m.name: m.sha256 for m in used}
        if None in given.values():
            given = {name: model.graph.sha256 for name, model in self.models.items()}
        return _hash(hashlib.sha256(Path(self.ref).read_bytes()).hexdigest(), given)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """All that a sweep plays.

    Attributes:
        devices: (as named, device).
        policies: named as given.
        seeds: how many; they count from 0.
    """

    traces: tuple[PlayedTrace, ...]
    devices: tuple[tuple[str, Device], ...]
    policies: tuple[ChosenPolicy, ...]
    seeds: int
    policy_dirs: tuple[Path, ...] = ()

    def cells(self, trace: PlayedTrace, device: tuple[str, Device]) -> Iterator[Cell]:
        """Yield the cells of a trace on a device, in order."""
        ref, found = device
        # The path of the device file is no part of what the device is.
        common = (__version__, trace.sha256, repr(replace(found, source="")))
        for policy in self.policies:
            for seed in range(self.seeds):
                yield Cell(
                    trace=trace.ref,
                    device=ref,
                    policy=policy.name,
                    seed=seed,
                    key=_hash(*common, policy.swapped, seed),
                )

    def pairs(self) -> Iterator[tuple[PlayedTrace, tuple[str, Device]]]:
        """Yield every trace with every device, in order."""
        for trace in self.traces:
            for device in self.devices:
                yield trace, device


def make_grid(
    traces: Sequence[str],
    devices: Sequence[str],
    policies: Sequence[str],
    *,
    seeds: int = 1,
    policy_dirs: Sequence[Path] = (),
) -> Grid:
    """Return the grid of what was named; what is named twice is played once.

    Args:
        traces: paths.
        devices: names or paths.
        policies: names, ``path.py``, ``package:object`` or YAML files.
        seeds: how many.
        policy_dirs: folders searched before the shipped policies.

    Raises:
        BandError: something named does not exist or is not well-formed.
    """
    folders = tuple(folder.absolute() for folder in policy_dirs)
    return Grid(
        traces=tuple(PlayedTrace(ref) for ref in dict.fromkeys(traces)),
        devices=tuple((ref, load_device(ref)) for ref in dict.fromkeys(devices)),
        policies=tuple(_policy(ref, folders) for ref in dict.fromkeys(policies)),
        seeds=seeds,
        policy_dirs=folders,
    )


def _policy(ref: str, folders: Sequence[Path]) -> ChosenPolicy:
    """Return a policy; the path of a file holds in a process with another current folder too."""
    is_file = ref.endswith((".py", ".yaml", ".yml"))
    (chosen,), _ = choose_policies((str(Path(ref).absolute()) if is_file else ref,), folders)
    return replace(chosen, name=ref)


def _hash(*parts: object) -> str:
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
