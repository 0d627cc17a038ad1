"""Files for replies: kept first, named in the reply's ``content.files`` then, each in one reply alone (`router/commands/kept_files.py`)."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Final

from fastapi import APIRouter, Header, Query, Request
from pydantic import Field

from ingest.mail.file_names import bare_name
from router.commands.kept_files import keep
from services.api.audit import audit
from services.api.document import BYTES
from services.api.principal import ConversationWriter
from shared.database import retried
from shared.errors import SantralError, Unprocessable
from shared.given import Given
from shared.ids import new_id

router = APIRouter(prefix="/v1/files", tags=["conversations"])
FILE_BYTES_MAX: Final = 25_000_000
_KEY: Final = r"^[0-9a-f-]{36}/[0-9a-f-]{36}/attachment-[0-9a-f]{32}$"
_TYPE: Final = re.compile(r"[a-z0-9!#$&^_.+-]{1,100}/[a-z0-9!#$&^_.+-]{1,100}")


class FileOut(Given):
    """A file that was kept; give it back as it is in ``content.files``."""

    blob: Annotated[str, Field(pattern=_KEY)]
    name: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f/\\]+$")]
    content_type: Annotated[str, Field(pattern=rf"^{_TYPE.pattern}$")]


@router.post(
    "", status_code=201, summary="Keep a file for a reply", max_body_size=FILE_BYTES_MAX,
    openapi_extra={"requestBody": {"content": {"application/octet-stream": {"schema": {**BYTES, "minLength": 1}}}, "required": True}},
)  # fmt: skip
async def keep_file(
    request: Request,
    principal: ConversationWriter,
    name: Annotated[str, Query(min_length=1, max_length=200)],
    content_type: Annotated[str, Header(max_length=200)] = "application/octet-stream",
) -> FileOut:
    """The raw bytes as the body, at most 25 MB; durable when it is answered. Nothing looks into them.

    One answer takes it, once, and it goes with that answer. What no answer has taken within a day goes by itself; 429 when more of the
    caller's would wait for answers than is left for the others of the workspace, of what the deployment allows (1 GiB unless it says otherwise).

    Of the name its last piece is kept, without letters that turn it around; a content type that is none counts as bytes.
    """
    content = await request.body()
    if not content:
        raise Unprocessable("an empty file", field="body", remedy="send the file's bytes")
    digest = hashlib.blake2b(content, digest_size=16).hexdigest()
    blob = f"{principal.workspace_id}/{new_id()}/attachment-{digest}"
    state = request.app.state

    async def noted() -> None:
        async with state.db.batch(principal.workspace_id) as connection:
            await keep(
                connection,
                principal.workspace_id,
                blob,
                len(content),
                kept_by=principal.actor,
                unsent_bytes_max=state.unsent_bytes_max,
            )
            await audit(connection, principal, "file.kept", "file", blob, {"bytes": len(content)})

    await state.blobs.put(blob, content)
    try:
        await retried(noted)
    except SantralError:
        await state.blobs.delete(blob)
        raise
    kind = content_type.partition(";")[0].strip().lower()
    return FileOut(
        blob=blob, name=bare_name(name) or "file", content_type=kind if _TYPE.fullmatch(kind) else "application/octet-stream"
    )
