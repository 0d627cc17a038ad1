"""Providers as they post to us: an address with its inboxes and secrets, and a recorded sample as a request that proves itself."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

from ingest.adapter import Inbox, Request, Target
from ingest.registry import adapter_for
from ingest.signatures import signed_bytes

FIXTURES: Final = Path(__file__).resolve().parents[1] / "fixtures"
CORPUS: Final = FIXTURES / "corpus"
NOW: Final = datetime(2026, 9, 21, 14, 14, tzinfo=UTC)
SECRET: Final = "a signing secret of the provider"
SHARED: Final = {"meta": "meta", "whatsapp": "meta", "messenger": "meta", "instagram": "meta"}
OVER_THE_SOCKET: Final = {"webchat"}


def inbox(name: str, provider: str, channel: str, **more: Any) -> Inbox:
    return Inbox(workspace_id=UUID(int=1), id=uuid4(), name=name, provider=provider, channel=channel, region="TR", **more)


def target_of(provider: str, fixture: Mapping[str, Any] | None = None) -> Target:
    """``fixture`` may say more of the inbox: its ``settings``."""
    if SHARED.get(provider) == "meta":
        inboxes = (
            inbox("wa", "whatsapp", "social", address="1100"),
            inbox("fb", "messenger", "social", address="PAGE1"),
            inbox("ig", "instagram", "social", address="IG1"),
        )
        secrets = {"app_secret": SECRET, "verify_token": "verify me"}
        return Target(
            id=uuid4(), workspace_id=UUID(int=1), provider="meta", settings={"app_id": "42"}, secrets=secrets, inboxes=inboxes
        )
    own: dict[str, Any] = {
        "asterisk": {"settings": {"time_zone": "Europe/Istanbul", "inbound_contexts": ["from-trunk"]}},
        "smtp": {"address": "destek@ornek.com", "settings": {"authserv_id": "mx.ornek.com"}},
    }
    given = own.get(provider, {})
    if fixture is not None and "settings" in fixture:
        given = {**given, "settings": fixture["settings"]}
    one = inbox(provider, provider, adapter_for(provider).channel, **given)
    secrets = {"signing_secret": SECRET, "post_secret": SECRET}
    return Target(id=one.id, workspace_id=UUID(int=1), provider=provider, secrets=secrets, inboxes=(one,), settings=one.settings)


def request_of(fixture: Mapping[str, Any], *, body: bytes | None = None) -> Request:
    """The post of a recorded sample, proven as its provider proves it; with another ``body``, that one proven."""
    if body is None:
        body = json.dumps(fixture["json"]).encode() if "json" in fixture else fixture["text"].encode()
    headers: dict[str, str] = {}
    if fixture.get("signed"):
        headers["x-hub-signature-256"] = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    elif fixture.get("timed"):
        stamp, token = f"{NOW.timestamp():.0f}", "token-1"
        digest = hmac.new(SECRET.encode(), signed_bytes(stamp, token, body), hashlib.sha256).hexdigest()
        headers |= {"santral-timestamp": stamp, "santral-token": token, "santral-signature": f"v2={digest}"}
    else:
        headers["authorization"] = f"Bearer {SECRET}"
    return Request(method="POST", url="http://x/in/t", headers=headers, query={}, body=body, received_at=NOW, proven=True)
