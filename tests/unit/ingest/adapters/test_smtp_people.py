"""A mail's draft: whose it is, what the border said of it, who else is on it; and what becomes of an answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from ingest.adapter import INTERNATIONAL_MAX, PARTICIPANTS_MAX, Draft, Inbox, MailCall, Reply, Request, Target, draft_message
from ingest.adapters.smtp import ADAPTER
from ingest.own_addresses import own_addresses_of
from shared.errors import Unprocessable

INBOX = Inbox(
    workspace_id=UUID(int=1), id=UUID(int=2), name="posta", channel="email", provider="smtp", address="destek@ornek.com",
    settings={"authserv_id": "mx.ornek.com", "aliases": ["yardim@ornek.com"]},
    own=own_addresses_of([("email", f"{one}@ornek.com", None) for one in ("destek", "yardim", "satis")], region=None),
)  # fmt: skip
REPLY = Reply(
    id=UUID(int=3), conversation_id=UUID(int=4), at=datetime(2026, 5, 4, tzinfo=UTC), inbox=INBOX, to_kind="email", to_scope="",
    to_value='"ali veli"@musteri.example', content={"kind": "text", "text": "Merhaba"}, subject="x", token_secret=b"x" * 32,
)  # fmt: skip


def values_of(*fields: str, inbox: Inbox = INBOX) -> dict[str, Any]:
    body = "\r\n".join((*fields, "Message-ID: <1@x>", "", "x")).encode()
    request = Request(method="SMTP", url="", headers={}, query={}, body=body, received_at=datetime.now(UTC), proven=True)
    (draft,) = ADAPTER.parse(Target(id=inbox.id, workspace_id=inbox.workspace_id, provider="smtp", inboxes=(inbox,)), request)
    assert isinstance(draft, Draft)
    return dict(draft.values)


@pytest.mark.parametrize(
    ("verdict", "sender", "traits"),
    [
        ("pass", ("email", "", "ali@musteri.example", "channel_verified"), {"verdict": "pass"}),
        ("none", ("email", "", "ali@musteri.example", "asserted"), {"verdict": "none"}),
        ("fail", ("email", "unverified", "ali@musteri.example", "asserted"), {"verdict": "fail"}),
    ],
)
def test_a_sender_is_vouched_for_by_the_border_alone(verdict: str, sender: tuple[str, ...], traits: dict[str, str]) -> None:
    stamp = f"Authentication-Results: mx.ornek.com; dmarc={verdict} header.from=musteri.example"
    values = values_of(stamp, "From: Ali <ali@musteri.example>")
    found = values["sender"]
    assert (found.kind, found.scope, found.value, found.assurance) == sender
    assert (values["traits"], values["authenticated"]) == (traits, verdict == "pass")
    # Whom a form or a list names the border cannot vouch for, whoever passed it.
    form = values_of(stamp.replace("musteri", "form"), "From: noreply@form.example", "Reply-To: Ali <ali@musteri.example>")
    named = form["sender"]
    assert (named.kind, named.scope, named.value, named.assurance, named.name) == (*sender[:3], "asserted", "Ali")
    assert (form["traits"], form["authenticated"]) == ({**traits, "written_from": "noreply@form.example"}, False)


def test_without_a_border_nobody_is_vouched_for() -> None:
    values = values_of(
        "Authentication-Results: mx.ornek.com; dmarc=pass header.from=musteri.example", "From: ali@musteri.example",
        "Reply-To: ofis@musteri.example", inbox=replace(INBOX, settings={}),
    )  # fmt: skip
    assert values["traits"] == {"verdict": "no_border", "reply_to": "ofis@musteri.example"}
    assert not values["authenticated"]


@pytest.mark.parametrize("own", ["destek@ornek.com", "Yardim+x@Ornek.com", "satis@ornek.com"])
def test_none_of_our_addresses_is_anybody(own: str) -> None:
    nobody = values_of(f"From: Biz <{own}>")["sender"]
    assert (nobody.kind, nobody.scope, nobody.value) == ("visitor", f"mail:{INBOX.id}", "1@x")
    values = values_of("From: ali@musteri.example", f"Reply-To: {own}", f"To: {own}, veli@musteri.example", f"Cc: {own}")
    assert "reply_to" not in values["traits"]
    assert [one.value for one in values["participants"]] == ["veli@musteri.example"]
    with pytest.raises(Unprocessable, match="own mailbox") as refused:
        ADAPTER.reply(replace(REPLY, to_value=own))
    assert refused.value.field == "to"


def test_a_list_or_a_form_takes_no_part() -> None:
    values = values_of(
        "From: 'Ali' via Bilgi <bilgi@grup.example>", "X-Original-From: ali@musteri.example", "To: bilgi@grup.example",
        "Cc: ali@musteri.example, veli@musteri.example",
    )  # fmt: skip
    assert values["sender"].value == "ali@musteri.example"
    assert [one.value for one in values["participants"]] == ["veli@musteri.example"]


def test_nobody_is_not_answered_at_a_message_id() -> None:
    with pytest.raises(Unprocessable, match="address") as refused:
        ADAPTER.reply(replace(REPLY, to_kind="visitor", to_value="1@ornek.net"))
    assert (refused.value.field, bool(refused.value.remedy)) == ("to", True)
    call = ADAPTER.reply(REPLY)
    assert isinstance(call, MailCall)
    assert call.recipients == ('"ali veli"@musteri.example',)


def test_a_post_that_proves_nothing_brings_no_verdict_of_its_own() -> None:
    """Whoever knows the address may post a mail with the border's name in it, though who is denied by it denies themselves."""
    inbox = Inbox(
        workspace_id=UUID(int=1), id=UUID(int=2), name="destek", channel="email", provider="smtp", address="destek@ornek.com",
        settings={"authserv_id": "mx.ornek.com"},
    )  # fmt: skip
    for said, proven, verdict in (("pass", True, "pass"), ("pass", False, "none"), ("fail", True, "fail"), ("fail", False, "fail")):
        stamped = f"Authentication-Results: mx.ornek.com; dmarc={said} header.from=ornek.net\r\nFrom: a@ornek.net\r\n\r\nx\r\n"
        target = Target(id=inbox.id, workspace_id=inbox.workspace_id, provider="smtp", inboxes=(inbox,))
        request = Request(
            method="POST", url="", headers={}, query={}, body=stamped.encode(), received_at=datetime.now(UTC), proven=proven
        )
        (draft,) = ADAPTER.parse(target, request)
        assert isinstance(draft, Draft)
        assert draft.values["traits"] == {"verdict": verdict}
        assert draft.values["sender"].assurance == ("channel_verified" if verdict == "pass" else "asserted")


def test_of_a_crowd_the_first_hundred_take_part() -> None:
    crowd = ", ".join(f"k{place}@ornek.net" for place in range(950))
    values = values_of("From: ali@musteri.example", f"To: {crowd}", f"Cc: {crowd.replace('k', 'c')}")
    draft = Draft(inbox=INBOX, external_id="1", values=values)
    message = draft_message(draft, message_id=uuid4(), accepted_at=datetime.now(UTC), external_id="1")
    assert [one.value for one in message.participants] == [f"k{place}@ornek.net" for place in range(PARTICIPANTS_MAX)]


def test_of_domains_in_foreign_letters_the_first_ten_take_part() -> None:
    """What each was called earlier is asked wherever somebody was erased, and takes a millisecond or two."""
    crowd = ", ".join(f"k@a{place}.xn--rnek-5qa.net, k{place}@ornek.net" for place in range(2 * INTERNATIONAL_MAX))
    values = values_of("From: ali@musteri.example", f"To: {crowd}", "Cc: b@a3.xn--rnek-5qa.net")
    message = draft_message(
        Draft(inbox=INBOX, external_id="1", values=values), message_id=uuid4(), accepted_at=datetime.now(UTC), external_id="1"
    )
    domains = [one.value.rpartition("@")[2] for one in message.participants]
    assert {one for one in domains if "xn--" in one} == {f"a{place}.xn--rnek-5qa.net" for place in range(INTERNATIONAL_MAX)}
    assert domains.count("a3.xn--rnek-5qa.net") == 2, "whoever else is at one of them stays"
    assert domains.count("ornek.net") == 2 * INTERNATIONAL_MAX
