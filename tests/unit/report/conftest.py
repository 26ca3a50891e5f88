"""Partitions to draw."""

import pytest

from band.testing.partitions import Case, long_case, small_case


@pytest.fixture(scope="session")
def small() -> Case:
    """Six ops with a refusal, two cuts and a processor that is down."""
    return small_case()


@pytest.fixture(scope="session")
def long() -> Case:
    """700 ops, four processors, a plan with many cuts."""
    return long_case()
