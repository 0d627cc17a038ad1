"""A workspace's own addresses and numbers: they stand in many messages and are nobody's handle. Pure.

Where it receives, and what it lists itself (a former address, a shared alias): `shared/own_addresses.py` says which. What is no address is
left out. **Identity**: the normalized handle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from uuid import UUID

from shared.errors import InputRejected
from shared.handle import Handle, normalized


def own_handles(entries: Iterable[tuple[str, str, str | None]], *, region: str | None) -> frozenset[Handle]:
    """The handles of (kind, address, country) entries; ``region`` for numbers without a country."""
    found = set()
    for kind, address, country in entries:
        try:
            found.add(normalized(kind, address, region=country or region))
        except InputRejected:
            continue
    return frozenset(found)


class OwnHandles:
    """Every workspace's, asked one by one: nothing is made for all of them together. ``of`` gives one's."""

    def __init__(self, of: Callable[[UUID], frozenset[Handle]]) -> None:
        self._of = of

    def __contains__(self, key: object) -> bool:
        """Whether the workspace's handle is its own."""
        return isinstance(key, tuple) and key[1] in self._of(key[0])
