"""The demo under `santral serve --demo`: its workspace applied once a release, its agents' pages at each start, its mail sink.

Everything goes through the API with the admin key, as a user's own tools would. What somebody changed by hand in the demo stays as
long as the demo's file stays the same.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from services.supervisor.folder import ServeFolder
from shared.embedded.folder import Progress
from shared.errors import Conflict, Unavailable

WORKSPACE_FILE: Final = Path(__file__).parent.parent / "demo" / "workspace.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoAgent:
    """An agent of the demo. ``page`` signs in once, ``token`` until it expires."""

    name: str
    token: str = field(repr=False)
    page: str = field(repr=False)


async def prepare(folder: ServeFolder, *, url: str, api_key: str, progress: Progress) -> None:
    """Applies the demo's workspace file unless this very file was applied here before."""
    content = WORKSPACE_FILE.read_text(encoding="utf-8")
    digest = hashlib.sha256(content.encode()).hexdigest()
    if folder.read("demo/applied") == digest:
        return
    # Loaded here: only the first start of a release needs it.
    from services.client.apply import apply_file
    from services.client.workspace_file import read_workspace_file

    progress("Setting up the demo workspace.")
    await apply_file(read_workspace_file(WORKSPACE_FILE), url=url, api_key=api_key, take_over=True)
    folder.keep("demo/applied", digest)


async def shop_front(*, url: str, api_key: str) -> dict[str, str]:
    """How the shop's customers reach it: the chat's ``widget_token`` and the mailbox ``support_email``, where there are such inboxes."""
    async with _client(url, api_key) as client:
        inboxes = (await _call(client, "GET", "/v1/inboxes"))["items"]
    chats = [inbox["widget_token"] for inbox in inboxes if inbox.get("widget_token")]
    mailboxes = [inbox["address"] for inbox in inboxes if inbox["provider"] == "smtp" and inbox.get("address")]
    return {name: found[0] for name, found in (("widget_token", chats), ("support_email", mailboxes)) if found}


async def sign_in(*, url: str, api_key: str) -> list[DemoAgent]:
    """A fresh page code and token for each agent of the workspace. Raises `Unavailable` or `Conflict`."""
    async with _client(url, api_key) as client:
        agents = []
        for agent in (await _call(client, "GET", "/v1/agents"))["items"]:
            code = (await _call(client, "POST", f"/v1/agents/{agent['id']}/codes"))["code"]
            token = (await _call(client, "POST", f"/v1/agents/{agent['id']}/tokens"))["token"]
            agents.append(DemoAgent(name=agent["name"], token=token, page=f"{url}/desk#code={code}"))
        return agents


def _client(url: str, api_key: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, headers={"authorization": f"Bearer {api_key}"}, trust_env=False, timeout=10)


async def _call(client: httpx.AsyncClient, method: str, path: str) -> Any:
    try:
        answer = await client.request(method, path)
    except httpx.HTTPError as error:
        raise Unavailable(f"the API does not answer {path}: {type(error).__name__}") from error
    if answer.status_code >= 400:
        raise Conflict(f"{method} {path} was answered {answer.status_code}: {answer.text[:300]}", field="demo")
    return answer.json()


def write_info(folder: ServeFolder, info: dict[str, Any]) -> None:
    """What ``GET /demo/info`` returns from now on."""
    folder.keep("demo/info.json", json.dumps(info, ensure_ascii=False, indent=2))
