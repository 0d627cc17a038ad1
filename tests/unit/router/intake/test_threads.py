"""Which conversation a message joins."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from router.intake.threads import Candidates, Found, Writer, choose, is_doubted, thread_key
from shared.message import InboundMessage

WORKSPACE, INBOX, PERSON = uuid4(), uuid4(), uuid4()
PHONE, MAIL, OTHER = uuid4(), uuid4(), uuid4()


def message_of(**values: Any) -> InboundMessage:
    base = {"id": uuid4(), "workspace_id": WORKSPACE, "inbox_id": INBOX, "external_id": "x", "channel": "email", "provider": "smtp"}
    return InboundMessage.model_validate({**base, "accepted_at": datetime.now(UTC), **values})


def found_of(handle: UUID = PHONE, profile: UUID = PERSON, **values: Any) -> Found:
    base: dict[str, Any] = {"channel": "chat", "visibility": "private", "thread_key": ""}
    return Found(
        workspace_id=WORKSPACE, id=uuid4(), handle_id=handle, last_handle_id=handle, profile_id=profile, **{**base, **values}
    )


def writer_of(handle: UUID = MAIL, profile: UUID = PERSON, assurance: str = "channel_verified") -> Writer:
    return Writer(handle_id=handle, profile_id=profile, assurance=assurance)


def test_the_strongest_reference_wins() -> None:
    first, second, own = found_of(), found_of(), found_of(handle=MAIL)
    candidates = Candidates(
        by_ref={(WORKSPACE, "mid:1"): first, (WORKSPACE, "mid:2"): second}, by_handle={(WORKSPACE, MAIL, ""): own}
    )
    message = message_of(refs=("mid:0", "mid:2", "mid:1"), authenticated=True)
    assert choose(message, writer_of(), "", candidates) is second
    assert choose(message_of(), writer_of(), "", candidates) is own


def test_the_newest_of_the_person_is_continued_when_the_channel_vouches() -> None:
    chat = found_of()
    candidates = Candidates(by_profile={(WORKSPACE, PERSON): chat})
    assert choose(message_of(authenticated=True), writer_of(), "", candidates) is chat
    assert choose(message_of(channel="phone"), writer_of(), "", candidates) is chat


@pytest.mark.parametrize(
    ("values", "assurance"),
    [
        ({"authenticated": False}, "channel_verified"),  # mail that nobody vouches for
        ({"authenticated": True}, "asserted"),
        ({"authenticated": True, "visibility": "public"}, "channel_verified"),
    ],
)
def test_what_is_not_vouched_for_or_public_opens_its_own(values: dict[str, Any], assurance: str) -> None:
    candidates = Candidates(by_profile={(WORKSPACE, PERSON): found_of()})
    assert choose(message_of(**values), writer_of(assurance=assurance), "", candidates) is None


def test_a_public_conversation_is_never_continued_in_private() -> None:
    candidates = Candidates(by_profile={(WORKSPACE, PERSON): found_of(visibility="public")})
    assert choose(message_of(authenticated=True), writer_of(), "", candidates) is None


def test_a_reference_others_can_share_leads_to_the_same_person_only() -> None:
    comment = found_of(handle=OTHER, profile=uuid4(), channel="social", visibility="public", thread_key="post:1")
    candidates = Candidates(by_ref={(WORKSPACE, f"ext:{INBOX}:9"): comment})
    message = message_of(channel="social", visibility="public", refs=(f"ext:{INBOX}:9",))
    assert choose(message, writer_of(), "post:1", candidates) is None
    assert choose(message, writer_of(handle=OTHER), "post:1", candidates) is comment


def test_a_forged_from_reaches_neither_chat_nor_thread_by_a_message_id() -> None:
    chat, mail = found_of(), found_of(channel="email")
    candidates = Candidates(by_ref={(WORKSPACE, "mid:1"): chat, (WORKSPACE, "mid:2"): mail})
    forged = message_of(refs=("mid:1",), authenticated=False)
    assert choose(forged, writer_of(assurance="asserted"), "", candidates) is None
    assert choose(message_of(refs=("mid:2",)), writer_of(assurance="asserted"), "", candidates) is mail
    token = Candidates(by_ref={(WORKSPACE, f"conversation:{chat.id}"): chat})
    signed = message_of(refs=(f"conversation:{chat.id}",))
    assert choose(signed, writer_of(assurance="asserted"), "", token) is chat


@pytest.mark.parametrize(
    ("values", "known_as", "doubted"),
    [
        ({"provider": "api"}, "channel_verified", True),
        ({"provider": "api"}, "asserted", False),
        ({"traits": {"verdict": "none"}}, "channel_verified", True),
        ({"traits": {"verdict": "pass"}}, "authenticated", True),  # of a form's own mail, which names somebody
        ({"traits": {"verdict": "no_border"}}, "channel_verified", False),
        (
            {"provider": "api", "sender": {"kind": "email", "value": "a@b.co", "assurance": "channel_verified"}},
            "authenticated",
            False,
        ),
        ({"provider": "api", "direction": "out"}, "channel_verified", False),
    ],
)
def test_words_are_doubted_that_nobody_vouches_for_where_the_handle_was(
    values: dict[str, Any], known_as: str, doubted: bool
) -> None:
    message = message_of(**{"sender": {"kind": "email", "value": "a@b.co"}, **values})
    assert is_doubted(message, known_as=known_as) is doubted


def test_doubted_words_have_a_thread_of_their_own() -> None:
    own, theirs = found_of(handle=MAIL), found_of(handle=MAIL, thread_key=":unvouched")
    by_handle = {(WORKSPACE, MAIL, ""): own}
    writer = Writer(handle_id=MAIL, profile_id=PERSON, assurance="asserted", is_doubted=True)
    assert choose(message_of(), writer, "", Candidates(by_handle=by_handle)) is None
    by_handle[WORKSPACE, MAIL, theirs.thread_key] = theirs
    assert choose(message_of(), writer, "", Candidates(by_handle=by_handle)) is theirs
    assert choose(message_of(), writer_of(), "", Candidates(by_handle=by_handle)) is own


def test_a_pairs_doubted_thread_is_reached_by_a_reference_as_any_other() -> None:
    pair = found_of(handle=MAIL, channel="email", thread_key="pair:1:unvouched")
    candidates = Candidates(by_ref={(WORKSPACE, "mid:1"): pair})
    assert choose(message_of(refs=("mid:1",)), writer_of(assurance="asserted"), "pair:1", candidates) is pair
    assert choose(message_of(refs=("mid:1",)), writer_of(assurance="asserted"), "pair:2", candidates) is None


def test_threads_are_kept_apart_where_the_channel_does() -> None:
    post = message_of(channel="social", visibility="public", traits={"post": "77"})
    assert thread_key(post) == f"post:{INBOX}:77"
    assert thread_key(message_of(visibility="public")) == f"public:{INBOX}"
    assert thread_key(message_of(refs=("thread:a",))) == "thread:a"
    assert thread_key(message_of(refs=("mid:1",))) == ""
    other = found_of(handle=MAIL)
    candidates = Candidates(by_handle={(WORKSPACE, MAIL, ""): other}, by_profile={(WORKSPACE, PERSON): other})
    assert choose(message_of(refs=("thread:a",), authenticated=True), writer_of(), "thread:a", candidates) is None


def test_another_workspace_is_another_world() -> None:
    elsewhere = uuid4()
    candidates = Candidates(
        by_ref={(elsewhere, "mid:1"): found_of()},
        by_handle={(elsewhere, MAIL, ""): found_of()},
        by_profile={(elsewhere, PERSON): found_of()},
    )
    assert choose(message_of(refs=("mid:1",), authenticated=True), writer_of(), "", candidates) is None


def test_what_this_batch_opened_is_found() -> None:
    candidates = Candidates()
    mine = found_of(handle=MAIL)
    candidates.add(mine, refs=("mid:1",), handle_id=MAIL, profile_id=PERSON, is_open=True)
    assert choose(message_of(), writer_of(), "", candidates) is mine
    assert choose(message_of(refs=("mid:1",), authenticated=True), writer_of(handle=OTHER), "", candidates) is mine
    assert choose(message_of(channel="chat"), writer_of(handle=OTHER), "", candidates) is mine
