"""Which conversation a message belongs to. Pure: it looks at what was found and at what this batch has opened already.

Strongest first: a reference (a signed token in the address, the id of a mail it answers, the post under which it stands); the same
person's thread where the channel keeps threads apart; the same handle's conversation that is open or was closed a short while
ago; the person's newest open conversation, if the sender is vouched for by the channel and both are private.

A conversation is its opener's person's, as they are known now. Another handle goes on with it only while it is theirs: who was taken apart
from them (an un-merge, a link that ended, a handle that met too many people) begins a conversation of their own with their next word.

Words for which their channel does not vouch, from a handle that was vouched for before (`is_doubted`), are anybody's: by their handle
alone they continue open conversations of such words only, and no finished one, so that they bring nobody else's conversation to whom their
words are routed. What is referred to they reach as any words do.

Mail without authentication never continues another channel. A reference that others can guess or share (a comment's post, an
external id) leads only to a conversation of the same person.

Mail may be anybody's: the table in `ingest/mail/README.md` says what the border's verdict and each kind of evidence are good for. Two
questions are asked here: which conversation, and whether the next answer goes to who wrote, where they ask (`moves_answer`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from router.moves.vouched import UNVOUCHED
from shared.handle import assurance_rank
from shared.message import AMENDMENTS, MOVED, UNVERIFIED_SCOPE, InboundMessage

_SHARED_REFS: Final = ("ext:", "post:", "thread:")
_THREADS: Final = ("thread:", "post:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A conversation as far as threading looks at it."""

    workspace_id: UUID
    id: UUID
    handle_id: UUID
    last_handle_id: UUID
    profile_id: UUID | None
    channel: str
    visibility: str
    thread_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Who wrote, once resolved. ``former_ids``: with a notice that they moved, their further handles; ``is_doubted``: see below."""

    handle_id: UUID
    profile_id: UUID
    assurance: str
    former_ids: tuple[UUID, ...] = ()
    is_doubted: bool = False


@dataclass(slots=True)
class Candidates:
    """What may be continued: found in the database, then overlaid by what this batch opens. Keys carry the workspace."""

    by_ref: dict[tuple[UUID, str], Found] = field(default_factory=dict)
    by_handle: dict[tuple[UUID, UUID, str], Found] = field(default_factory=dict)
    by_profile: dict[tuple[UUID, UUID], Found] = field(default_factory=dict)
    writers: dict[tuple[UUID, str], UUID] = field(default_factory=dict)
    """The person of the message that a channel's id names, wherever somebody put it."""

    def add(self, conversation: Found, *, refs: Sequence[str], handle_id: UUID, profile_id: UUID | None, is_open: bool) -> None:
        """A conversation this batch opened or continued; the first that defined a reference keeps it.

        It is the handle's to go on with where they opened it or are its person: ``profile_id`` is whose the handle is.
        """
        workspace = conversation.workspace_id
        for ref in refs:
            self.by_ref.setdefault((workspace, ref), conversation)
        if handle_id == conversation.handle_id or (profile_id is not None and profile_id == conversation.profile_id):
            self.by_handle[workspace, handle_id, conversation.thread_key] = conversation
        if is_open and conversation.profile_id is not None and conversation.visibility == "private":
            self.by_profile[workspace, conversation.profile_id] = conversation


def asked_of(message: InboundMessage) -> str:
    """Where a mail asks to be answered, when that is another mailbox than its writer's; else empty."""
    asked = message.traits.get("reply_to", "").lower() if message.channel == "email" else ""
    # Releases before named the writer's own address too.
    return "" if message.sender is not None and asked == message.sender.value else asked


def thread_key(message: InboundMessage) -> str:
    """What keeps one person's threads apart on this channel; empty where a person has one conversation.

    Of mail that names somebody in Reply-To: the other mailbox, hashed, so that only the same pair goes on with a conversation.
    """
    post = message.traits.get("post")
    if post and message.visibility != "private":
        return f"post:{message.inbox_id}:{post}"
    for ref in (*message.refs, *message.defines):
        if ref.startswith(_THREADS):
            return ref
    written_from = message.traits.get("written_from", "").lower() if message.channel == "email" else ""
    if message.visibility == "private" and (written_from or asked_of(message)):
        pair = f"{written_from}\n{asked_of(message)}".encode()
        return "pair:" + hashlib.blake2b(pair, key=message.workspace_id.bytes, digest_size=16).hexdigest()
    return "" if message.visibility == "private" else f"public:{message.inbox_id}"


def is_doubted(message: InboundMessage, *, known_as: str) -> bool:
    """Whether nobody vouches for these words of a handle that was vouched for before, which is ``known_as`` that assurance.

    As `router/views/seen.py` asks it of stored messages. Mail without a border is taken as it comes; ``pass`` beside `asserted` is the border's
    word on a form or a list, which says nothing of whom it names.
    """
    if message.sender is None or message.direction != "in" or message.sender.assurance != "asserted" or known_as == "asserted":
        return False
    return message.provider != "smtp" or message.traits.get("verdict") in ("none", "pass")


def key_by_handle(key: str, *, doubted: bool) -> str:
    """The thread in which a handle's conversation is looked for and begun: doubted words have one of their own beside the other."""
    return f"{key}{UNVOUCHED}" if doubted else key


def may_continue(message: InboundMessage, assurance: str) -> bool:
    """Whether a message may continue a conversation that the same person has under another handle."""
    if message.visibility != "private" or assurance_rank(assurance) < assurance_rank("channel_verified"):
        return False
    return message.channel != "email" or message.authenticated


def has_moved(message: InboundMessage) -> bool:
    """Whether a channel says that somebody is reached elsewhere from now on."""
    return message.kind == "system" and MOVED in message.traits


def is_denied(message: InboundMessage) -> bool:
    """Whether the domain a mail claims to come from says that it does not."""
    return message.channel == "email" and message.sender is not None and message.sender.scope == UNVERIFIED_SCOPE


def moves_answer(message: InboundMessage, *, is_recipient: bool, asked_before: str, nobody_yet: bool) -> bool:
    """Whether the next answer goes to the writer of a person's message, where they ask to be answered.

    ``is_recipient``: the writer is who is answered now, at ``asked_before``; ``nobody_yet``: no person has spoken here, nor have we. Mail
    that nobody vouches for moves nothing: the conversation's answers go where they went.
    """
    if message.channel != "email" or message.authenticated:
        return True
    return (nobody_yet and not is_denied(message)) or (is_recipient and asked_of(message) == asked_before)


def choose(message: InboundMessage, writer: Writer | None, key: str, candidates: Candidates) -> Found | None:
    """The conversation to continue, or None to open one. The same inputs give the same answer."""
    workspace = message.workspace_id
    for ref in message.refs:
        found = candidates.by_ref.get((workspace, ref))
        if found is not None and (_reaches(message, ref, key, found, writer) or _amends_own(message, ref, writer, candidates)):
            return found
    if writer is None:
        return None
    for handle_id in (writer.handle_id, *writer.former_ids):
        found = candidates.by_handle.get((workspace, handle_id, key_by_handle(key, doubted=writer.is_doubted)))
        if found is not None:
            return found
    if key or not may_continue(message, writer.assurance):
        return None
    found = candidates.by_profile.get((workspace, writer.profile_id))
    return None if found is None or found.visibility != "private" or found.thread_key else found


def _amends_own(message: InboundMessage, ref: str, writer: Writer | None, candidates: Candidates) -> bool:
    """Whether somebody amends their own message: it follows that message, also into another customer's conversation."""
    if message.kind not in AMENDMENTS or writer is None:
        return False
    return candidates.writers.get((message.workspace_id, ref)) == writer.profile_id


def _reaches(message: InboundMessage, ref: str, key: str, found: Found, writer: Writer | None) -> bool:
    if writer is None or ref.startswith("conversation:"):
        return True
    own_handle = writer.handle_id in (found.handle_id, found.last_handle_id)
    if ref.startswith(_SHARED_REFS):
        return writer.handle_id == found.handle_id or writer.profile_id == found.profile_id
    if message.authenticated or message.channel != "email":
        return True
    # Who forges a From may have seen a Message-ID: without authentication it leads to mail only, or to the writer's own; a denied mail,
    # or one that wants its answer elsewhere, only to what the same pair began.
    by_machine = message.automatic is not None and not message.automatic.marked_only
    if is_denied(message) or (key and not by_machine):
        return own_handle and found.thread_key.removesuffix(UNVOUCHED) == key
    return own_handle or found.channel == "email"
