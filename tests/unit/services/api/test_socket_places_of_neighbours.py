"""Places for sockets, where one machine has a whole prefix of addresses."""

from __future__ import annotations

import contextlib

import pytest

from services.api.socket_places import Places
from services.api.sockets import Closed
from services.frame.peers import shares_of


async def test_a_machine_with_a_whole_prefix_leaves_half_of_the_places_to_others() -> None:
    places = Places(most=12, of_workspace=12, of_address=2, silent_of_address=1, silent=4)
    with contextlib.ExitStack() as stack:
        for subnet in range(6):
            stack.enter_context(places.open.one(shares_of(f"2001:db8:0:{subnet << 8:x}::1")))
        with pytest.raises(Closed), places.open.one(shares_of("2001:db8:0:ff00::1")):
            pass
        stack.enter_context(places.open.one(shares_of("2001:db8:1::1")))
        for subnet in range(2):
            stack.enter_context(places.silent.one(shares_of(f"2001:db8:0:{subnet}::1")))
        with pytest.raises(Closed), places.silent.one(shares_of("2001:db8:0:3::1")):
            pass
        stack.enter_context(places.silent.one(shares_of("192.0.2.1")))
    with places.open.one(shares_of("2001:db8:0:ff00::1")):
        pass


async def test_a_place_that_there_is_none_of_in_all_is_not_held() -> None:
    places = Places(most=2, of_workspace=2, of_address=2)
    with places.open.one(shares_of("192.0.2.1")), places.open.one(shares_of("192.0.2.2")):
        for _ in range(3):
            with pytest.raises(Closed), places.open.one(shares_of("192.0.2.3")):
                pass
    with places.open.one(shares_of("192.0.2.3")), places.open.one(shares_of("192.0.2.3")):
        pass
