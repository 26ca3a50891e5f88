"""The bytes of a model file: read if it is small, mapped into memory if it is large."""

import mmap
from pathlib import Path
from typing import Final

from band.errors import BandError, ErrorCode

Content = bytes | memoryview
"""What a file holds: bytes, or a read-only view of a mapped file."""

# A mapped file must not change while it is open, so only those are mapped that are too large for
# a copy in memory: most of their bytes are read once, into a slice.
MAPPED_FROM_BYTES: Final = 256 << 20


def open_content(path: Path) -> Content:
    """Return what a file holds, without a copy in memory if it is large.

    Raises:
        BandError: NOT_FOUND if it is missing or cannot be read; INVALID_MODEL for a folder.
    """
    if path.is_dir():
        msg = f"{path} is a folder; name a .tflite file in it"
        raise BandError(ErrorCode.INVALID_MODEL, msg, model=str(path))
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            if size < MAPPED_FROM_BYTES or size == 0:
                return file.read()
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except FileNotFoundError:
        msg = f"no file {path}; check the path, or see `band models list` for known names"
        raise BandError(ErrorCode.NOT_FOUND, msg, model=str(path)) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        msg = f"cannot read {path}: {reason}; check the path and its permissions"
        raise BandError(ErrorCode.NOT_FOUND, msg, model=str(path)) from error
