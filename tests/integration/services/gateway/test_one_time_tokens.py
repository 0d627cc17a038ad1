"""One-time signature tokens: good for one body as long as their signature could be, and not kept for longer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.gateway.one_time_tokens import KEPT_S, ReplayGuard
from shared.database import Database
from shared.errors import Unauthenticated
from tests.support.intake_line import rows
from tests.support.providers import target_of

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
