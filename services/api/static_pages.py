"""Pages and assets of the front end, with the headers that keep them safe.

``/desk`` (agents) · ``/chat/{widget_token}`` (the widget's frame) · ``/santral-chat.js`` (its loader, for any site) · ``/shop`` and ``/demo/…``
(only where the demo runs) · ``/assets/…`` (a digest in the name, so kept for ever). Files are read once; only what was read is served.
Source: CSP level 3, Trusted Types; HTML §7 (cross-origin headers).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response

from services.api.chat import widget_at
from services.frame.mail_border import is_own_machine
from services.frame.peers import peer_of
from shared.errors import Forbidden, NotFound, Unavailable

router = APIRouter(include_in_schema=False)
DIST: Final = Path(__file__).parent.parent / "web" / "dist"
GUIDE: Final = DIST.parent / "guide"
MAILS_MAX: Final = 100
_POLICY: Final = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; "
    "frame-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; "
)
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
FOR_EVER: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file as it is served."""

    content: bytes = field(repr=False)
    media_type: str
    etag: str


class Front:
    """The built front end in memory: path from its root → file."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = {path: file_of(path, content) for path, content in files.items()}

    @classmethod
    def read(cls, folder: Path) -> Front:
        """Reads a folder once; one that is not there gives a front end without pages."""
        if not folder.is_dir():
            return cls({})
        found = [
            path for path in sorted(folder.rglob("*")) if path.is_file() and not path.relative_to(folder).parts[0].startswith(".")
        ]
        return cls({path.relative_to(folder).as_posix(): path.read_bytes() for path in found})

    def file(self, path: str) -> File:
        """Raises `NotFound`, also for any path that tries to leave the folder: only what was read has a name."""
        found = self._files.get(path)
        if found is None:
            raise NotFound("no such page or asset", field="path", remedy="build the front end, or see /docs")
        return found

    def has(self, path: str) -> bool:
        """Whether a file of that name was read."""
        return path in self._files


def file_of(path: str, content: bytes) -> File:
    """Something to serve under a name, which says its media type."""
    media_type = "text/javascript" if path.endswith(".js") else mimetypes.guess_type(path)[0] or "application/octet-stream"
    if media_type.startswith("text/") or media_type == "image/svg+xml":
        media_type += "; charset=utf-8"
    return File(content=content, media_type=media_type, etag=f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"')


def answer(request: Request, found: File, *, cache: str, **headers: str) -> Response:
    """A file as it was read, or 304 for who has it."""
    sent = {"etag": found.etag, "cache-control": cache, **{name.replace("_", "-"): value for name, value in headers.items()}}
    if request.headers.get("if-none-match") == found.etag:
        return Response(status_code=304, headers=sent)
    return Response(found.content, media_type=found.media_type, headers=sent)


def _part(request: Request, path: str, *, cache: str, **headers: str) -> Response:
    front: Front = request.app.state.front
    return answer(request, front.file(path), cache=cache, **headers)


def _page(request: Request, path: str, ancestors: str) -> Response:
    return _part(request, path, cache="no-cache", content_security_policy=f"{_POLICY}frame-ancestors {ancestors}")


@router.get("/desk")
async def desk(request: Request) -> Response:
    """The agent's page; the tools that may embed it are named in the settings."""
    return _page(request, "desk.html", " ".join(("'self'", *request.app.state.desk_ancestors)))


@router.get("/chat/{widget_token}")
async def chat(request: Request, widget_token: str) -> Response:
    """The widget's frame; only the sites that the inbox lists may embed it."""
    widget = await widget_at(request.app.state, widget_token)
    return _page(request, "chat.html", " ".join(("'self'", *sorted(widget.origins))))


@router.get("/santral-chat.js")
async def loader(request: Request) -> Response:
    """The script that a site names; any origin may load it."""
    return _part(
        request, "santral-chat.js", cache="public, max-age=300", cross_origin_resource_policy="cross-origin",
        access_control_allow_origin="*",
    )  # fmt: skip


@router.get("/assets/{path:path}")
async def asset(request: Request, path: str) -> Response:
    """A part of a page."""
    return _part(
        request, f"assets/{path}", cache=FOR_EVER, access_control_allow_origin="*", cross_origin_resource_policy="cross-origin",
        content_security_policy="default-src 'none'; style-src 'unsafe-inline'; sandbox",
    )  # fmt: skip


@router.get("/")
async def root(request: Request) -> Response:
    """Where to go from here."""
    state = request.app.state
    target = "/shop" if state.demo_dir is not None else "/docs" if state.docs else "/desk"
    return Response(status_code=307, headers={"location": target})


def _demo_dir(request: Request) -> Path:
    folder: Path | None = request.app.state.demo_dir
    if folder is None:
        raise NotFound("the demo does not run here", field="path", remedy="santral serve --demo")
    origin: str = request.app.state.origin
    # What it tells signs agents in: a site whose name leads here, while somebody looks at it, is not told.
    if request.url.hostname not in (*_LOOPBACK, urlsplit(origin).hostname):
        raise Forbidden("the demo answers under its own address", field="Host", remedy=f"open {origin}, or set SANTRAL_PUBLIC_URL")
    return folder


@router.get("/shop")
async def shop(request: Request) -> Response:
    """The demo's shop, with the chat in it."""
    _demo_dir(request)
    return _page(request, "shop.html", "'self'")


async def _read(path: Path) -> str:
    try:
        return await asyncio.to_thread(path.read_text, encoding="utf-8")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise Unavailable(f"the demo's folder cannot be read: {error.strerror}", retry_after_s=1) from error


@router.get("/demo/info")
async def demo_info(request: Request) -> dict[str, Any]:
    """What the demo's pages link to. Pages that sign agents in are told on this machine, and where `SANTRAL_PUBLIC_URL` shows the demo."""
    text = await _read(_demo_dir(request) / "info.json")
    info: dict[str, Any] = json.loads(text or "{}")
    # A listener on every address hears whoever can send it our own name; only the operator's word opens the demo's desks to them.
    if not is_own_machine(peer_of(request.scope)) and urlsplit(request.app.state.origin).hostname in _LOOPBACK:
        info.pop("agents", None)
    return info


@router.get("/demo/mails")
async def demo_mails(request: Request) -> dict[str, Any]:
    """The last mails that the demo's sink took, newest first."""
    lines = (await _read(_demo_dir(request) / "mails.jsonl")).splitlines()
    return {"items": [json.loads(line) for line in reversed(lines[-MAILS_MAX:]) if line.strip()]}
