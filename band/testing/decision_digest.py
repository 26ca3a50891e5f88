"""A digest of what each shipped policy decides under random events, to compare two builds by.

python -m band.testing.decision_digest EVENTS SEED
"""

import hashlib
import json
import sys
from typing import Any

from band.scheduler import core
from band.scheduler.commands import Command
from band.scheduler.loader import list_policies, policy_swapped
from band.scheduler.policy_source import PolicySource
from band.testing.shipped import quick
from band.testing.soak import Soak


def digest(source: PolicySource, events: int, seed: int) -> str:
    """Return the SHA-256 of all commands of a core under random events.

    Args:
        source: the policy that is mostly in force, shortest_expected_latency now and then.
        events: how many.
        seed: of the events.
    """
    found = hashlib.sha256()

    def heard(command: Command) -> None:
        found.update(repr(command).encode())

    others = (policy_swapped("shortest_expected_latency"),)
    soak = Soak(quick(source), others, seed=seed, heard=heard)
    soak.run(events)
    soak.drain()
    return found.hexdigest()


def digests(events: int, seed: int) -> dict[str, Any]:
    """Return the digest of each shipped policy, and the file that the core was loaded from."""
    found = {source.name: digest(source, events, seed) for source in list_policies()}
    return {"core": core.__file__, "digests": found}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(digests(int(sys.argv[1]), int(sys.argv[2]))))
