"""A workspace's files in the blob store by the folder they lie in; told apart in a thread, for there may be very many.

**Identity**: the folder's id, a message's or one made for files of an answer.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from uuid import UUID

from shared.blobs import Blobs

Folders = Mapping[UUID, list[str]]
"""The keys of the store by their folder, in the order of its ids."""


async def folders_of(blobs: Blobs, workspace_id: UUID) -> Folders:
    """All of a workspace's; what lies in no folder of an id is left out. Raises `Unavailable`."""
    return await asyncio.to_thread(_by_folder, await blobs.keys(f"{workspace_id}/"))


def _by_folder(keys: Iterable[str]) -> Folders:
    found: defaultdict[UUID, list[str]] = defaultdict(list)
    for key in keys:
        try:
            folder = UUID(key.split("/")[1])
        except ValueError:
            continue
        found[folder].append(key)
    return dict(sorted(found.items()))
