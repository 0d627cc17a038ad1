"""A reply whose key an earlier release noted in its own form is sent once, also where it is asked for again after an upgrade."""

from __future__ import annotations

import hashlib

from services.api.conversations import ReplyIn
from shared.database import Database
from tests.integration.services.api.test_rest import answered
from tests.support.api import Api
from tests.support.intake_line import rows
from tests.support.workspaces import Workspace

BODY = {"content": {"kind": "text", "text": "Merhaba, bakıyorum."}}


async def noted_before(db: Database, conversation: object, key: str) -> None:
    """The row of the only reply, as 0.1.0 wrote it."""
    digest = hashlib.sha256(ReplyIn.model_validate(BODY).model_dump_json().encode()).digest()
    async with db.batch() as connection:
        await connection.execute(
            "update santral.idempotency set key = $1, body_hash = $2 where key like 'reply:%'",
            f"reply:{conversation}:{key}",
            digest,
        )


async def test_a_key_of_before_is_known_to_its_caller(api: Api, workspace: Workspace, worker_db: Database) -> None:
    conversation, headers = await answered(api, workspace, worker_db)
    path, keyed = f"/v1/conversations/{conversation}/replies", headers | {"idempotency-key": "r1"}
    first = (await api.client.post(path, json=BODY, headers=keyed)).json()
    await noted_before(worker_db, conversation, "r1")
    again = await api.client.post(path, json=BODY, headers=keyed)
    assert (again.status_code, again.json()["id"]) == (202, first["id"])
    other = await api.client.post(path, json={"content": {"kind": "text", "text": "Başka"}}, headers=keyed)
    assert (other.status_code, other.json()["field"]) == (422, "Idempotency-Key")
    assert len(await rows(worker_db, "select 1 from santral.delivery")) == 1


async def test_a_key_of_before_is_nobody_elses(api: Api, workspace: Workspace, worker_db: Database) -> None:
    conversation, headers = await answered(api, workspace, worker_db)
    path = f"/v1/conversations/{conversation}/replies"
    first = (await api.client.post(path, json=BODY, headers=headers | {"idempotency-key": "r1"})).json()
    await noted_before(worker_db, conversation, "r1")
    colleague = await api.key(workspace.id)
    theirs = await api.client.post(path, json=BODY, headers=colleague | {"idempotency-key": "r1"})
    assert theirs.status_code == 202, theirs.text
    assert theirs.json()["id"] != first["id"]


async def test_a_key_of_now_that_begins_like_its_caller_is_a_key_of_its_own(
    api: Api, workspace: Workspace, worker_db: Database
) -> None:
    conversation, headers = await answered(api, workspace, worker_db)
    path = f"/v1/conversations/{conversation}/replies"
    first = (await api.client.post(path, json=BODY, headers=headers | {"idempotency-key": "r1"})).json()
    (message,) = await rows(worker_db, "select body->>'actor' as actor from santral.message where direction = 'out'")
    longer = await api.client.post(path, json=BODY, headers=headers | {"idempotency-key": f"{message['actor']}:r1"})
    assert (longer.status_code, longer.json()["id"] == first["id"]) == (202, False)
