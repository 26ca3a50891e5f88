"""Makes the scripted backend known to tests that ask for it."""

from collections.abc import Iterator
from types import ModuleType

import pytest

from band.testing.backends import known_backends


@pytest.fixture
def scripted() -> Iterator[ModuleType]:
    with known_backends() as module:
        yield module
