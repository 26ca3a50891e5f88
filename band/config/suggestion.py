"""Words a "did you mean" for a name that is not known."""

import difflib
from collections.abc import Iterable
from typing import Final

_MOST_LISTED: Final = 20


def suggestion(word: str, known: Iterable[str], *, noun: str) -> str:
    """Return the end of a sentence about an unknown word: the nearest known one, or what there is.

    Args:
        word: what was written.
        known: what could have been written.
        noun: what the known words are, in the plural.
    """
    known = sorted(set(known))
    if not known:
        return f"no {noun} are known here"
    lowered = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)
    if near:
        return f"did you mean '{lowered[near[0]]}'?"
    if len(known) > _MOST_LISTED:
        return f"it is none of the {len(known)} {noun}"
    return f"the {noun} are {', '.join(known)}"
