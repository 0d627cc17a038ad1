"""Who takes an answer slowly makes nobody hold all of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

from services.api.file_answers import PIECE_BYTES
from shared.blobs_files import FileBlobs
from tests.support.api import Api, listening
from tests.support.intake_line import Line, member_of, message_to, rows
from tests.support.workspaces import Workspace

PIECES = 80
CONTENT = bytes(range(256)) * (PIECE_BYTES // 256) * PIECES + b"end"


class Counted(FileBlobs):
    """A store that says how much of its files was read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.read_bytes = 0

    async def piece(self, key: str, start: int, length: int) -> bytes:
        content = await super().piece(key, start, length)
        self.read_bytes += len(content)
        return content


async def _path(api: Api, workspace: Workspace) -> str:
    """A file of a message, of 20 MB."""
    mail = message_to(workspace, "smtp", "<1@x>", text="Ektedir.")
    key = f"{workspace.id}/{mail.id}/attachment-1"
    await api.app.state.blobs.put(key, CONTENT)
    part = {"blob": key, "name": "a.bin", "size_bytes": len(CONTENT), "role": "attachment"}
    line, member = Line(), await member_of(api.worker)
    line.add(message_to(workspace, "smtp", "<1@x>", text="Ektedir.", parts=(part,)))
    await member.take(line)
    (found,) = await rows(api.worker, "select conversation_id, seq from santral.message")
    return f"/v1/conversations/{UUID(str(found['conversation_id']))}/messages/{found['seq']}/parts/0"


async def test_of_a_file_that_nobody_takes_little_is_read_and_who_takes_it_gets_it_whole(
    api: Api, workspace: Workspace, tmp_path: Path
) -> None:
    store = api.app.state.blobs = Counted(tmp_path)
    path, headers = await _path(api, workspace), await api.key(workspace.id)
    taken = await api.client.get(path, headers=headers)
    assert (taken.status_code, taken.content == CONTENT, taken.headers["content-length"]) == (200, True, str(len(CONTENT)))
    store.read_bytes = 0
    async with listening(api) as address:
        place = urlsplit(address)
        reader, writer = await asyncio.open_connection(place.hostname, place.port, limit=1024)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {headers['authorization']}\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")  # the answer has begun, and is taken no further
        before = -1
        while before != store.read_bytes:
            before = store.read_bytes
            await asyncio.wait([asyncio.create_task(api.client.get("/v1/workspace", headers=headers))])
        writer.close()
        assert 0 < store.read_bytes < len(CONTENT) // 2
