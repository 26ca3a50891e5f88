"""Checks each model in a process of its own, so that a crash of the runtime ends one check only.

What the process took of memory goes back with it, and if memory runs out it is the one to go.
"""

import signal
from collections.abc import Callable
from multiprocessing import get_all_start_methods, get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, SpawnContext
from pathlib import Path
from typing import Final, NamedTuple

from band.errors import BandError, ErrorCode
from band.runtime.check import check_model
from band.runtime.check_report import CheckedModel, CheckOptions, refused

Checker = Callable[[str, CheckOptions, Callable[[str], None]], CheckedModel]


class _Failed(NamedTuple):
    """A BandError on its way between processes."""

    code: ErrorCode
    message: str


_PRELOADED: Final = ["band.runtime.check", "ai_edge_litert.interpreter"]
_FIRST_TO_GO: Final = "1000"


def check_apart(
    ref: str,
    options: CheckOptions,
    stage: Callable[[str], None],
    *,
    check: Checker = check_model,
) -> CheckedModel:
    """Check one model in a child process.

    Args:
        ref: a path or a zoo name.
        options: what to check it with.
        stage: told what the child is about to do.
        check: what the child calls.

    Returns:
        What the child found; a refusal that names the signal or exit code if it died.

    Raises:
        BandError: the device has no processor that can be used.
    """
    context = _context()
    context.set_forkserver_preload(_PRELOADED)  # does nothing where processes are spawned
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(sender, check, ref, options), daemon=True)
    child.start()
    sender.close()
    told: str | _Failed | CheckedModel = "starting"
    try:
        while isinstance(told, str):
            stage(told)
            last = told
            told = receiver.recv()
    except (EOFError, OSError):  # before an answer, or in the middle of one
        child.join()
        return refused(ref, f"{_end(child.exitcode)} during {last}")
    finally:
        receiver.close()
        child.kill()  # it has nothing left to do, or the user interrupts
        child.join()
    if isinstance(told, _Failed):
        raise BandError(told.code, told.message)
    return told


def _context() -> ForkServerContext | SpawnContext:
    """Return how children are made: a server that has imported everything is quick to fork."""
    if "forkserver" in get_all_start_methods():
        return get_context("forkserver")
    return get_context("spawn")


def _child(sender: Connection, check: Checker, ref: str, options: CheckOptions) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted too, and ends this
    _offer_to_go_first()
    try:
        sender.send(check(ref, options, sender.send))
    except BandError as error:
        sender.send(_Failed(error.code, error.message))
    except Exception as error:  # noqa: BLE001 - a defect met with one model must not end the rest
        sender.send(refused(ref, f"{type(error).__name__}: {error}"))


def _offer_to_go_first() -> None:
    """Ask Linux to end this process, and no other, if memory runs out."""
    try:
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO, encoding="ascii")
    except OSError:
        return


def _end(code: int | None) -> str:
    """Return how a process ended that gave no answer."""
    if code is not None and code < 0:
        return f"the runtime was killed by {signal.Signals(-code).name}"
    return f"the runtime ended the process with exit code {code}"
