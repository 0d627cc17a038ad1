"""Where a deployment's entrances are, asked of its API: the first enabled inbox of each kind. What cannot be used is told with its reason."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.client.rest_client import RestClient
from services.traffic.people import Channel
from shared.errors import Forbidden, InputRejected


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where a deployment listens. ``smtp`` is ``host:port``."""

    http: str
    webhooks: str
    smtp: str
    api_key: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaEntrance:
    """An account of Meta's behind its connection's callback."""

    provider: str
    account: str
    webhook: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrances:
    """What may be used; an entrance that is None is closed, ``closed`` says why."""

    mailbox: str | None = None
    widget_token: str | None = None
    api_inbox: str | None = None
    cdr_webhook: str | None = None
    cdr_secret: str | None = field(default=None, repr=False)
    meta: tuple[MetaEntrance, ...] = ()
    closed: Mapping[Channel, str] = field(default_factory=dict)

    @property
    def open(self) -> tuple[Channel, ...]:
        """The channels that can be used."""
        entrances: dict[Channel, object] = {
            "mail": self.mailbox, "chat": self.widget_token, "api": self.api_inbox, "phone": self.cdr_webhook, "social": self.meta,
        }  # fmt: skip
        return tuple(channel for channel, entrance in entrances.items() if entrance and channel not in self.closed)


def read_ready_file(path: Path) -> Mapping[str, Any]:
    """The addresses that `santral serve` wrote. Raises `InputRejected`."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        return {name: facts[name] for name in ("http", "webhooks", "smtp", "api_key")} | {"secrets": facts.get("secrets", {})}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputRejected(
            f"{path} is not a ready file: {error}",
            field="--ready-file",
            remedy="name the file that santral serve --ready-file writes",
        ) from error


async def find_entrances(
    client: RestClient, webhooks: str, *, meta_secret: str | None, cdr_secret: str | None, told: Mapping[str, Mapping[str, str]]
) -> Entrances:
    """The entrances of the key's workspace. ``told`` are secrets by inbox, as a ready file has them; of several telephone inboxes
    the first with a told secret is taken, unless ``cdr_secret`` is given. Raises what the API says of the key.
    """
    inboxes = [inbox async for inbox in client.pages("/v1/inboxes") if inbox["enabled"]]
    connections = {one["name"]: one async for one in client.pages("/v1/connections")}
    first: dict[str, Mapping[str, Any]] = {}
    for inbox in inboxes:
        first.setdefault(inbox["provider"], inbox)
    mail, chat, api, phone = (first.get(provider) for provider in ("smtp", "webchat", "api", "asterisk"))
    if not cdr_secret:
        opened = (inbox for inbox in inboxes if inbox["provider"] == "asterisk" and "post_secret" in told.get(inbox["name"], {}))
        phone = next(opened, phone)
        cdr_secret = told.get(phone["name"], {}).get("post_secret") if phone else None
    meta = tuple(
        MetaEntrance(
            provider=inbox["provider"],
            account=inbox["address"],
            webhook=webhooks.rstrip("/") + (connections[inbox["connection"]]["webhook_path"] or ""),
        )
        for inbox in inboxes
        if inbox["provider"] in ("whatsapp", "messenger", "instagram") and inbox["connection"] in connections and inbox["address"]
    )
    closed: dict[Channel, str] = {}
    if any(not inbox["webhook_path"] for inbox in inboxes):
        raise Forbidden("the key may not hand messages in", field="--key", remedy="a key with config:read and messages:write")
    named: dict[Channel, tuple[object, str]] = {
        "mail": (mail, "smtp"), "chat": (chat, "webchat"), "api": (api, "api"), "phone": (phone, "asterisk"),
        "social": (meta, "whatsapp, messenger or instagram with its connection"),
    }  # fmt: skip
    for channel, (found, provider) in named.items():
        if not found:
            closed[channel] = f"there is no enabled inbox of provider {provider}"
    if phone and "post_secret" in phone["secrets_set"] and not cdr_secret:
        closed["phone"] = f"{phone['name']} wants its post_secret: set SANTRAL_TRAFFIC_CDR_SECRET"
    if meta and not meta_secret:
        closed["social"] = "posts are signed: give the connection's app_secret by --meta-secret or SANTRAL_TRAFFIC_META_SECRET"
    return Entrances(
        mailbox=mail["address"] if mail else None, widget_token=chat["widget_token"] if chat else None,
        api_inbox=api["name"] if api else None, cdr_webhook=webhooks.rstrip("/") + (phone["webhook_path"] or "") if phone else None,
        cdr_secret=cdr_secret, meta=meta, closed=closed,
    )  # fmt: skip
