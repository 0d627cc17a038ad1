"""A workspace's own addresses and numbers."""

from __future__ import annotations

from profiles.own import own_handles
from shared.handle import Handle


def test_inboxes_and_listed_addresses_are_ours_and_what_is_no_address_is_left_out() -> None:
    inboxes = [("email", "Destek@Ornek.com"), ("phone", "0850 222 33 44"), ("chat", "x@y.co"), ("email", None), ("phone", "yok")]
    assert own_handles(inboxes, ["eski@ornek.com", "+908502223345", "?"], region="TR") == {
        Handle(kind="email", value="destek@ornek.com"),
        Handle(kind="phone", value="+908502223344"),
        Handle(kind="email", value="eski@ornek.com"),
        Handle(kind="phone", value="+908502223345"),
    }
    assert own_handles([], None, region=None) == frozenset()
