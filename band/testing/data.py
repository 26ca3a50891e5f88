"""Real models and published data for tests, in a folder that ``BAND_TEST_DATA`` names.

The folder has ``models/``, ``devices/`` and ``xrbench/``. Nothing of it is part of the project, so
tests that need it skip with ``NO_DATA`` when it is not there.
"""

import os
from pathlib import Path
from typing import Final

NO_DATA: Final = "needs real models: set BAND_TEST_DATA to the folder that holds models/"


def data_dir(kind: str) -> Path | None:
    """Return a subfolder of ``BAND_TEST_DATA``, None if it is not there."""
    root = os.environ.get("BAND_TEST_DATA")
    folder = Path(root) / kind if root else None
    return folder if folder is not None and folder.is_dir() else None


def real_models() -> tuple[Path, ...]:
    """Return all real model files, sorted by name; empty without data."""
    folder = data_dir("models")
    return tuple(sorted(folder.glob("*.tflite"))) if folder is not None else ()
