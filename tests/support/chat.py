"""A visitor of the chat widget for tests: identities as a host site signs them, sessions, the socket, and what intake does with a message."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import websockets
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey
from websockets.asyncio.client import ClientConnection, connect

from shared.cloudevent import decode_message
from shared.ids import new_id
from shared.message import InboundMessage
from tests.support.api import Api
from tests.support.workspaces import Workspace

FRAME_S = 10
IDENTITY = "an identity secret of enough characters"


def signed(claims: dict[str, Any], key: str | ECKey = IDENTITY, algorithm: str = "HS256", **header: Any) -> str:
    used = OctKey.import_key(key) if isinstance(key, str) else key
    return jwt.encode({"alg": algorithm, **header}, claims, used, algorithms=[algorithm])


def good_claims(**more: Any) -> dict[str, Any]:
    return {"sub": "customer-7", "aud": "webchat", "exp": int(time.time()) + 600, **more}


async def open_session(api: Api, widget: str, **body: Any) -> dict[str, Any]:
    answer = await api.client.post(f"/v1/chat/{widget}/sessions", json=body)
    assert answer.status_code == 201, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


async def read_until(socket: ClientConnection, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(FRAME_S):
        while True:
            frame: dict[str, Any] = json.loads(await socket.recv())
            if frame["type"] == kind:
                return frame


@contextlib.asynccontextmanager
async def chat(
    url: str, widget: str, token: str, resume: dict[str, Any] | None = None
) -> AsyncIterator[tuple[ClientConnection, dict[str, Any]]]:
    async with connect(f"{url}/v1/chat/{widget}/socket", subprotocols=[websockets.Subprotocol("santral.v1")], proxy=None) as socket:
        await socket.send(json.dumps({"type": "hello", "token": token, **({"resume": resume} if resume else {})}))
        yield socket, await read_until(socket, "welcome")


async def route(api: Api, workspace: Workspace, message: InboundMessage) -> UUID:
    """What intake does with a chat message, as far as a visitor can see it; returns the conversation."""
    assert message.sender is not None
    sender = message.sender
    async with api.worker.batch() as connection:
        handle = await connection.fetchval(
            "insert into santral.handle (workspace_id, id, kind, scope, value, profile_id) values ($1, $2, $3, $4, $5, $2)"
            " on conflict (workspace_id, kind, scope, value) do update set last_seen_at = now() returning id",
            workspace.id, new_id(), sender.kind, sender.scope, sender.value,
        )  # fmt: skip
        conversation = await connection.fetchval(
            "select id from santral.conversation where workspace_id = $1 and handle_id = $2", workspace.id, handle
        )
        if conversation is None:
            conversation = new_id()
            await connection.execute(
                "insert into santral.conversation (workspace_id, id, handle_id, inbox_id, last_inbox_id, last_handle_id, channel, opened_at)"
                " values ($1, $2, $3, $4, $4, $3, 'chat', now())",
                workspace.id, conversation, handle, message.inbox_id,
            )  # fmt: skip
            await connection.execute(
                "insert into santral.work_item (workspace_id, id, conversation_id, queue_id, channel, state, due_at, enqueued_at, queued_at, step_at)"
                " values ($1, $2, $3, $4, 'chat', 'queued', now(), now(), now(), now())",
                workspace.id, new_id(), conversation, workspace.queue_id,
            )  # fmt: skip
        seq = await connection.fetchval(
            "update santral.conversation set seq = seq + 1, last_in_at = now() where id = $1 returning seq", conversation
        )
        await connection.execute(
            "insert into santral.message (workspace_id, conversation_id, seq, id, direction, kind, channel, provider, inbox_id, handle_id,"
            " visibility, external_id, text, body, accepted_at) values ($1, $2, $3, $4, 'in', 'text', 'chat', 'webchat', $5, $6, 'private',"
            " $7, $8, $9, now())",
            workspace.id, conversation, seq, message.id, message.inbox_id, handle, message.external_id, message.text,
            {"traits": message.traits, "authenticated": message.authenticated},
        )  # fmt: skip
        await connection.execute(
            "insert into santral.receipt (workspace_id, id, state, conversation_id, seq) values ($1, $2, 'taken', $3, $4)",
            workspace.id, message.id, conversation, seq,
        )  # fmt: skip
    api.hints.wake("stream", str(workspace.id))
    found: UUID = conversation
    return found


def published(api: Api) -> list[InboundMessage]:
    return [decode_message(dict(record.headers), record.value) for record in api.broker.records]


async def say(socket: ClientConnection, text: str) -> str:
    client_id = str(uuid4())
    await socket.send(json.dumps({"type": "message", "id": client_id, "text": text}))
    accepted = await read_until(socket, "accepted")
    assert accepted["id"] == client_id
    return client_id
