"""Which policies a replay compares."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from band.config.params import parse_params
from band.scheduler.events import PolicySwapped
from band.scheduler.loader import list_policies, policy_swapped, resolve


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenPolicy:
    """A policy to replay a trace under.

    Attributes:
        name: what its run is called.
        ref: what the loader takes.
        swapped: the event that puts it in force.
    """

    name: str
    ref: str
    swapped: PolicySwapped


def choose_policies(
    refs: Sequence[str], policy_dirs: Sequence[Path] = ()
) -> tuple[tuple[ChosenPolicy, ...], tuple[str, ...]]:
    """Return the policies asked for, each once, and the names of those left out.

    Args:
        refs: names, ``path.py`` or ``package:object``; if empty, every installed policy that needs
            no parameter.
        policy_dirs: folders searched before the shipped policies.

    Raises:
        BandError: a policy is not found, does not load, or needs a parameter.
    """
    left_out: list[str] = []
    if not refs:
        installed = list_policies(policy_dirs)
        refs = [source.name for source in installed if not source.needs_params]
        left_out = [source.name for source in installed if source.needs_params]
    chosen: dict[str, ChosenPolicy] = {}
    for ref in refs:
        source = resolve(ref, policy_dirs=policy_dirs)
        # A file or an object may declare the name of an installed policy: it keeps its reference.
        name = ref if ref.endswith(".py") or ":" in ref else source.name
        swapped = policy_swapped(ref, policy_dirs=policy_dirs, parse=parse_params)
        chosen[name] = ChosenPolicy(name=name, ref=ref, swapped=swapped)
    return tuple(chosen.values()), tuple(left_out)
