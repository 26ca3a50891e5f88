"""Which policies a replay compares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from band.config.params import parse_params
from band.config.policy import load_policy
from band.scheduler.events import PolicySwapped
from band.scheduler.loader import find_policies, policy_swapped, resolve


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenPolicy:
    """A policy to replay a trace under.

    Attributes:
        name: what its run is called.
        ref: what the loader takes.
        params: the parameters given.
        swapped: the event that puts it in force.
    """

    name: str
    ref: str
    swapped: PolicySwapped
    params: Mapping[str, Any] = field(default_factory=dict)


def choose_policies(
    refs: Sequence[str], policy_dirs: Sequence[Path] = ()
) -> tuple[tuple[ChosenPolicy, ...], tuple[str, ...]]:
    """Return the policies asked for, each once, and a sentence for each one left out.

    Args:
        refs: names, ``path.py``, ``package:object``, or the path of a YAML file that names a policy
            and its parameters, such as ``band search`` writes; if empty, every installed policy
            that needs no parameter.
        policy_dirs: folders searched before the shipped policies.

    Raises:
        BandError: a policy is not found, does not load, or needs a parameter.
    """
    left_out: list[str] = []
    if not refs:
        installed = find_policies(policy_dirs)
        refs = [source.name for source in installed.sources if not source.needs_params]
        needy = [source.name for source in installed.sources if source.needs_params]
        left_out = [f"policy {name} needs parameters" for name in needy]
        left_out += dict.fromkeys(refused.error.message for refused in installed.refused)
    chosen: dict[str, ChosenPolicy] = {}
    for ref in refs:
        if ref.endswith((".yaml", ".yml")):
            chosen[ref] = _configured(ref, policy_dirs)
            continue
        source = resolve(ref, policy_dirs=policy_dirs)
        # A file or an object may declare the name of an installed policy: it keeps its reference.
        name = ref if ref.endswith(".py") or ":" in ref else source.name
        swapped = policy_swapped(ref, policy_dirs=policy_dirs, parse=parse_params)
        chosen[name] = ChosenPolicy(name=name, ref=ref, swapped=swapped)
    return tuple(chosen.values()), tuple(left_out)


def _configured(path: str, policy_dirs: Sequence[Path]) -> ChosenPolicy:
    """Return the policy that a YAML file names, with its parameters; the file is its name."""
    config = load_policy(path)
    parse = partial(_parse_at, config.where)
    swapped = policy_swapped(config.ref, config.params, policy_dirs=policy_dirs, parse=parse)
    return ChosenPolicy(name=path, ref=config.ref, swapped=swapped, params=config.params)


def _parse_at(where: str, params_type: type[Any], raw: Mapping[str, Any], name: str) -> Any:
    """Return the parameters of a policy; an error names the file and line they come from."""
    return parse_params(params_type, raw, where or name)
