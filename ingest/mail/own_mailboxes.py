"""Our own mailboxes in one form, so that each address of a mail is asked for by itself, however many they are. Pure.

**Identity**: two mailboxes are one when their handles are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from shared.errors import InputRejected
from shared.handle import normalized

_PUBLIC_DOMAIN: Final = re.compile(
    r"(?:gmail|googlemail|hotmail|outlook|live|msn|yahoo|ymail|yandex|icloud|me|mac|aol|gmx|web|mail|proton|protonmail|zoho|mynet)"
    r"(?:\.com|\.net|\.org|\.me|\.de|\.ru|\.fr|\.it|\.es)?(?:\.[a-z]{2})?"
)
"""Domains at which anybody has a mailbox: who writes from there is none of ours, though our own mailbox is there too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnMailboxes:
    """Our own mailboxes, as handles have them and as they are written but for case and tags, and the domains that are only ours."""

    values: frozenset[str] = frozenset()
    written: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()

    def has(self, address: str) -> bool:
        """Whether mail to this address comes to us, with any tag behind a plus sign too."""
        value = handle_value(address)
        local, _, domain = value.rpartition("@")
        return bool(value) and (value in self.values or f"{local.partition('+')[0]}@{domain}" in self.values)

    def is_named_by(self, address: str) -> bool:
        """Whether a field with this address names us, whatever tag either has."""
        return _untagged(address) in self.written

    def is_domain(self, address: str) -> bool:
        """Whether an address is at a domain of ours, or below one."""
        domain = handle_value(address).rpartition("@")[2]
        while domain and domain not in self.domains:
            domain = domain.partition(".")[2]
        return bool(domain)


def own_mailboxes(addresses: Iterable[str]) -> OwnMailboxes:
    """Our own mailboxes by the addresses that inboxes are configured with; what is no address is left out."""
    given = [one for one in addresses if one]
    values = frozenset(value for one in given if (value := handle_value(one)))
    domains = frozenset(one.rpartition("@")[2] for one in values)
    return OwnMailboxes(
        values=values, written=frozenset(map(_untagged, given)),
        domains=frozenset(one for one in domains if not _PUBLIC_DOMAIN.fullmatch(one)),
    )  # fmt: skip


def handle_value(address: str) -> str:
    """The address as its handle has it; empty for one that cannot be a handle."""
    try:
        return normalized("email", address).value
    except InputRejected:
        return ""


def _untagged(address: str) -> str:
    local, _, domain = address.lower().rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"
