"""A customer's own site: pages on another origin that embed the chat, and a server that signs who is signed in."""

from __future__ import annotations

import contextlib
import html
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from joserfc import jwt
from joserfc.jwk import OctKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from services.frame.doors import WebDoor

_PAGE = """<!doctype html><html lang="{lang}"><meta charset="utf-8"><title>Site</title><link rel="icon" href="data:,">
<body style="margin:0"><h1>Site</h1>{review}
<script src="{santral}/santral-chat.js" data-inbox="{widget}" data-identity="{identity}" async></script>"""


@dataclass(slots=True)
class HostSite:
    """``customer`` is who is signed in at the site; empty for nobody. Its pages know no more of it than the token."""

    santral: str
    audience: str
    secret: str
    widget: str = ""
    url: str = ""
    customer: str = ""
    lang: str = "tr"
    review: str = ""
    """What one of its visitors wrote: markup that does nothing by itself, as such sites let through."""

    def identity(self) -> str:
        """A fresh token of whoever is signed in."""
        if not self.customer:
            return ""
        claims = {"sub": self.customer, "name": self.customer, "aud": self.audience, "exp": int(time.time()) + 600}
        return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(self.secret))

    async def page(self, request: Request) -> HTMLResponse:
        """GET /: any page of the site."""
        shown = {"santral": self.santral, "widget": self.widget, "identity": self.identity(), "lang": self.lang}
        escaped = {name: html.escape(value) for name, value in shown.items()}
        return HTMLResponse(_PAGE.format(review=self.review, **escaped))


@contextlib.asynccontextmanager
async def host_site(santral: str, *, audience: str, secret: str) -> AsyncIterator[HostSite]:
    """The site on a free port."""
    site = HostSite(santral=santral, audience=audience, secret=secret)
    door = WebDoor(Starlette(routes=[Route("/", site.page)]), host="127.0.0.1", port=0, setting="test")
    await door.open()
    site.url = f"http://127.0.0.1:{door.port}"
    try:
        yield site
    finally:
        await door.close(2)
