"""Blocked values, normalization that is done once and for ever, and what a message says about who wrote."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from profiles.blocked import blocked_reason
from profiles.sighting import SeenHandle, Sighting, wanted_of
from shared.errors import InputRejected
from shared.handle import KINDS, Handle, normalized
from shared.ids import MessageId, WorkspaceId

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ODD = st.sampled_from([*"\x00 Ww<>.@+0532İıKßﬁJ", "\u0301", "\u030a", "\u030c", "\u00a0"])
texts = st.one_of(
    st.text(max_size=20),
    st.lists(ODD, max_size=12).map("".join),
    st.tuples(st.lists(ODD, max_size=5).map("".join), st.lists(ODD, max_size=5).map("".join)).map(lambda t: f"{t[0]}@{t[1]}a.com"),
    st.integers(0, 10**10).map(lambda n: f"+90{n}"),
    st.integers(5300000000, 5559999999).map(lambda n: f"0{n}"),
    st.emails(),
)


@given(st.sampled_from(sorted(KINDS)), texts, st.sampled_from([None, "TR", "DE"]))
@example("email", "< ayse@ornek.com>", None)
@example("email", "\x00 ayse@ornek.com", None)
@example("email", "W\u030a@ornek.com", None)
@example("email", "ayse@ornek.com>.", None)
@example("visitor", "e\x00\u0301", None)
def test_normalizing_twice_is_once(kind: str, text: str, region: str | None) -> None:
    try:
        once = normalized(kind, text, region=region)
    except InputRejected:
        return
    assert normalized(kind, once.value, region=region) == once
    assert normalized(kind, once.value) == once
    assert unicodedata.is_normalized("NFC", once.value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("external_id", "0"), ("external_id", "0000-0000"), ("external_id", "-1"), ("external_id", "NULL"), ("external_id", "None"),
        ("external_id", "undefined"), ("external_id", "n/a"), ("visitor", "00000000-0000-0000-0000-000000000000"),
        ("external_id", "anonymous"), ("external_id", "test"), ("email", "noreply@ornek.com"), ("email", "no-reply+x@ornek.com"),
        ("email", "MAILER-DAEMON@ornek.com"), ("email", "postmaster@ornek.com"), ("email", "null@null.com"), ("phone", "+266696687"),
    ],
)  # fmt: skip
def test_what_names_nobody_is_blocked(kind: str, value: str) -> None:
    assert blocked_reason(kind, value) is not None


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("external_id", "100"),
        ("email", "ayse@ornek.com"),
        ("email", "info@ornek.com"),
        ("phone", "+905321234567"),
        ("visitor", "0a0"),
    ],
)
def test_what_names_somebody_is_not(kind: str, value: str) -> None:
    assert blocked_reason(kind, value) is None


def sighting(*senders: SeenHandle, workspace: UUID | None = None) -> Sighting:
    return Sighting(workspace_id=WorkspaceId(workspace or UUID(int=7)), message_id=MessageId(uuid4()), senders=senders, seen_at=NOW)


def seen(kind: str, value: str, assurance: str = "channel_verified", name: str = "") -> SeenHandle:
    return SeenHandle(handle=Handle(kind=kind, value=value), assurance=assurance, name=name)


@given(st.sampled_from(["0", "null", "test", "-1"]), st.sampled_from(["external_id", "visitor", "psid"]))
def test_blocked_values_and_own_addresses_are_linked_with_nothing(value: str, kind: str) -> None:
    wanted = wanted_of([sighting(seen("email", "ayse@ornek.com"), seen(kind, value))])
    assert wanted.links == ()
    workspace = WorkspaceId(UUID(int=7))
    own = {(workspace, Handle(kind="email", value="destek@ornek.com"))}
    wanted = wanted_of([sighting(seen("phone", "+905321234567"), seen("email", "destek@ornek.com"))], own)
    assert wanted.links == ()
    assert [handle.kept_apart for handle in wanted.handles] == ["own", ""]


def test_a_link_is_as_good_as_its_weaker_end() -> None:
    wanted = wanted_of([sighting(seen("visitor", "v"), seen("email", "ayse@ornek.com", "asserted"))])
    assert [(link.assurance, link.kind) for link in wanted.links] == [("asserted", "same_message")]
    assert [handle.present for handle in wanted.handles] == [False, True]


def test_further_handles_hang_on_the_signed_in_customer_not_on_the_browser() -> None:
    wanted = wanted_of(
        [
            sighting(
                seen("visitor", "v", "authenticated"),
                seen("external_id", "c1", "authenticated"),
                seen("email", "a@b.co", "authenticated"),
            )
        ]
    )
    assert {frozenset({link.one[1].kind, link.other[1].kind}) for link in wanted.links} == {
        frozenset({"external_id", "visitor"}),
        frozenset({"external_id", "email"}),
    }


def test_an_unverified_sender_renames_nobody() -> None:
    wanted = wanted_of(
        [sighting(seen("email", "a@b.co", name="Ayşe")), sighting(seen("email", "a@b.co", "asserted", name="Genel Müdür"))]
    )
    assert [(handle.name, handle.assurance) for handle in wanted.handles] == [("Ayşe", "channel_verified")]
