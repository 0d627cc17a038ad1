"""An export of somebody with much: whole on disk, a piece at a time in memory."""

from __future__ import annotations

import json
import tracemalloc
import zipfile
from pathlib import Path

from services.privacy.person_export import PersonExports
from shared.blobs_files import FileBlobs
from shared.database import Database
from shared.ids import new_id
from tests.support.intake_line import rows
from tests.support.workspaces import Workspace, add_item

MESSAGES, TEXT_CHARS, FILE_BYTES = 400, 100_000, 40_000_000
PEAK_BYTES = 15_000_000

_MESSAGES = """
insert into santral.message (workspace_id, conversation_id, seq, id, direction, kind, channel, provider, inbox_id, handle_id, visibility,
    external_id, text, body, accepted_at)
select c.workspace_id, c.id, n, gen_random_uuid(), 'in', 'text', c.channel, 'webchat', c.inbox_id, c.handle_id, 'private', n::text,
    repeat('a', $2), case when n = 1 then $3::jsonb else '{}'::jsonb end, now()
from santral.conversation c, generate_series(1, $4) n where c.id = $1
"""


class Pieces(FileBlobs):
    """A store that gives no file whole, as a large one could not be."""

    async def get(self, key: str) -> bytes:
        raise MemoryError(key)

    async def put(self, key: str, content: bytes) -> None:
        raise MemoryError(key)


async def test_a_person_with_much_is_exported_whole_with_flat_memory(
    worker_db: Database, workspace: Workspace, tmp_path: Path
) -> None:
    item, key = await add_item(worker_db, workspace), f"{workspace.id}/{new_id()}/attachment-1"
    await FileBlobs(tmp_path).put(key, b"x" * FILE_BYTES)
    (found,) = await rows(
        worker_db, "select c.id, h.profile_id from santral.work_item i join santral.conversation c on c.id = i.conversation_id"
        " join santral.handle h on h.id = c.handle_id where i.id = $1", item,
    )  # fmt: skip
    named = {"parts": [{"blob": key, "name": "büyük.bin", "role": "attachment"}, {"blob": f"{key}0", "name": "yok"}]}
    async with worker_db.batch() as connection:
        await connection.execute(_MESSAGES, found["id"], TEXT_CHARS, named, MESSAGES)
        await connection.execute(
            "insert into santral.person_export (workspace_id, id, profile_id, actor) values ($1, $2, $3, 'test')",
            workspace.id, new_id(), found["profile_id"],
        )  # fmt: skip
    tracemalloc.start()
    try:
        assert await PersonExports(db=worker_db, blobs=Pieces(tmp_path)).round()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    (made,) = await rows(worker_db, "select state, blob, done, parts, size_bytes from santral.person_export")
    assert (made["state"], made["done"]) == ("done", made["parts"])
    assert peak < PEAK_BYTES < MESSAGES * TEXT_CHARS
    file = tmp_path / made["blob"]
    assert file.stat().st_size == made["size_bytes"]
    with zipfile.ZipFile(file) as archive:
        assert sum(len(one["text"]) for one in json.loads(archive.read("messages.json"))) == MESSAGES * TEXT_CHARS
        sizes = {one.filename.rpartition("/")[2]: one.file_size for one in archive.infolist() if one.filename.startswith("files/")}
    assert sizes == {"0-büyük.bin": FILE_BYTES, "1-yok.missing": 0}
