"""Files for replies: kept first, named in the reply's ``content.files`` then."""

from __future__ import annotations

import hashlib
from typing import Annotated, Final

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel

from services.api.principal import ConversationWriter
from shared.errors import Unprocessable
from shared.ids import new_id
from shared.text import clean_line

router = APIRouter(prefix="/v1/files", tags=["conversations"])
FILE_BYTES_MAX: Final = 25_000_000


class FileOut(BaseModel):
    """A file that was kept; give it back as it is in ``content.files``."""

    blob: str
    name: str
    content_type: str


@router.post("", status_code=201, summary="Keep a file for a reply", max_body_size=FILE_BYTES_MAX)
async def keep_file(
    request: Request,
    principal: ConversationWriter,
    name: Annotated[str, Query(min_length=1, max_length=200)],
    content_type: Annotated[str, Header(max_length=200)] = "application/octet-stream",
) -> FileOut:
    """The raw bytes as the body, at most 25 MB; durable when it is answered."""
    content = await request.body()
    if not content:
        raise Unprocessable("an empty file", field="body", remedy="send the file's bytes")
    digest = hashlib.blake2b(content, digest_size=16).hexdigest()
    blob = f"{principal.workspace_id}/{new_id()}/attachment-{digest}"
    await request.app.state.blobs.put(blob, content)
    return FileOut(blob=blob, name=clean_line(name), content_type=content_type.partition(";")[0].strip().lower())
