"""A workspace's own addresses as its inboxes ask for them: made once for all of them, asked by mailbox or number. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ingest.mail.own_mailboxes import OwnMailboxes, own_mailboxes
from ingest.phone.own_numbers import own_numbers

Entry = tuple[str, str, str | None]
"""As `shared/own_addresses.py` gives them: kind, address, the inbox's country."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnAddresses:
    """``numbers`` are comparable (`ingest/phone/own_numbers.py`)."""

    mailboxes: OwnMailboxes = field(default_factory=OwnMailboxes)
    numbers: frozenset[str] = frozenset()


def own_addresses_of(entries: Iterable[Entry], *, region: str | None) -> OwnAddresses:
    """What the entries are; a number is read in its own inbox's country, else in ``region``. What is neither is left out."""
    mail: list[str] = []
    numbers: set[str] = set()
    for kind, address, country in entries:
        if kind == "email":
            mail.append(address)
        else:
            numbers |= own_numbers((address,), region=country or region)
    return OwnAddresses(mailboxes=own_mailboxes(mail), numbers=frozenset(numbers))
