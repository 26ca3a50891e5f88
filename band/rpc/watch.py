"""The client's end of WatchEvents."""

from collections.abc import Callable, Iterator
from typing import Any, Self

import grpc

from band.errors import BandError
from band.rpc.hub import Seen
from band.rpc.records import record_of


class Watch:
    """Events of a daemon as they come; a context manager. Iterate over it, close it to stop."""

    def __init__(self, call: Any, error: Callable[[grpc.RpcError], BandError]) -> None:
        self._call = call
        self._error = error
        try:
            call.initial_metadata()  # comes once the daemon watches, so nothing after it is missed
        except grpc.RpcError as failed:
            raise error(failed) from failed
        if call.done() and call.code() is not grpc.StatusCode.OK:
            raise error(call)

    def __iter__(self) -> Iterator[Seen]:
        """Return the records until the daemon stops or ``close`` is called.

        Raises:
            BandError: the connection broke.
        """
        try:
            for event in self._call:
                yield Seen(record_of(event), event.lost)
        except grpc.RpcError as failed:
            if not self._call.cancelled():
                raise self._error(failed) from failed

    def close(self) -> None:
        """Stop watching."""
        self._call.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
