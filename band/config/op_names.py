"""Op types as people write them: builtin names, and custom ones with their prefix."""

from functools import cache

from band.config.suggestion import suggestion
from band.model.tflite_schema import CUSTOM_PREFIX, enum_names


@cache
def _builtin() -> frozenset[str]:
    return frozenset(enum_names("BuiltinOperator").values())


def known_operator(name: str) -> bool:
    """Return whether a name can be the type of an op: builtin, or ``CUSTOM:name``."""
    return name in _builtin() or (name.startswith(CUSTOM_PREFIX) and name != CUSTOM_PREFIX)


def unknown_operator(name: str) -> str:
    """Return the sentence for a name that cannot."""
    near = suggestion(name, _builtin(), noun="builtin operators")
    return f"unknown operator '{name}'; {near}"
