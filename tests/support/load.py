"""Traffic at a running Santral that remembers what was acknowledged, so that a checker can ask the database for it.

Senders work one message after another, so what each wrote has an order; a message that is refused, or whose answer is lost, is
sent again with the same external id until it is acknowledged, as every honest client does.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any, Literal
from uuid import uuid4

import aiosmtplib
import httpx

SIGNING_SECRET = "a signing secret of a test"
_AGAIN_S = 0.1
Entrance = Literal["api", "hook", "mail"]


@dataclass(slots=True, kw_only=True)
class Sent:
    """One message as it was acknowledged."""

    entrance: Entrance
    sender: str
    number: int
    external_id: str
    at: float


@dataclass(slots=True, kw_only=True)
class Load:
    """A load on the three doors of one serve. ``answers`` counts every answer by entrance and status; 0 is none."""

    http: str
    smtp: str
    headers: dict[str, str]
    hook_url: str
    mailbox: str
    inbox: str = "api"
    run: str = field(default_factory=lambda: uuid4().hex[:8])
    sent: int = 0
    acknowledged: list[Sent] = field(default_factory=list)
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    no_retry_after: int = 0
    _numbers: Counter[str] = field(default_factory=Counter)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _client: httpx.AsyncClient = field(default_factory=lambda: httpx.AsyncClient(trust_env=False, timeout=10))

    def since(self, moment: float, entrance: Entrance) -> list[Sent]:
        """What one entrance acknowledged after a moment of the monotonic clock."""
        return [one for one in self.acknowledged if one.entrance == entrance and one.at >= moment]

    @contextlib.asynccontextmanager
    async def flowing(self, *, senders: dict[Entrance, int], pause_s: float) -> AsyncIterator[None]:
        """Runs that many senders per entrance while the block runs, then lets each finish its last message."""
        self._stopping = asyncio.Event()
        tasks = [
            asyncio.create_task(self._sender(entrance, f"{entrance}-{n}-{self.run}@load.example", pause_s))
            for entrance, count in senders.items() for n in range(count)
        ]  # fmt: skip
        try:
            yield
        finally:
            self._stopping.set()
            _, late = await asyncio.wait(tasks, timeout=30)
            for task in late:
                task.cancel()
            assert not late, f"{len(late)} senders met no acknowledgement for 30 s: {dict(self.answers)}"
            for task in tasks:
                task.result()
            await self._client.aclose()
            self._client = httpx.AsyncClient(trust_env=False, timeout=10)

    async def _sender(self, entrance: Entrance, sender: str, pause_s: float) -> None:
        while not self._stopping.is_set():
            await self.deliver(entrance, sender, self._numbers[sender])
            self._numbers[sender] += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause_s)

    async def deliver(self, entrance: Entrance, sender: str, number: int) -> None:
        """Sends one message until it is acknowledged."""
        external_id = f"{self.run}-{sender.partition('@')[0]}-{number}"
        self.sent += 1
        while True:
            status = await {"api": self.post, "hook": self.hook, "mail": self.mail}[entrance](
                external_id, sender, f"mesaj {number}"
            )
            self.answers[entrance, status] += 1
            if 200 <= status < 300:
                found = f"{external_id}@load.example" if entrance == "mail" else external_id
                self.acknowledged.append(
                    Sent(entrance=entrance, sender=sender, number=number, external_id=found, at=time.monotonic())
                )
                return
            await asyncio.sleep(_AGAIN_S)

    async def post(self, external_id: str, sender: str, text: str) -> int:
        """`POST /v1/messages`; the status, 0 when there was no answer."""
        try:
            answer = await self._posted(external_id, sender, text)
        except httpx.HTTPError:
            return 0
        if answer.status_code == 503 and "retry-after" not in answer.headers:
            self.no_retry_after += 1
        return answer.status_code

    async def _posted(self, external_id: str, sender: str, text: str) -> httpx.Response:
        body = {"inbox": self.inbox, "external_id": external_id, "from": {"kind": "email", "value": sender}, "text": text}
        return await self._client.post(f"{self.http}/v1/messages", json=body, headers=self.headers)

    async def hook(self, external_id: str, sender: str, text: str) -> int:
        """A signed post at the generic inbox."""
        try:
            return (await self._hooked(external_id, sender, text)).status_code
        except httpx.HTTPError:
            return 0

    async def _hooked(self, external_id: str, sender: str, text: str) -> httpx.Response:
        message = {"inbox": "hook", "external_id": external_id, "from": {"kind": "email", "value": sender}, "text": text}
        body = json.dumps(message).encode()
        return await self._client.post(self.hook_url, content=body, headers=signed(body))

    async def redeliver(self, one: Sent) -> str:
        """Sends the very same once more; the id that the answer names, none for a mail. Raises when it is not taken."""
        text = f"mesaj {one.number}"
        if one.entrance == "mail":
            assert await self.mail(one.external_id.partition("@")[0], one.sender, text) == 250
            return ""
        if one.entrance == "api":
            answer = await self._posted(one.external_id, one.sender, text)
            return str(answer.raise_for_status().json()["id"])
        answer = await self._hooked(one.external_id, one.sender, text)
        return str(answer.raise_for_status().json()["accepted"][0]["id"])

    async def mail(self, external_id: str, sender: str, text: str) -> int:
        """A mail; SMTP's code."""
        host, _, port = self.smtp.rpartition(":")
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = sender, self.mailbox, "sipariş"
        mail["Message-ID"] = f"<{external_id}@load.example>"
        mail.set_content(text)
        try:
            await aiosmtplib.send(mail, hostname=host, port=int(port), timeout=10, start_tls=False, sender=sender)
        except aiosmtplib.SMTPResponseException as error:
            return error.code
        except (aiosmtplib.SMTPException, OSError):
            return 0
        return 250

    async def chat_inbox(self) -> str:
        """Makes an inbox for posted messages whose items are offered, as chats are; its name."""
        inbox = {"name": f"forms-{self.run}", "provider": "api", "channel": "chat"}
        (await self._client.post(f"{self.http}/v1/inboxes", json=inbox, headers=self.headers)).raise_for_status()
        return inbox["name"]

    async def close(self) -> None:
        """Drops the connections."""
        await self._client.aclose()


def signed(body: bytes) -> dict[str, str]:
    """The headers of a signed post, with a token of its own."""
    stamp, token = f"{time.time():.0f}", uuid4().hex
    key = SIGNING_SECRET.encode()
    signature = hmac.new(key, f"{stamp}.{token}.".encode() + body, hashlib.sha256).hexdigest()
    standard = base64.b64encode(hmac.new(key, f"{token}.{stamp}.".encode() + body, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": token, "webhook-timestamp": stamp, "webhook-signature": f"v1,{standard}",
        # What release 0.1.0 knows, and what newer ones take from inboxes of that time.
        "santral-timestamp": stamp, "santral-token": token, "santral-signature": signature, "content-type": "application/json",
    }  # fmt: skip


async def open_load(facts: dict[str, Any]) -> Load:
    """A load at a demo; makes the generic inbox ``hook`` when it is not there yet."""
    headers = {"authorization": f"Bearer {facts['api_key']}"}
    async with httpx.AsyncClient(base_url=facts["http"], headers=headers, trust_env=False, timeout=10) as client:
        inboxes = {one["name"]: one for one in (await client.get("/v1/inboxes")).raise_for_status().json()["items"]}
        if "hook" not in inboxes:
            inbox = {"name": "hook", "provider": "api", "secrets": {"signing_secret": SIGNING_SECRET}}
            inboxes["hook"] = (await client.post("/v1/inboxes", json=inbox)).raise_for_status().json()
    path = inboxes["hook"]["webhook_path"]
    mailbox = next(one["address"] for one in inboxes.values() if one["provider"] == "smtp")
    return Load(http=facts["http"], smtp=facts["smtp"], headers=headers, hook_url=f"{facts['webhooks']}{path}", mailbox=mailbox)
