"""The machine that this process runs on, as far as it decides what computing costs."""

import os
import platform
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

_CPUINFO: Final = Path("/proc/cpuinfo")
_MODEL_KEYS: Final = ("model name", "Hardware", "cpu model")


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A machine.

    Attributes:
        cpu: the processor's own name, such as ``AMD EPYC``.
        cores: logical cores.
        architecture: such as ``x86_64``.
    """

    cpu: str
    cores: int
    architecture: str

    def __str__(self) -> str:
        return f"{self.cpu} ({self.cores} cores, {self.architecture})"


@lru_cache(maxsize=1)
def this_host() -> Host:
    """Return the machine that this process runs on."""
    architecture = platform.machine() or "unknown"
    return Host(
        cpu=_cpu_model() or platform.processor() or architecture,
        cores=os.cpu_count() or 1,
        architecture=architecture,
    )


def _cpu_model() -> str:
    """Return the name that Linux gives the processor, "" elsewhere."""
    try:
        lines = _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    named = {key.strip(): value.strip() for key, value in fields.items()}
    return next((named[key] for key in _MODEL_KEYS if named.get(key)), "")
