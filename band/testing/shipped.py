"""The shipped policies, ready to be put in force in a test."""

import dataclasses
import sys

from band.scheduler.events import PolicySwapped
from band.scheduler.loader import policy_swapped
from band.scheduler.policy_source import PolicySource

_SIMULATIONS = 3


def quick(source: PolicySource) -> PolicySwapped:
    """Return the event that puts a policy in force; few simulations are enough where it has any.

    A policy whose parameters have no defaults is given those of its ``EXAMPLE``.
    """
    module = sys.modules[source.policy_type.__module__]
    params = dataclasses.asdict(module.EXAMPLE) if source.needs_params else {}
    if any(field.name == "simulations" for field in dataclasses.fields(source.params_type)):
        params["simulations"] = _SIMULATIONS
    return policy_swapped(source.name, params)
