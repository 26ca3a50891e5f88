"""Addresses of a daemon: ``host:port`` or ``unix:///path``.

gRPC itself would share a port with another daemon and take over the socket file of one; here both
are refused.
"""

import contextlib
import ipaddress
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from band.errors import BandError, ErrorCode

_UNIX = "unix://"
# sun_path of Linux holds 108 bytes with the final zero.
_MAX_PATH_BYTES = 107


class Address(NamedTuple):
    """Where a daemon listens.

    Attributes:
        target: as gRPC takes it.
        host, port: of a TCP address; "" and 0 for a unix socket.
        path: of a unix socket.
    """

    target: str
    host: str
    port: int
    path: Path | None = None

    @property
    def loopback(self) -> bool:
        """Return whether only this machine can reach it."""
        if self.path is not None or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def parse_address(text: str) -> Address:
    """Return the address in a text.

    Raises:
        BandError: INVALID_CONFIG if it is neither form.
    """
    if text.startswith(_UNIX):
        path = Path(text.removeprefix(_UNIX))
        if not path.is_absolute():
            raise _invalid(text, "the path of a unix socket is absolute")
        if len(os.fsencode(path)) > _MAX_PATH_BYTES:
            raise _invalid(text, f"the path of a unix socket has at most {_MAX_PATH_BYTES} bytes")
        return Address(f"{_UNIX}{path}", "", 0, path)
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise _invalid(text, "write HOST:PORT or unix:///PATH")
    bracketed = host.startswith("[") and host.endswith("]")
    if ":" in host and not bracketed:
        raise _invalid(text, "write an IPv6 host in brackets")
    return Address(text, host.strip("[]"), int(port))


@contextlib.contextmanager
def claimed(address: Address) -> Iterator[None]:
    """Hold a unix socket's path during the block; a socket made in it is its owner's only.

    A TCP address needs nothing: binding fails when the port is taken.

    Raises:
        BandError: INVALID_CONFIG if a daemon listens there or the path cannot be one.
    """
    if address.path is None:
        yield
        return
    _clear(address.path, address.target)
    mask = os.umask(0o177)
    try:
        yield
    finally:
        os.umask(mask)


def release(address: Address) -> None:
    """Remove the socket file of a daemon that has stopped."""
    if address.path is not None:
        address.path.unlink(missing_ok=True)


def taken(address: str) -> BandError:
    """Return the error for an address that something else uses or that is not this machine's."""
    return BandError(
        ErrorCode.INVALID_CONFIG,
        f"cannot listen at {address}: it is in use or not an address of this machine; "
        "stop the other process or give another with --address",
        address=address,
    )


def _clear(path: Path, target: str) -> None:
    """Remove the socket that a dead daemon left; refuse a live one's and any other file."""
    if not path.parent.is_dir():
        raise _invalid(target, f"the folder {path.parent} does not exist")
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise _invalid(target, "that file exists and is no socket")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except FileNotFoundError:
            return
        except OSError:
            pass  # it lives but does not answer, or is another user's: leave it alone
    raise taken(target)


def _invalid(text: str, rule: str) -> BandError:
    return BandError(ErrorCode.INVALID_CONFIG, f"{text!r} is no address: {rule}", address=text)
