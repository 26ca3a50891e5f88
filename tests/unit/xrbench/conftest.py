"""The published data, where it is there."""

from pathlib import Path

import pytest

from band.testing.xrbench_data import NO_XRBENCH, xrbench_folder


@pytest.fixture
def published() -> Path:
    folder = xrbench_folder()
    if folder is None:
        pytest.skip(NO_XRBENCH)
    return folder
