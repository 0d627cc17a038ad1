"""One sender a channel: each does a happening through the channel's real entrance and says how it was answered.

Acknowledged means durable: SMTP 250 after DATA, the chat's ``accepted`` frame, 202 of the API, 200 of the gateway.
Every run has a tag of its own, so a second run of the same seed sends new messages.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol
from uuid import uuid4

import aiosmtplib
import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from services.traffic.calls import cdr_rows
from services.traffic.deployment import Addresses, Entrances, MetaEntrance
from services.traffic.mails import Mails
from services.traffic.people import Happening, Person
from shared.clock import Clock

State = Literal["accepted", "refused", "error"]
TIMEOUT_S: Final = 20.0
MAIL_CONNECTIONS: Final = 4
SOCKETS_MAX: Final = 100
_PROTOCOL: Final = Subprotocol("santral.v1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a happening was answered: ``refused`` is an answer that says no, ``error`` is none in time. ``reason`` for both."""

    state: State
    reason: str = ""


ACCEPTED: Final = Answer(state="accepted")


def _error(error: BaseException) -> Answer:
    return Answer(state="error", reason=f"{type(error).__name__} {error}".strip()[:200])


class Sender(Protocol):
    """A channel's way in."""

    async def send(self, happening: Happening) -> Answer:
        """Does it and waits for the acknowledgement. Never raises for what the deployment does."""
        ...

    async def close(self) -> None:
        """Closes what is open."""
        ...


class HttpSender:
    """Posts: the API's messages, telephone rows, Meta's signed envelopes."""

    def __init__(self, addresses: Addresses, entrances: Entrances, *, tag: str, clock: Clock, meta_secret: str | None) -> None:
        self._addresses = addresses
        self._entrances = entrances
        self._tag = tag
        self._clock = clock
        self._meta_secret = (meta_secret or "").encode()
        limits = httpx.Limits(max_connections=32)
        self._http = httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False, limits=limits)

    async def close(self) -> None:
        await self._http.aclose()

    async def send(self, happening: Happening) -> Answer:
        if happening.channel == "api":
            return await self._post(f"{self._addresses.http.rstrip('/')}/v1/messages", *self._message(happening))
        if happening.channel == "phone":
            secret = self._entrances.cdr_secret
            headers = {"authorization": f"Bearer {secret}"} if secret else {}
            rows = cdr_rows(happening, tag=self._tag, ended_at=self._clock.now())
            return await self._post(str(self._entrances.cdr_webhook), rows.encode(), headers)
        entrance = self._entrances.meta[happening.person.number % len(self._entrances.meta)]
        body = json.dumps(envelope(entrance, happening, tag=self._tag, at_s=int(self._clock.now().timestamp()))).encode()
        signature = hmac.new(self._meta_secret, body, hashlib.sha256).hexdigest()
        return await self._post(entrance.webhook, body, {"x-hub-signature-256": f"sha256={signature}"})

    def _message(self, happening: Happening) -> tuple[bytes, dict[str, str]]:
        person, identity = happening.person, f"{self._tag}-{happening.number}"
        by_phone = person.number % 3 == 0
        body = {
            "inbox": self._entrances.api_inbox,
            "external_id": identity,
            "from": {
                "kind": "phone" if by_phone else "email",
                "value": person.phone if by_phone else person.email,
                "name": person.name,
            },
            "subject": happening.subject,
            "text": happening.text,
            "thread": f"{self._tag}-{person.number}-{happening.thread}",
        }
        headers = {
            "authorization": f"Bearer {self._addresses.api_key}",
            "idempotency-key": identity,
            "content-type": "application/json",
        }
        return json.dumps(body).encode(), headers

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        try:
            answer = await self._http.post(url, content=body, headers=dict(headers))
        except httpx.HTTPError as error:
            return _error(error)
        return ACCEPTED if answer.is_success else Answer(state="refused", reason=f"{answer.status_code} {answer.text[:200]}")


def envelope(entrance: MetaEntrance, happening: Happening, *, tag: str, at_s: int) -> dict[str, Any]:
    """Meta's envelope of one direct message."""
    person, identity = happening.person, f"{tag}.{happening.number}"
    if entrance.provider == "whatsapp":
        wa_id = person.phone.removeprefix("+")
        value = {
            "messaging_product": "whatsapp",
            "metadata": {"display_phone_number": "902125550000", "phone_number_id": entrance.account},
            "contacts": [{"profile": {"name": person.name}, "wa_id": wa_id}],
            "messages": [
                {"from": wa_id, "id": f"wamid.{identity}", "timestamp": str(at_s), "type": "text", "text": {"body": happening.text}}
            ],
        }
        entry = {"id": "traffic", "changes": [{"field": "messages", "value": value}]}
        return {"object": "whatsapp_business_account", "entry": [entry]}
    event = {
        "sender": {"id": f"77{person.number:06d}"},
        "recipient": {"id": entrance.account},
        "timestamp": at_s * 1000,
        "message": {"mid": f"m_{identity}", "text": happening.text},
    }
    kind = "page" if entrance.provider == "messenger" else "instagram"
    return {"object": kind, "entry": [{"id": entrance.account, "time": at_s * 1000, "messaging": [event]}]}


class MailSender:
    """Mails over a few SMTP connections that stay open."""

    def __init__(self, addresses: Addresses, mailbox: str, *, tag: str, clock: Clock) -> None:
        host, _, port = addresses.smtp.rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)
        self._mailbox = mailbox
        self._mails = Mails(mailbox, tag=tag)
        self._clock = clock
        self._idle: asyncio.LifoQueue[aiosmtplib.SMTP | None] = asyncio.LifoQueue()
        for _ in range(MAIL_CONNECTIONS):
            self._idle.put_nowait(None)

    async def close(self) -> None:
        while not self._idle.empty():
            client = self._idle.get_nowait()
            if client is not None:
                client.close()

    async def send(self, happening: Happening) -> Answer:
        content = self._mails.compose(happening, at=self._clock.now()).as_bytes()
        sender = "" if happening.kind == "bounce" else happening.person.email
        client = await self._idle.get()
        try:
            if client is None or not client.is_connected:
                client = aiosmtplib.SMTP(hostname=self._host, port=self._port, start_tls=False, timeout=TIMEOUT_S)
                await client.connect()
            await client.sendmail(sender, [self._mailbox], content)
        except (aiosmtplib.SMTPResponseException, aiosmtplib.SMTPRecipientsRefused) as error:
            return Answer(state="refused", reason=str(error)[:200])
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            client = None
            return _error(error)
        else:
            return ACCEPTED
        finally:
            self._idle.put_nowait(client)


class ChatSender:
    """Visitors' sockets; a visitor who comes back within the run finds the same session."""

    def __init__(self, addresses: Addresses, widget_token: str) -> None:
        self._base = f"{addresses.http.rstrip('/')}/v1/chat/{widget_token}"
        self._http = httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False)
        self._tokens: dict[int, str] = {}
        self._sockets: dict[int, _Socket] = {}
        self._locks: dict[int, asyncio.Lock] = {}

    async def close(self) -> None:
        for socket in list(self._sockets.values()):
            await socket.close()
        await self._http.aclose()

    async def send(self, happening: Happening) -> Answer:
        person = happening.person
        try:
            async with asyncio.timeout(TIMEOUT_S):
                async with self._locks.setdefault(person.number, asyncio.Lock()):
                    socket = await self._socket(person)
                return await socket.say(happening.text)
        except (WebSocketException, httpx.HTTPError, OSError, TimeoutError, ValueError) as error:
            self._sockets.pop(person.number, None)
            return _error(error)

    async def _socket(self, person: Person) -> _Socket:
        socket = self._sockets.pop(person.number, None)
        if socket is None or socket.ended:
            if person.number not in self._tokens:
                answer = await self._http.post(f"{self._base}/sessions", json={"locale": person.language})
                answer.raise_for_status()
                self._tokens[person.number] = answer.json()["token"]
            url = "ws" + self._base.removeprefix("http") + "/socket"
            opened = await connect(url, subprotocols=[_PROTOCOL], proxy=None, open_timeout=TIMEOUT_S)
            socket = _Socket(opened)
            await socket.begin(self._tokens[person.number])
        self._sockets[person.number] = socket
        while len(self._sockets) > SOCKETS_MAX:
            oldest = next(iter(self._sockets))
            await self._sockets.pop(oldest).close()
        return socket


class _Socket:
    def __init__(self, opened: ClientConnection) -> None:
        self._opened = opened
        self._waiting: dict[str, asyncio.Future[Answer]] = {}
        self._reading: asyncio.Task[None] | None = None

    @property
    def ended(self) -> bool:
        return self._reading is None or self._reading.done()

    async def begin(self, token: str) -> None:
        await self._opened.send(json.dumps({"type": "hello", "token": token}))
        welcome = json.loads(await self._opened.recv())
        if welcome.get("type") != "welcome":
            raise ValueError(f"the chat did not welcome: {welcome}")
        self._reading = asyncio.create_task(self._read())

    async def say(self, text: str) -> Answer:
        identity = str(uuid4())
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[identity] = waiting
        await self._opened.send(json.dumps({"type": "message", "id": identity, "text": text}))
        return await waiting

    async def _read(self) -> None:
        try:
            # How the socket ended does not matter: whoever still waits is told below.
            with contextlib.suppress(WebSocketException):
                async for frame in self._opened:
                    self._hear(json.loads(frame))
        finally:
            for one in self._waiting.values():
                if not one.done():
                    one.set_result(Answer(state="error", reason=f"the socket closed {self._opened.close_code or ''}".strip()))

    def _hear(self, told: Mapping[str, Any]) -> None:
        waiting = self._waiting.pop(str(told.get("id")), None) if told.get("type") in ("accepted", "error") else None
        if waiting is not None and not waiting.done():
            refused = Answer(state="refused", reason=json.dumps(told.get("problem"))[:200])
            waiting.set_result(ACCEPTED if told["type"] == "accepted" else refused)

    async def close(self) -> None:
        await self._opened.close()
        if self._reading is not None:
            await self._reading
