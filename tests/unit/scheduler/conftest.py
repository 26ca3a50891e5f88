"""Every scheduler test drives its core through ``drive`` and ends with the invariants checked."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from band.testing.core_driver import CoreDriver

Drive = Callable[..., CoreDriver]


@pytest.fixture
def drive() -> Iterator[Drive]:
    drivers: list[CoreDriver] = []

    def make(*args: Any, **settings: Any) -> CoreDriver:
        drivers.append(CoreDriver(*args, **settings))
        return drivers[-1]

    yield make
    for driver in drivers:
        driver.core.check_invariants()
        driver.finish_all()
        assert driver.core.status().jobs == 0, "a job is left though nothing runs any more"
