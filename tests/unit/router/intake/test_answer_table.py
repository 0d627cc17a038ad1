"""Every cell of the table of who gets the answer, where it is decided: the adapter's draft, the conversation, the next answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4, uuid5

import pytest

from ingest.adapter import draft_message
from ingest.mail.reply_token import conversation_of, reply_address
from router.intake.threads import Candidates, Found, Writer, asked_of, choose, is_doubted, moves_answer, thread_key
from shared.message import Automatic, InboundMessage
from tests.support.answer_table import ADDRESS, ROWS, TABLE, Mail, cells, draft_of, raw

WORKSPACE, INBOX, CONVERSATION, SECRET, OURS = UUID(int=1), UUID(int=2), uuid4(), b"s" * 32, "ours@ornek.com"
SIGNED = reply_address(ADDRESS, CONVERSATION, SECRET)


def message_of(mail: Mail, column: str, name: str) -> InboundMessage:
    """A mail as intake sees it, its signed address read as `ingest/receive.py` does."""
    draft = draft_of(WORKSPACE, INBOX, raw(mail, column, tag="1", name=name, signed=SIGNED, ours=OURS), column)
    named = {ref: conversation_of(ref.removeprefix("address:"), SECRET) for ref in draft.values["refs"]}
    refs = tuple(f"conversation:{named[ref]}" if named[ref] else ref for ref in named)
    values = {**draft.values, "refs": refs}
    return draft_message(replace(draft, values=values), message_id=uuid4(), accepted_at=datetime.now(UTC), external_id=name)


def handle_id(message: InboundMessage) -> UUID:
    assert message.sender is not None
    return uuid5(WORKSPACE, str(message.sender.handle()))


def assurance_of(message: InboundMessage) -> str:
    assert message.sender is not None
    sender = message.sender
    assert message.authenticated == (sender.assurance == "channel_verified")
    if sender.kind != "email":
        return "nobody"
    return "denied" if sender.scope == "unverified" else {"channel_verified": "verified"}.get(sender.assurance, sender.assurance)


def cell(first: Mail, then: Mail, column: str) -> str:
    """What becomes of the second mail, in the table's words."""
    began = message_of(first, "no border" if column == "no border" else "pass", "first")
    found = Found(
        workspace_id=WORKSPACE, id=CONVERSATION, handle_id=handle_id(began), last_handle_id=handle_id(began), profile_id=uuid4(),
        channel="email", visibility="private", thread_key=thread_key(began),
    )  # fmt: skip
    candidates = Candidates(
        by_ref={(WORKSPACE, f"mid:{OURS}"): found, (WORKSPACE, f"conversation:{CONVERSATION}"): found},
        by_handle={(WORKSPACE, found.handle_id, found.thread_key): found},
    )
    message = message_of(then, column, "then")
    assert began.sender is not None
    known_as = began.sender.assurance if handle_id(message) == found.handle_id else "asserted"
    doubted = is_doubted(message, known_as=known_as)
    writer = Writer(handle_id=handle_id(message), profile_id=uuid4(), assurance="asserted", is_doubted=doubted)
    if choose(message, writer, thread_key(message), candidates) is None:
        return f"apart, {assurance_of(message)}"
    moves = moves_answer(
        message, is_recipient=writer.handle_id == found.last_handle_id, asked_before=asked_of(began), nobody_yet=False
    )
    return f"joins, {'answered' if moves else 'aside'}, {assurance_of(message)}"


@pytest.mark.parametrize(("row", "column"), list(cells()))
def test_a_mail_is_worth_what_the_table_says(row: str, column: str) -> None:
    assert cell(*ROWS[row], column) == TABLE[row][column]


def test_a_denied_mail_is_never_answered_in_what_a_machine_began() -> None:
    for column, moves in (("pass", True), ("none", True), ("no border", True), ("fail", False)):
        message = message_of(Mail(signed=True), column, "then")
        assert moves_answer(message, is_recipient=False, asked_before="", nobody_yet=True) is moves


def test_a_machines_mail_joins_by_our_message_id_whatever_its_reply_to() -> None:
    _, then = ROWS["our Message-ID, Reply-To elsewhere"]
    conversation = Found(
        workspace_id=WORKSPACE, id=CONVERSATION, handle_id=uuid4(), last_handle_id=uuid4(), profile_id=None, channel="email",
        visibility="private", thread_key="",
    )  # fmt: skip
    candidates = Candidates(by_ref={(WORKSPACE, f"mid:{OURS}"): conversation})
    for column, joins in (("none", True), ("fail", False)):
        message = message_of(then, column, "then").model_copy(update={"automatic": Automatic(kind="out_of_office")})
        writer = Writer(handle_id=handle_id(message), profile_id=uuid4(), assurance="asserted")
        assert (choose(message, writer, thread_key(message), candidates) is conversation) is joins
        marked = message.model_copy(update={"automatic": Automatic(kind="bulk", marked_only=True)})
        assert choose(marked, writer, thread_key(marked), candidates) is None, "a list's mark makes no machine of a person"
