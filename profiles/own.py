"""A workspace's own addresses and numbers: they stand in many messages and are nobody's handle. Pure.

Its inboxes' addresses, the numbers of its switchboards, and those a workspace lists itself (a former address, a shared alias). What is no
address is left out.
**Identity**: the normalized handle.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from shared.errors import InputRejected
from shared.handle import Handle, normalized

ADDRESSES: Final = """
(select jsonb_agg(jsonb_build_array(own.channel, own.address)) from (
    select x.channel, x.address from santral.inbox x where x.workspace_id = w.id and x.address <> ''
    union all
    select x.channel, n from santral.inbox x cross join lateral jsonb_array_elements_text(
        case when jsonb_typeof(x.settings->'numbers') = 'array' then x.settings->'numbers' else '[]' end) n
    where x.workspace_id = w.id and x.channel = 'phone') own)
"""
"""The (channel, address) pairs of the inboxes of a workspace, for statements that call it ``w``: where they receive, and a switchboard's
``numbers``."""
_KINDS: Final = {"email": "email", "phone": "phone"}


def own_handles(
    inboxes: Iterable[tuple[str, str | None]], listed: Iterable[str] | None, *, region: str | None
) -> frozenset[Handle]:
    """The handles of (channel, address) pairs and of listed addresses; ``region`` for numbers without a country."""
    given = [(_KINDS.get(channel), address) for channel, address in inboxes]
    given += [("email" if "@" in address else "phone", address) for address in listed or ()]
    found = set()
    for kind, address in given:
        if kind is None or not address:
            continue
        try:
            found.add(normalized(kind, address, region=region))
        except InputRejected:
            continue
    return frozenset(found)
