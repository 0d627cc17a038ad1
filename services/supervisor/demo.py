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
from shared.errors import Conflict, InputRejected, Unavailable

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
    from services.client.apply import Step, apply_file
    from services.client.workspace_file import read_workspace_file

    progress("Setting up the demo workspace.")
    made: dict[str, dict[str, str]] = {}

    def note(step: Step) -> None:
        if step.secrets_made:
            made[step.name] = dict(step.secrets_made)

    try:
        await apply_file(read_workspace_file(WORKSPACE_FILE), url=url, api_key=api_key, take_over=True, progress=note)
    except (Conflict, InputRejected) as error:
        # Somebody made the workspace their own; the demo runs on what there is, and tries again at the next start.
        progress(f"The demo workspace stays as it is: {error}")
        return
    finally:
        if made:
            folder.keep("demo/secrets.json", json.dumps(secrets_of(folder) | made))
    folder.keep("demo/applied", digest)


def secrets_of(folder: ServeFolder) -> dict[str, dict[str, str]]:
    """What the demo's inboxes want of who posts to them, by inbox and name: this folder's demo made them, so it may tell them."""
    kept = folder.read("demo/secrets.json")
    found: dict[str, dict[str, str]] = json.loads(kept) if kept else {}
    return found


async def admits(*, url: str, api_key: str) -> bool:
    """Whether the key still opens the workspace; False once somebody revoked it. Raises `Unavailable`."""
    async with _client(url, api_key) as client:
        return (await _asked(client, "GET", "/v1/inboxes")).status_code not in (401, 403)


async def shop_front(*, url: str, api_key: str) -> dict[str, str]:
    """How the shop's customers reach it: the chat's ``widget_token`` and the mailbox ``support_email``, where there are such inboxes."""
    async with _client(url, api_key) as client:
        inboxes = (await _call(client, "GET", "/v1/inboxes"))["items"]
    chats = [inbox["widget_token"] for inbox in inboxes if inbox.get("widget_token")]
    mailboxes = [inbox["address"] for inbox in inboxes if inbox["provider"] == "smtp" and inbox.get("address")]
    return {name: found[0] for name, found in (("widget_token", chats), ("support_email", mailboxes)) if found}


async def sign_in(*, url: str, api_key: str, progress: Progress) -> list[DemoAgent]:
    """A fresh page code and token for each agent who may have one; of the others it says why not. Raises `Unavailable` or `Conflict`."""
    async with _client(url, api_key) as client:
        agents = []
        for agent in (await _call(client, "GET", "/v1/agents"))["items"]:
            made = [await _asked(client, "POST", f"/v1/agents/{agent['id']}/{what}") for what in ("codes", "tokens")]
            refused = next((answer for answer in made if answer.status_code >= 400), None)
            if refused is not None:
                why = "disabled" if not agent["enabled"] else str(refused.json().get("detail", refused.status_code))
                progress(f"Agent {agent['name']} has no page: {why}.")
                continue
            code, token = made[0].json()["code"], made[1].json()["token"]
            agents.append(DemoAgent(name=agent["name"], token=token, page=f"{url}/desk#code={code}"))
        return agents


def _client(url: str, api_key: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, headers={"authorization": f"Bearer {api_key}"}, trust_env=False, timeout=10)


async def _asked(client: httpx.AsyncClient, method: str, path: str) -> httpx.Response:
    try:
        answer = await client.request(method, path)
    except httpx.HTTPError as error:
        raise Unavailable(f"the API does not answer {path}: {type(error).__name__}") from error
    if answer.status_code >= 500:
        raise Unavailable(f"{method} {path} was answered {answer.status_code}")
    return answer


async def _call(client: httpx.AsyncClient, method: str, path: str) -> Any:
    answer = await _asked(client, method, path)
    if answer.status_code >= 400:
        raise Conflict(f"{method} {path} was answered {answer.status_code}: {answer.text[:300]}", field="demo")
    return answer.json()


def write_info(folder: ServeFolder, info: dict[str, Any]) -> None:
    """What ``GET /demo/info`` returns from now on."""
    folder.keep("demo/info.json", json.dumps(info, ensure_ascii=False, indent=2))
