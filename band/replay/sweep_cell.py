"""One cell of a sweep: a simulated replay, in whatever process it runs.

The models of a trace are prepared for a device once, where the sweep was started. What a cell
needs of that travels as bytes; a process that plays several cells of it unpacks it once. The policy
travels as bytes too: some executors look into the tuples that they are given and rebuild them.
"""

import pickle
import zlib
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from band.errors import BandError, ErrorCode
from band.metrics.summary import summarise
from band.replay.policies import ChosenPolicy
from band.replay.sim import SimSetup
from band.trace.contents import TraceContents
from band.trace.schema import Trace

Figures = dict[str, Any]
"""The figures of a cell, as in a replay document, or one key ``error`` with code and message."""

_LEVEL: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    trace: Trace
    contents: TraceContents
    setup: SimSetup


def pack(trace: Trace, contents: TraceContents, setup: SimSetup) -> bytes:
    """Return a trace on a device, for :func:`play`.

    Raises:
        BandError: INVALID_TRACE for a bad line.
    """
    in_memory = replace(trace, frames=tuple(trace.frames))
    case = _Case(trace=in_memory, contents=contents, setup=setup)
    return zlib.compress(pickle.dumps(case), _LEVEL)


def pack_policy(policy: ChosenPolicy) -> bytes:
    """Return a policy for :func:`play`: its reference, the hash of its file, its parameters."""
    return pickle.dumps(policy)


def play(packed: bytes, packed_policy: bytes, seed: int) -> Figures:
    """Return the figures of one simulated replay; what goes wrong is in them.

    A policy that the core had to replace has none: they would be the default policy's.

    Args:
        packed: by :func:`pack`.
        packed_policy: by :func:`pack_policy`. It is looked up here by its reference, and refused
            if it is another file than there.
        seed: of the noise of latencies.
    """
    try:
        case = _unpacked(packed)
        policy: ChosenPolicy = pickle.loads(packed_policy)  # noqa: S301 - our own bytes
        run = case.setup.run(case.trace, policy, seed=seed)
        if run.replaced is not None:
            return failure(ErrorCode.POLICY_FAILED, run.replaced)
        held = case.contents
        return summarise(run, sent=held.models, trace_us=held.trace_us).to_json()
    except BandError as error:
        return failure(error.code, error.message)
    except Exception as error:  # noqa: BLE001 - a cell may fail for any reason; the others go on
        return failure(ErrorCode.INTERNAL, f"{type(error).__name__}: {error}")


def failure(code: ErrorCode, message: str) -> Figures:
    """Return the figures of a cell that has none."""
    return {"error": {"code": code.value, "message": message}}


@lru_cache(maxsize=2)
def _unpacked(packed: bytes) -> _Case:
    case: _Case = pickle.loads(zlib.decompress(packed))  # noqa: S301 - our own bytes
    return case
