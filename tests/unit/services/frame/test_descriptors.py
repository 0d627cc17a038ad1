"""A process takes no more connections than the system lets it have files."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest

from services.frame.descriptors import OTHERS, room_for


@pytest.fixture
def limits() -> Iterator[tuple[int, int]]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_soft_limit_is_raised_to_what_is_needed(limits: tuple[int, int]) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (OTHERS, limits[1]))
    assert room_for(50) == 50
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (OTHERS + 50, limits[1])
    assert room_for(10) == 10, "and never lowered"
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == OTHERS + 50


def test_under_a_hard_limit_there_is_room_for_fewer(limits: tuple[int, int]) -> None:
    _, hard = limits
    if hard == resource.RLIM_INFINITY:
        pytest.skip("this system has no hard limit")
    assert room_for(hard) == hard - OTHERS
