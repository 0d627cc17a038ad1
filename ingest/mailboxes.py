"""Which mail inbox an address is of. Pure.

An address is one inbox's in all workspaces of a deployment, whose workspace named it first; the database keeps that (`inbox.mailbox` is
unique). A plus-address is also whose the address without its tag was first: with the tag answers come back to their conversation.
**Identity** of a mailbox: its address in the form of handles, its domain as A-labels.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, NamedTuple

from ingest.adapter import Inbox
from shared.errors import InputRejected
from shared.handle import normalized
from shared.mailbox import DOMAIN_CHARS_MAX, as_letters

_DOTS: Final = str.maketrans("。．｡", "...")
_LAST: Final = datetime.max.replace(tzinfo=UTC)


def mailbox_of(address: str) -> str:
    """One form for one mailbox, as for the handles of those who write there."""
    try:
        return normalized("email", address).value
    except InputRejected:
        return address.lower()


class Named(NamedTuple):
    """A mail inbox by its mailbox, and since when; None where the mailbox is not kept as its own, which comes last."""

    mailbox: str
    inbox: Inbox
    at: datetime | None


def named(inbox: Inbox, *, kept: str | None, at: datetime | None) -> Named | None:
    """The inbox by its mailbox, where it receives mail at one; ``kept`` is the mailbox that the database keeps as its own, ``at`` since when."""
    if inbox.provider != "smtp" or not inbox.address:
        return None
    mailbox = mailbox_of(inbox.address)
    # A release before writes an address without saying whose mailbox it is.
    return Named(mailbox, inbox, at if kept == mailbox else None)


class Mailboxes:
    """The mail inboxes of all workspaces by mailbox, whoever named it first."""

    def __init__(self, all_named: Iterable[Named] = ()) -> None:
        self._inboxes: dict[str, Inbox] = {}
        for mailbox, inbox, _ in sorted(all_named, key=lambda one: (one.at or _LAST, one.inbox.id)):
            holder = self._inboxes.get(_untagged(mailbox))
            if holder is None or holder.workspace_id == inbox.workspace_id:
                self._inboxes.setdefault(mailbox, inbox)
        domains = {mailbox.rpartition("@")[2] for mailbox in self._inboxes}
        self._international = frozenset(_folded(as_letters(one)) for one in domains if "xn--" in one)

    def at(self, address: str) -> Inbox | None:
        """The inbox that receives at this address: exact, else without its plus-tag.

        A domain's letters are looked up one by one, a stranger's at every recipient they name; so only those that may be ours are.
        """
        domain = address.rpartition("@")[2]
        if not domain.isascii() and _folded(domain) not in self._international:
            return None
        mailbox = mailbox_of(address)
        return self._inboxes.get(mailbox) or self._inboxes.get(_untagged(mailbox))


def _folded(domain: str) -> str:
    text = unicodedata.normalize("NFKC", domain.strip().rstrip(".")).casefold()
    return text.translate(_DOTS) if len(text) <= DOMAIN_CHARS_MAX else ""


def _untagged(mailbox: str) -> str:
    local, _, domain = mailbox.rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"
