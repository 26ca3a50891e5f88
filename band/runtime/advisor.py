"""Answers the core's Advise, in a process of its own.

An advice may compute for seconds in Python. In a thread of this process that would hold back the
end of every slice by a switch interval, and it could not be stopped. The child gets a copy of the
core and a snapshot, runs at low priority, and is ended when it takes too long.
"""

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from multiprocessing import Pipe
from queue import SimpleQueue
from typing import Final

from band.errors import FOREIGN_ERRORS, described
from band.scheduler.events import AdviceReady
from band.sim.advise import AdviceTask

_CHILD: Final = "band.runtime.advisor_process"
_START_S: Final = 20.0
"""What a child may take to start, and to end a simulation once its time is up."""

_log = logging.getLogger(__name__)


class Advisor:
    """A thread that hands tasks to a child process, one at a time.

    The child is started for the first task and kept for the next one.

    Args:
        answer: is called with each answer, in the thread.
        limit_ms: wall time for one advice of a policy without ``advise_ms`` among its parameters.
    """

    def __init__(self, answer: Callable[[AdviceReady], None], limit_ms: int) -> None:
        self._answer = answer
        self._limit_ms = limit_ms
        self._tasks: SimpleQueue[AdviceTask | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._child: _Child | None = None
        self._closed = False
        self._lock = threading.Lock()

    def ask(self, task: AdviceTask) -> None:
        """Answer a task some time later; nothing comes after :meth:`close`."""
        with self._lock:
            if self._closed:
                return
            if self._thread is None:
                self._thread = threading.Thread(target=self._main, name="band-advisor", daemon=True)
                self._thread.start()
        self._tasks.put(task)

    def close(self) -> None:
        """End the child, whatever it is at, and the thread. May be called again."""
        with self._lock:
            self._closed = True
            if self._child is not None:
                self._child.kill()
        self._tasks.put(None)
        if self._thread is not None:
            self._thread.join()

    def _main(self) -> None:
        while (task := self._tasks.get()) is not None:
            answer = self._advice(task)
            if self._closed:
                break
            if answer.reason:
                _log.warning("no advice policy=%s reason=%s", answer.policy, answer.reason)
            self._answer(answer)
        self._end_child()

    def _advice(self, task: AdviceTask) -> AdviceReady:
        limit_ms: int = dict(task.core.swapped.params).get("advise_ms", self._limit_ms)  # type: ignore[assignment]
        try:
            child = self._started()
            if child is None:
                return AdviceReady(task.policy, None, "the engine closes")
            answer = child.advise(task, limit_ms)
        except (OSError, EOFError) as error:
            self._end_child()
            reason = f"the process of its advise ended ({type(error).__name__})"
            return AdviceReady(task.policy, None, reason)
        except FOREIGN_ERRORS as error:  # its task may not even pickle
            reason = f"its advise cannot run apart: {described(error)}"
            return AdviceReady(task.policy, None, reason)
        if answer is None:
            self._end_child()
            reason = f"its advise took longer than {limit_ms} ms"
            return AdviceReady(task.policy, None, reason)
        return answer

    def _started(self) -> "_Child | None":
        with self._lock:
            if self._closed:
                return None
            if self._child is None:
                self._child = _Child()
            return self._child

    def _end_child(self) -> None:
        with self._lock:
            child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()


class _Child:
    """The process and the connection to it."""

    def __init__(self) -> None:
        self._connection, theirs = Pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", _CHILD, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        except BaseException:
            self._connection.close()
            raise
        finally:
            theirs.close()

    def advise(self, task: AdviceTask, limit_ms: int) -> AdviceReady | None:
        """Return the advice, None if it does not come in time.

        Raises:
            OSError, EOFError: the process has ended.
        """
        self._connection.send((task, limit_ms))
        if not self._connection.poll(limit_ms / 1000 + _START_S):
            return None
        answer: AdviceReady = self._connection.recv()
        return answer

    def kill(self) -> None:
        """End the process."""
        self._process.kill()

    def wait(self) -> None:
        """Return when the process has ended, and free what it took."""
        self._process.wait()
        self._connection.close()
