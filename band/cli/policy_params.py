"""``--param KEY=VALUE``: parameters of policies on the command line."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from band.errors import BandError, ErrorCode

if TYPE_CHECKING:
    from band.replay.policies import ChosenPolicy


def with_params(
    chosen: "Sequence[ChosenPolicy]", assignments: Sequence[str], policy_dirs: Sequence[Path]
) -> "tuple[ChosenPolicy, ...]":
    """Return policies with parameters set in each of those that have them.

    Args:
        chosen: the policies of the command line.
        assignments: ``KEY=VALUE``, the value as in YAML.
        policy_dirs: folders searched before the shipped policies.

    Raises:
        BandError: INVALID_REQUEST if an assignment is none, or no policy has that parameter;
            INVALID_CONFIG if the value does not fit.
    """
    import dataclasses

    from band.config.params import parse_params
    from band.config.suggestion import suggestion
    from band.scheduler.loader import policy_swapped, resolve

    given = dict(_assignment(text) for text in assignments)
    sources = [resolve(policy.ref, policy_dirs=policy_dirs) for policy in chosen]
    names = {field.name for source in sources for field in fields(source.params_type)}
    for key in given:
        if key not in names:
            hint = suggestion(key, names, noun="parameters")
            message = f"no policy asked for has a parameter '{key}'; {hint}"
            raise BandError(ErrorCode.INVALID_REQUEST, message, parameter=key)
    found = []
    for policy, source in zip(chosen, sources, strict=True):
        mine = {f.name: given[f.name] for f in fields(source.params_type) if f.name in given}
        if not mine:
            found.append(policy)
            continue
        params = {**policy.params, **mine}
        swapped = policy_swapped(policy.ref, params, policy_dirs=policy_dirs, parse=parse_params)
        found.append(dataclasses.replace(policy, swapped=swapped, params=params))
    return tuple(found)


def _assignment(text: str) -> tuple[str, Any]:
    import yaml

    key, equals, value = text.partition("=")
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError as error:
        message = f"--param {text}: the value is not YAML"
        raise BandError(ErrorCode.INVALID_REQUEST, message, parameter=key) from error
    if not equals or not key:
        message = f"--param {text}: write KEY=VALUE"
        raise BandError(ErrorCode.INVALID_REQUEST, message, parameter=text)
    return key.strip(), parsed
