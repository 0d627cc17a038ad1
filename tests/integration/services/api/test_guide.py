"""The documentation under ``/docs/guide``: pages and their parts with headers that let nothing else run, and nothing where docs are off."""

from __future__ import annotations

from typing import Any

from services.api.static_pages import Front
from shared.database import Database
from tests.support.api import running_api

SITE = Front({"index.html": b"<title>Santral</title>", "start/index.html": b"<title>Start</title>", "assets/a-1.js": b"1"})


async def test_pages_and_their_parts_are_served_with_their_headers(api_db: Database, worker_db: Database) -> None:
    async with running_api(api_db, worker_db, site=SITE) as api:
        for given, right in (("/docs/guide", "/docs/guide/"), ("/docs/guide/start", "/docs/guide/start/")):
            moved = await api.client.get(given)
            assert (moved.status_code, moved.headers["location"]) == (307, right)
        for path, title in (("/docs/guide/", b"Santral"), ("/docs/guide/start/", b"Start")):
            page = await api.client.get(path)
            assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
            assert title in page.content
            policy = page.headers["content-security-policy"]
            assert policy.startswith("default-src 'none'; script-src 'self';")
            assert "unsafe" not in policy
            assert "http" not in policy
            assert page.headers["cache-control"] == "no-cache"
            assert page.headers["x-content-type-options"] == "nosniff"
            assert page.headers["cross-origin-opener-policy"] == "same-origin"
            same = await api.client.get(path, headers={"if-none-match": page.headers["etag"]})
            assert (same.status_code, same.content) == (304, b"")
        part = await api.client.get("/docs/guide/assets/a-1.js")
        assert part.headers["cache-control"] == "public, max-age=31536000, immutable"
        for path in ("/docs/guide/nothing/", "/docs/guide/nothing", "/docs/guide//etc/passwd", "/docs/guide/%2e%2e/app.py"):
            assert (await api.client.get(path)).status_code == 404, path
        assert "/docs/guide/" in (await api.client.get("/docs")).text


async def test_where_docs_are_off_there_is_no_guide(api_db: Database, worker_db: Database) -> None:
    async with running_api(api_db, worker_db, docs=False, site=SITE) as api:
        for path in ("/docs/guide", "/docs/guide/", "/docs/guide/assets/a-1.js"):
            assert (await api.client.get(path)).status_code == 404, path


async def test_the_reference_is_made_once_whoever_asks_for_it(api_db: Database, worker_db: Database) -> None:
    async with running_api(api_db, worker_db) as api:
        made = 0
        openapi = api.app.openapi

        def counted() -> dict[str, Any]:
            nonlocal made
            made += 1
            return openapi()

        api.app.openapi = counted  # type: ignore[method-assign]
        for path in ("/openapi.json", "/docs", "/openapi.json", "/docs"):
            page = await api.client.get(path)
            assert (page.status_code, page.headers["cache-control"]) == (200, "no-cache")
            same = await api.client.get(path, headers={"if-none-match": page.headers["etag"]})
            assert (same.status_code, same.content) == (304, b"")
        assert made == 1
        assert (await api.client.get("/openapi.json")).json() == openapi()
