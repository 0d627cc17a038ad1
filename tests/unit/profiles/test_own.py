"""A workspace's own addresses and numbers."""

from __future__ import annotations

from uuid import uuid4

from profiles.own import OwnHandles, own_handles
from shared.handle import Handle
from shared.ids import WorkspaceId


def test_inboxes_and_listed_addresses_are_ours_and_what_is_no_address_is_left_out() -> None:
    entries = [
        ("email", "Destek@Ornek.com", None), ("phone", "0850 222 33 44", None), ("phone", "030 901820", "DE"), ("email", "yok", None),
        ("phone", "yok", None),
    ]  # fmt: skip
    assert own_handles(entries, region="TR") == {
        Handle(kind="email", value="destek@ornek.com"),
        Handle(kind="phone", value="+908502223344"),
        Handle(kind="phone", value="+4930901820"),
    }
    assert own_handles([], region=None) == frozenset()


def test_each_workspaces_own_are_asked_by_themselves() -> None:
    ours, others, handle = WorkspaceId(uuid4()), WorkspaceId(uuid4()), Handle(kind="email", value="destek@ornek.com")
    own = OwnHandles(lambda one: frozenset({handle}) if one == ours else frozenset())
    assert (ours, handle) in own
    assert (others, handle) not in own
