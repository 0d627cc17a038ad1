"""One-time signature tokens: good for one body as long as their signature could be, and not kept for longer."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from ingest.directory import Directory
from ingest.signatures import signed_bytes
from services.frame.bodies import Bodies
from services.gateway.app import create_gateway
from services.gateway.one_time_tokens import KEPT_S, ReplayGuard
from shared.clock import SystemClock
from shared.database import Database
from shared.errors import Unauthenticated
from tests.support.api import Api
from tests.support.intake_line import rows
from tests.support.mail_door import mail_door
from tests.support.providers import SECRET, target_of
from tests.support.workspaces import Workspace

_TOKENS = "select token from santral.signature_use order by token"


async def test_a_token_goes_when_its_time_is_over(worker_db: Database) -> None:
    target, guard = target_of("api"), ReplayGuard(worker_db)
    other = replace(target, id=target.workspace_id)
    for token in ("a", "b", "c"):
        await guard.remember(target, token, token.encode())
    await guard.remember(other, "d", b"d")
    with pytest.raises(Unauthenticated, match="another body"):
        await guard.check(target, "a", b"other")
    async with worker_db.batch() as connection:
        await connection.execute(
            "update santral.signature_use set used_at = now() - $1 * interval '1 s' where token in ('a', 'd')", KEPT_S + 60
        )
        await connection.execute(
            "update santral.signature_use set used_at = now() - $1 * interval '1 s' where token = 'b'", KEPT_S - 60
        )
    await guard.remember(target, "e", b"e")
    assert [row["token"] for row in await rows(worker_db, _TOKENS)] == ["b", "c", "e"]
    with pytest.raises(Unauthenticated, match="another body"):
        await guard.check(target, "b", b"other")


async def test_what_was_signed_for_one_inbox_is_good_at_no_other_of_its_secret(
    api: Api, workspace: Workspace, worker_db: Database, tmp_path: Path
) -> None:
    headers, paths = await api.key(workspace.id), []
    for name, secret in (("bir", SECRET), ("iki", SECRET), ("baska", SECRET[::-1])):
        body = {"name": name, "provider": "api", "secrets": {"signing_secret": secret}}
        paths.append((await api.client.post("/v1/inboxes", json=body, headers=headers)).json()["webhook_path"])
    directory = Directory(worker_db, api.sealer)
    await directory.refresh()
    sender = {"kind": "email", "value": "ayse@ornek.net"}
    content = json.dumps({"inbox": "bir", "external_id": "1", "from": sender, "text": "Merhaba"}).encode()
    stamp = f"{SystemClock().now().timestamp():.0f}"

    def signed(token: str, secret: str) -> dict[str, str]:
        digest = hmac.new(secret.encode(), signed_bytes(stamp, token, content), hashlib.sha256).hexdigest()
        return {"santral-timestamp": stamp, "santral-token": token, "santral-signature": f"v2={digest}"}

    async with mail_door(tmp_path) as door:
        app = create_gateway(
            directory=directory, receiver=door.receiver, parser=door.parser, replays=ReplayGuard(worker_db), clock=SystemClock(),
            bodies=Bodies(),
        )  # fmt: skip
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:

            async def post(path: str, token: str, secret: str = SECRET) -> int:
                return (await client.post(path, content=content, headers=signed(token, secret))).status_code

            for first, second, token in ((paths[0], paths[1], "a"), (paths[1], paths[0], "b")):
                assert await post(first, token) == 200
                assert await post(second, token) == 401
                assert await post(first, token) == 200, "a redelivery"
            assert await post(paths[1], "c") == 200
            assert await post(paths[2], "a", SECRET[::-1]) == 200, "another secret's tokens are its own"
