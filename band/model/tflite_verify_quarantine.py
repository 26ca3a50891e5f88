"""Files that kill an interpreter although nothing in their structure tells.

Known by content alone: size and SHA-256. Each entry has a test that makes the file anew and shows
what it does.
"""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from band.errors import BandError, ErrorCode


class Quarantined(NamedTuple):
    """Why a file is refused, and how large it is: only files of such a size are hashed."""

    size_bytes: int
    reason: str


# SHA-256 -> why.
QUARANTINE: Final[Mapping[str, Quarantined]] = MappingProxyType({})


def check_quarantine(
    content: memoryview, where: str, known: Mapping[str, Quarantined] = QUARANTINE
) -> None:
    """Refuse a file that is known to be harmful.

    Raises:
        BandError: INVALID_MODEL with the reason.
    """
    if not any(entry.size_bytes == len(content) for entry in known.values()):
        return
    entry = known.get(hashlib.sha256(content).hexdigest())
    if entry is not None:
        raise BandError(
            ErrorCode.INVALID_MODEL, f"{where} is quarantined: {entry.reason}", model=where
        )
