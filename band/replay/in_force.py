"""A daemon's policy in force, put back after replays with others."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from band.errors import BandError
from band.rpc.client import Client, PolicyInForce

_ANSWER_S: Final = 60.0


class NotPutBackError(BandError):
    """All is done, but the daemon does not run the policy that it ran before."""


@contextmanager
def policy_put_back(address: str) -> Iterator[None]:
    """Let a daemon run afterwards what it runs now, however what is done in between ends.

    Args:
        address: of the daemon.

    Raises:
        NotPutBackError: all that was done in between went well, putting back did not.
        BandError: UNREACHABLE; or both went wrong, and the sentence names both.
    """
    with Client(address, wait_s=_ANSWER_S) as client:
        before = client.policy_in_force()
        try:
            yield
        except BaseException as error:
            failure = _put_back(client, before)
            if failure is None:
                raise
            if not isinstance(error, BandError):
                raise BandError(failure.code, failure.message, **failure.fields) from error
            both = f"{error.message}; and {failure.message}"
            raise BandError(error.code, both, **error.fields) from error
        failure = _put_back(client, before)
        if failure is not None:
            raise failure


def _put_back(client: Client, before: PolicyInForce) -> NotPutBackError | None:
    """Return why a policy could not be put back, None if it is in force."""
    try:
        client.swap_policy(*before)
    except BandError as error:
        return NotPutBackError(
            error.code,
            f"could not put policy {before.policy!r} back in the daemon at {client.address}: "
            f"{error.message}",
            policy=before.policy,
        )
    return None
