"""``/docs/guide``: the documentation as a site, as it was built into the package; off where the reference is off.

Its pages search themselves with scripts and a worker of their own origin and ask nobody else for anything, so they work without a network.
Source: CSP level 3. No Trusted Types, which the site's own script does not know: instead no script runs that is not a file of ours.
"""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response

from services.api.static_pages import FOR_EVER, Front, answer

router = APIRouter(include_in_schema=False)
_PATH: Final = "/docs/guide/"
_SHEET: Final = "'sha256-NwSx/R2V/U4jnW0Tq5pQ53Y/rzPVJ4dqE7D6UTA/J1k='"
"""The style sheet that the site's search puts into its own tree; where another release brings another one, the browser's test says its digest."""
_POLICY: Final = (
    f"default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self' {_SHEET}; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


def _moved(path: str) -> Response:
    return Response(status_code=307, headers={"location": path})


@router.get("/docs/guide")
async def first_page() -> Response:
    """Links of a page are relative to its folder, so a folder's address ends with a slash."""
    return _moved(_PATH)


@router.get("/docs/guide/{path:path}")
async def page(request: Request, path: str) -> Response:
    """A page or a part of one. Raises `NotFound`."""
    guide: Front = request.app.state.guide
    if path and not path.endswith("/") and guide.has(f"{path}/index.html"):
        return _moved(f"{_PATH}{path}/")
    found = guide.file(f"{path}index.html" if not path or path.endswith("/") else path)
    return answer(request, found, cache=FOR_EVER if path.startswith("assets/") else "no-cache", content_security_policy=_POLICY)
