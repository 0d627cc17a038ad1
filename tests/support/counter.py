"""Santral from the outside: what another system, a customer and an agent do over REST and SMTP."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from email.message import EmailMessage
from typing import Any
from uuid import uuid4

import aiosmtplib
import httpx

from tests.support.serving import Served
from tests.support.waiting import eventually

MAILBOX = "destek@yaylakahve.example"


class Counter:
    """A running deployment, its admin's client and its agents'."""

    def __init__(self, served: Served, admin: httpx.AsyncClient, agents: Mapping[str, httpx.AsyncClient]) -> None:
        self.served = served
        self.facts = served.facts
        self.admin = admin
        self.agents = agents

    @property
    def switchboard(self) -> dict[str, str]:
        """What proves a post of telephone rows."""
        return {"authorization": f"Bearer {self.facts['secrets']['switchboard']['post_secret']}"}

    async def post(self, text: str, *, value: str, kind: str = "email", verified: bool = False, **more: Any) -> dict[str, Any]:
        """Hands a message in and waits until it is routed or quarantined."""
        body = {
            "inbox": "api", "external_id": f"x-{uuid4()}", "from": {"kind": kind, "value": value, "verified": verified}, "text": text,
            **more,
        }  # fmt: skip
        answer = await self.admin.post("/v1/messages", json=body)
        assert answer.status_code == 202, answer.text
        return await self.routed(answer.json()["id"])

    async def routed(self, message_id: str) -> dict[str, Any]:
        """What became of a message, once it is no longer only accepted."""

        async def state() -> dict[str, Any] | None:
            found: dict[str, Any] = (await self.admin.get(f"/v1/messages/{message_id}")).json()
            return found if found.get("state") not in (None, "accepted") else None

        return await eventually(state, 20, f"message {message_id} is routed")

    async def mail(self, sender: str, subject: str, text: str, *, to: str = MAILBOX, **headers: str) -> str:
        """Sends a mail to the SMTP port as a mail client would; returns its Message-ID."""
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = sender, to, subject
        message["Message-ID"] = f"<{uuid4()}@ornek.com>"
        for name, value in headers.items():
            message[name.replace("_", "-")] = value
        message.set_content(text)
        await self.raw_mail(sender, to, message.as_bytes())
        return str(message["Message-ID"]).strip("<>")

    async def raw_mail(self, sender: str, to: str, content: bytes) -> None:
        """The same with any bytes. Raises aiosmtplib's errors."""
        host, _, port = self.facts["smtp"].rpartition(":")
        async with aiosmtplib.SMTP(hostname=host, port=int(port), timeout=60) as client:
            await client.sendmail(sender, [to], content)

    async def conversation_of(self, value: str, *, kind: str = "email", at_least: int = 1) -> dict[str, Any]:
        """The newest conversation of a person, once it has so many messages; with ``messages``."""

        async def found() -> dict[str, Any] | None:
            looked = (await self.admin.post("/v1/profiles/lookup", json={"handles": [{"kind": kind, "value": value}]})).json()
            profile = looked["items"][0]["profile_id"]
            if profile is None:
                return None
            history = (await self.admin.get(f"/v1/profiles/{profile}/timeline")).json()
            if not history["conversations"]:
                return None
            conversation: dict[str, Any] = history["conversations"][0]
            messages = (await self.admin.get(f"/v1/conversations/{conversation['id']}/messages")).json()["items"]
            return {**conversation, "messages": messages} if len(messages) >= at_least else None

        return await eventually(found, 20, f"{value} has a conversation with {at_least} messages")

    async def held(self, agent: str, conversation_id: str) -> dict[str, Any]:
        """The item of a conversation, once this agent has it, or it is offered to them."""

        async def found() -> dict[str, Any] | None:
            desk = (await self.agents[agent].get("/v1/agents/me/desk")).json()
            mine = [*desk["items"], *desk["offers"]]
            return next((one for one in mine if one["conversation_id"] == conversation_id), None)

        return await eventually(found, 20, f"{agent} has the item of {conversation_id}")

    async def cleared(self) -> None:
        """Every agent at work until nothing waits and nobody holds anything; then all are away."""

        async def nothing_left() -> bool:
            for name, agent in self.agents.items():
                await self.online(name)
                desk = (await agent.get("/v1/agents/me/desk")).json()
                for offer in desk["offers"]:
                    await agent.post(f"/v1/offers/{offer['offer']['id']}/accept")
                for item in desk["items"]:
                    await agent.post(f"/v1/items/{item['id']}/done")
            states = ("queued", "offered", "assigned", "wrapping")
            left = [(await self.admin.get(f"/v1/items?state={state}&limit=1")).json()["items"] for state in states]
            return not any(left)

        await eventually(nothing_left, 60, "every item is worked off")
        for name in self.agents:
            await self.online(name, "away")

    async def online(self, agent: str, presence: str = "online") -> None:
        """Sets an agent's presence."""
        answer = await self.agents[agent].put("/v1/agents/me/presence", json={"presence": presence})
        assert answer.status_code == 200, answer.text

    async def sunk(self, words: str) -> dict[str, Any]:
        """The mail with these words in its text that went out, from the demo's sink."""

        async def found() -> dict[str, Any] | None:
            mails = (await self.admin.get("/demo/mails")).json()["items"]
            return next((one for one in mails if words in one["text"]), None)

        return await eventually(found, 20, f"a mail with {words!r} went out")


@contextlib.asynccontextmanager
async def counter_of(served: Served) -> AsyncIterator[Counter]:
    """A counter over a running deployment; its clients are closed at the end."""
    async with contextlib.AsyncExitStack() as stack:
        base, admin = served.facts["http"], served.headers
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=base, headers=admin, timeout=30, trust_env=False))
        agents = {}
        for agent in served.facts["agents"]:
            headers = {"authorization": f"Bearer {agent['token']}"}
            agents[agent["name"]] = await stack.enter_async_context(
                httpx.AsyncClient(base_url=base, headers=headers, timeout=30, trust_env=False)
            )
        yield Counter(served, client, agents)
