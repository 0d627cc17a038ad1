"""What a message brought beside its text: its HTML made harmless, its files, and small pictures of those that are pictures."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from html import unescape
from typing import Annotated, Any, Final
from urllib.parse import unquote
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import HTMLResponse, Response

from router.views.messages import parts_of
from services.api.document import BYTES, DISPOSITION, header
from services.api.file_answers import file_answer
from services.api.principal import ConversationReader, Principal
from services.api.thumbnails import EDGE_MAX
from services.api.visibility import require_conversation
from shared.errors import NotFound

router = APIRouter(prefix="/v1/conversations/{conversation_id}/messages/{seq}", tags=["conversations"])
Json = dict[str, Any]
_ETAG: Final = header("Of the file at this size", required=True, pattern='^"[0-9a-f]{24}"$')
EDGE: Final = 320
_VERSION: Final = "1"
"""Raise it when the same file gives another thumbnail: it is part of the tag by which browsers keep them."""
_IMAGE: Final = re.compile(r'<img(?: [^\s"=<>]+="[^"]*")*')
_CID: Final = re.compile(r' src="cid:([^"]*)"', re.IGNORECASE)


async def _parts(request: Request, principal: Principal, conversation_id: UUID, seq: int) -> list[Json]:
    async with request.app.state.db.batch(principal.workspace_id) as connection:
        parts = await parts_of(connection, principal.workspace_id, conversation_id, seq)
        await require_conversation(connection, principal, conversation_id)
    return parts


def _part(parts: Sequence[Json], role: str, n: int | None) -> Json:
    placed = enumerate(parts)
    found = next((part for place, part in placed if (n is None or place == n) and part.get("role", "attachment") == role), None)
    if found is None:
        raise NotFound("this message has no such part", field="n" if n is not None else "seq")
    return found


@router.get("/html", summary="A mail's HTML, sanitized", response_class=HTMLResponse)
async def message_html(request: Request, principal: ConversationReader, conversation_id: UUID, seq: int) -> Response:
    """For a sandboxed frame only: no scripts, no remote content. Pictures that came with it point to their thumbnails."""
    parts = await _parts(request, principal, conversation_id, seq)
    blob = _part(parts, "html", None)["blob"]
    async with request.app.state.page_turns.of(principal):
        content = await request.app.state.blobs.get(blob)
        html: str = await request.app.state.cleaner.clean(content.decode("utf-8", "replace"))
    html = with_pictures(html, parts, f"/v1/conversations/{conversation_id}/messages/{seq}/parts")
    headers = {"content-security-policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"}
    return Response(html, media_type="text/html; charset=utf-8", headers=headers)


@router.get(
    "/parts/{n}", summary="A file of a message", response_class=Response,
    responses={200: {"content": {"application/octet-stream": {"schema": BYTES}}, "headers": {"Content-Disposition": DISPOSITION}}},
)  # fmt: skip
async def message_part(request: Request, principal: ConversationReader, conversation_id: UUID, seq: int, n: int) -> Response:
    """As a download, never shown inline."""
    part = _part(await _parts(request, principal, conversation_id, seq), "attachment", n)
    name = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in part.get("name") or "file")
    headers = {"content-disposition": f'attachment; filename="{name}"', "content-security-policy": "sandbox"}
    return await file_answer(request.app.state.blobs, part["blob"], media_type="application/octet-stream", headers=headers)


@router.get(
    "/parts/{n}/thumbnail", summary="A small picture of a file", response_class=Response,
    responses={
        200: {"content": {"image/webp": {"schema": BYTES}}, "headers": {"ETag": _ETAG}},
        304: {"description": "As the If-None-Match says", "headers": {"ETag": _ETAG}},
    },
)  # fmt: skip
async def message_thumbnail(
    request: Request, principal: ConversationReader, conversation_id: UUID, seq: int, n: int,
    edge: Annotated[int, Query(ge=16, le=EDGE_MAX, description="The longer side is at most this many pixels")] = EDGE,
    known: Annotated[str | None, Header(alias="If-None-Match", max_length=200)] = None,
) -> Response:  # fmt: skip
    """Of PNG, JPEG, GIF and WebP, decoded apart and written anew as WebP without metadata; 422 for any other file."""
    part = _part(await _parts(request, principal, conversation_id, seq), "attachment", n)
    digest = hashlib.blake2b(f"{_VERSION}/{edge}/{part['blob']}".encode(), digest_size=12).hexdigest()
    headers = {
        "etag": f'"{digest}"', "cache-control": "private, max-age=86400", "content-security-policy": "sandbox; default-src 'none'",
    }  # fmt: skip
    if known == headers["etag"]:
        return Response(status_code=304, headers=headers)
    async with request.app.state.picture_turns.of(principal):
        content = await request.app.state.blobs.get(part["blob"])
        made = await request.app.state.thumbnails.make(content, edge=edge, workspace_id=principal.workspace_id)
    return Response(made, media_type="image/webp", headers=headers)


def with_pictures(html: str, parts: Sequence[Mapping[str, Any]], base: str) -> str:
    """Cleaned HTML whose ``cid:`` pictures point to the thumbnails of the files that they name (RFC 2392). Others stay as they are."""
    places = {
        part["content_id"]: place
        for place, part in reversed(list(enumerate(parts)))
        if part.get("content_id") and part.get("role", "attachment") == "attachment"
    }

    def address(source: re.Match[str]) -> str:
        place = places.get(unquote(unescape(source[1])))
        return source[0] if place is None else f' src="{base}/{place}/thumbnail?edge={EDGE_MAX}"'

    return _IMAGE.sub(lambda image: _CID.sub(address, image[0]), html) if places else html
