"""Where a daemon listens, and what it must not take over."""

import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from band.errors import BandError, ErrorCode
from band.rpc.address import claimed, parse_address


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as made:
        yield made


@pytest.mark.parametrize(
    ("text", "host", "port", "loopback"),
    [
        ("127.0.0.1:8001", "127.0.0.1", 8001, True),
        ("localhost:0", "localhost", 0, True),
        ("[::1]:8001", "::1", 8001, True),
        ("0.0.0.0:8001", "0.0.0.0", 8001, False),
        ("192.0.2.7:65535", "192.0.2.7", 65535, False),
        ("phone.example:8001", "phone.example", 8001, False),
    ],
)
def test_a_tcp_address_has_host_and_port(text: str, host: str, port: int, loopback: bool) -> None:
    address = parse_address(text)
    assert (address.host, address.port, address.path) == (host, port, None)
    assert address.loopback is loopback
    assert address.target == text


def test_a_unix_address_has_a_path() -> None:
    address = parse_address("unix:///run/band.sock")
    assert address.path == Path("/run/band.sock")
    assert address.loopback


@pytest.mark.parametrize(
    "text",
    [
        *("", "8001", "localhost", ":8001", "host:", "host:70000", "host:-1", "host:http"),
        *("::1:8001", "unix://run/band.sock", "unix:///" + "x" * 120),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(BandError, match="is no address") as caught:
        parse_address(text)
    assert caught.value.code is ErrorCode.INVALID_CONFIG


def test_a_socket_that_a_dead_daemon_left_is_replaced(
    tmp_path: Path, listener: socket.socket
) -> None:
    path = tmp_path / "band.sock"
    listener.bind(str(path))  # bound but not listening: nobody answers
    with claimed(parse_address(f"unix://{path}")):
        assert not path.exists()


def test_the_socket_of_a_live_daemon_is_left_alone(tmp_path: Path, listener: socket.socket) -> None:
    path = tmp_path / "band.sock"
    listener.bind(str(path))
    listener.listen()
    with pytest.raises(BandError, match="in use"), claimed(parse_address(f"unix://{path}")):
        pass
    assert path.is_socket()


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("mine")
    with pytest.raises(BandError, match="is no socket"), claimed(parse_address(f"unix://{path}")):
        pass
    assert path.read_text() == "mine"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    address = parse_address(f"unix://{tmp_path}/absent/band.sock")
    with pytest.raises(BandError, match=r"absent does not exist"), claimed(address):
        pass


def test_a_new_socket_is_its_owners_only(tmp_path: Path, listener: socket.socket) -> None:
    path = tmp_path / "band.sock"
    with claimed(parse_address(f"unix://{path}")):
        listener.bind(str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
