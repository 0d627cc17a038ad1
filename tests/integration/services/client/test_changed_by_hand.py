"""What is done by hand while a file is applied, or since, stays: in every kind of resource, at every call that writes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import pytest
import yaml

from services.client.apply import ApplyResult, apply_file
from services.client.workspace_file import LISTS, parse_workspace_file
from shared.database import Database
from shared.errors import Conflict, SantralError
from tests.support.api import Api, listening, running_api
from tests.support.workspaces import Workspace

Entry = Mapping[str, Any]
ENTRIES: Final[Mapping[str, tuple[Entry, Entry, Entry]]] = {
    "workspace": ({"title": "a", "settings": {"region": "TR"}}, {"title": "b"}, {"settings": {"region": "DE"}}),
    "roles": ({"scopes": ["config:read"], "visibility": "own"}, {"visibility": "team"}, {"scopes": []}),
    "skills": ({"title": "a"}, {"title": "b"}, {"title": "c"}),
    "users": ({"email": "a@ornek.com", "role": "agent"}, {"email": "b@ornek.com"}, {"enabled": False}),
    "connections": ({"provider": "meta"}, {"settings": {"app_id": "1"}}, {"settings": {"app_id": "2"}}),
    "inboxes": ({"provider": "api", "channel": "email"}, {"channel": "chat"}, {"enabled": False}),
    "calendars": ({"hours": {"mon": [["09:00", "12:00"]]}}, {"hours": {"mon": [["09:00", "13:00"]]}}, {"title": "c"}),
    "queues": ({"title": "a"}, {"title": "b"}, {"enabled": False}),
    "plans": ({"steps": [{"timeout_s": 60}]}, {"steps": [{"timeout_s": 90}]}, {"title": "c"}),
    "slas": ({"targets": [{"channel": "email", "first_response_s": 600}]}, {"warn_share": 0.5}, {"escalate_to": "genel"}),
    "agents": ({"title": "a", "role": "agent"}, {"title": "b"}, {"enabled": False}),
}
"""What a file says of one of each kind, what it says later, and what somebody changes by hand of it."""
_READ_ONLY: Final = ("id", "version", "warnings", "secrets_made", "webhook_path", "widget_token", "secrets_set", "managed_digest")
_ASKED: Final = re.compile(r"^/v1/")


class Meanwhile:
    """The API; before the ``at``-th call that writes, ``done`` is done once by somebody else, who may call too."""

    def __init__(self, app: Any) -> None:
        self._app, self._at = app, -1
        self._done: Callable[[], Awaitable[None]] = _nothing
        self.state = app.state
        self.writes = 0

    def arrange(self, at: int, done: Callable[[], Awaitable[None]]) -> None:
        self._at, self._done, self.writes = at, done, 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["method"] != "GET" and _ASKED.match(scope["path"]):
            self.writes += 1
            if self.writes == self._at:
                self._at = -1
                await self._done()
        await self._app(scope, receive, send)


async def _nothing() -> None:
    """Nobody does anything."""


@dataclass(slots=True, kw_only=True)
class Desk:
    """A workspace with its administrator, and files applied to it."""

    api: Api
    meanwhile: Meanwhile
    url: str
    headers: dict[str, str]

    async def apply(self, document: Mapping[str, Any], **options: Any) -> ApplyResult:
        found = parse_workspace_file(yaml.safe_dump(dict(document)), source="workspace.yaml")
        return await apply_file(found, url=self.url, api_key=self.headers["authorization"].removeprefix("Bearer "), **options)

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.api.client.request(method, path, json=body, headers=self.headers)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def address(self, section: str) -> str:
        if section == "workspace":
            return "/v1/workspace"
        (one,) = [one for one in (await self.call("GET", f"/v1/{section}?limit=200"))["items"] if one["name"] == "dosyadan"]
        return f"/v1/{section}/{one.get('id', one['name'])}"

    async def change(self, section: str, entry: Entry, by_hand: Entry) -> None:
        """Somebody replaces it, and knows nothing of files."""
        await self.call("PUT", await self.address(section), named(section, {**entry, **by_hand}))

    async def read(self, section: str) -> dict[str, Any]:
        found = await self.call("GET", await self.address(section))
        return {key: value for key, value in found.items() if key not in _READ_ONLY}


def named(section: str, entry: Entry) -> dict[str, Any]:
    return dict(entry) if section == "workspace" else {"name": "dosyadan", **entry}


def document(section: str, entry: Entry) -> dict[str, Any]:
    return {section: named(section, entry) if section == "workspace" else [named(section, entry)]}


@pytest.fixture
async def desk(api_db: Database, worker_db: Database, workspace: Workspace) -> AsyncIterator[Desk]:
    async with running_api(api_db, worker_db) as api:
        meanwhile = Meanwhile(api.app)
        async with listening(replace(api, app=meanwhile)) as address:  # type: ignore[arg-type]
            yield Desk(api=api, meanwhile=meanwhile, url=address.replace("ws:", "http:"), headers=await api.key(workspace.id))


def test_every_kind_is_looked_at() -> None:
    assert set(ENTRIES) == {"workspace", *LISTS}


@pytest.mark.parametrize("at", [1, 2])
async def test_what_is_changed_while_a_file_is_applied_stays(desk: Desk, at: int) -> None:
    for section in ENTRIES:
        await _what_is_changed_while_a_file_is_applied_stays(desk, section, at)


async def _what_is_changed_while_a_file_is_applied_stays(desk: Desk, section: str, at: int) -> None:
    entry, later, by_hand = ENTRIES[section]
    await desk.apply(document(section, entry))
    changed, left = document(section, {**entry, **later}), {}

    async def done() -> None:
        await desk.change(section, entry, by_hand)
        left.update(await desk.read(section))

    desk.meanwhile.arrange(at, done)
    with pytest.raises(Conflict, match=f"changed by hand since this began: {section}/"):
        await desk.apply(changed)
    assert await desk.read(section) == left
    with pytest.raises(Conflict, match=f"changed by hand since the file was applied: {section}/"):
        await desk.apply(changed)
    assert await desk.read(section) == left
    await desk.apply(changed, take_over=True)
    assert await desk.read(section) != left
    assert [step.action for step in (await desk.apply(changed)).steps if step.action != "left"] == ["same"]


async def test_what_is_changed_while_it_is_made_stays_and_its_secrets_are_told(desk: Desk) -> None:
    for section in LISTS:
        await _what_is_changed_while_it_is_made_stays_and_its_secrets_are_told(desk, section)


async def _what_is_changed_while_it_is_made_stays_and_its_secrets_are_told(desk: Desk, section: str) -> None:
    entry, _, by_hand = ENTRIES[section]
    told: list[Any] = []
    desk.meanwhile.arrange(2, lambda: desk.change(section, entry, by_hand))
    with pytest.raises(Conflict, match=f"changed by hand since this began: {section}/dosyadan"):
        await desk.apply(document(section, entry), progress=told.append)
    assert [(step.section, step.action) for step in told] == [(section, "create")]
    left = await desk.read(section)
    with pytest.raises(Conflict, match="changed by hand since the file was applied"):
        await desk.apply(document(section, entry))
    assert await desk.read(section) == left


async def test_what_somebody_makes_or_removes_meanwhile_is_not_taken_for_the_files(desk: Desk) -> None:
    for section in LISTS:
        await _what_somebody_makes_or_removes_meanwhile_is_not_taken_for_the_files(desk, section)


async def _what_somebody_makes_or_removes_meanwhile_is_not_taken_for_the_files(desk: Desk, section: str) -> None:
    entry, later, by_hand = ENTRIES[section]

    async def made() -> None:
        await desk.call("POST", f"/v1/{section}", named(section, {**entry, **by_hand}))

    desk.meanwhile.arrange(1, made)
    with pytest.raises(SantralError):
        await desk.apply(document(section, entry))
    assert desk.meanwhile.writes == 1
    await desk.apply(document(section, entry), take_over=True)

    async def removed() -> None:
        await desk.call("DELETE", await desk.address(section))

    desk.meanwhile.arrange(1, removed)
    with pytest.raises(Conflict, match=f"deleted by hand since this began: {section}/dosyadan"):
        await desk.apply(document(section, {**entry, **later}))


async def test_what_was_changed_by_hand_is_not_pruned(desk: Desk) -> None:
    for section in LISTS:
        await _what_was_changed_by_hand_is_not_pruned(desk, section)


async def _what_was_changed_by_hand_is_not_pruned(desk: Desk, section: str) -> None:
    entry, _, by_hand = ENTRIES[section]
    await desk.apply(document(section, entry))
    none: dict[str, Any] = {section: []}
    desk.meanwhile.arrange(1, lambda: desk.change(section, entry, by_hand))
    with pytest.raises(Conflict, match=f"changed by hand since this began: {section}/dosyadan"):
        await desk.apply(none, prune=True)
    with pytest.raises(Conflict, match=f"changed by hand since the file was applied: {section}/dosyadan"):
        await desk.apply(none, prune=True)
    assert [step.action for step in (await desk.apply(none)).steps] == ["left"]
    await desk.address(section)
    assert [step.action for step in (await desk.apply(none, prune=True, take_over=True)).steps] == ["delete"]


async def test_an_apply_that_stopped_in_the_middle_is_not_taken_for_a_change_by_hand(desk: Desk) -> None:
    entry, later, _ = ENTRIES["queues"]
    await desk.apply(document("queues", entry))

    async def ends() -> None:
        raise RuntimeError("the connection is lost")

    desk.meanwhile.arrange(2, ends)
    with pytest.raises(SantralError):
        await desk.apply(document("queues", {**entry, **later}))
    done = await desk.apply(document("queues", {**entry, **later}))
    assert [step.action for step in done.steps] == ["change"]
    assert [step.action for step in (await desk.apply(document("queues", {**entry, **later}))).steps] == ["same"]


def policy(queue: str, *rules: str) -> dict[str, Any]:
    return {"policy": {"default_queue": queue, "rules": [{"name": one, "when_cel": "true", "queue": "genel"} for one in rules]}}


async def test_a_policy_saved_by_hand_stays(desk: Desk) -> None:
    active = "/v1/policies/active"
    with pytest.raises(Conflict, match="changed by hand since the file was applied: policy/policy"):
        await desk.apply(policy("genel", "a"))
    assert [step.action for step in (await desk.apply(policy("genel", "a"), take_over=True)).steps] == ["change"]
    assert [step.action for step in (await desk.apply(policy("genel", "a"))).steps] == ["same"]
    assert [step.action for step in (await desk.apply(policy("genel", "b"))).steps] == ["change"]

    await desk.call("POST", "/v1/policies/rollback")  # the file's version before, which nobody may take for the file's last
    before = await desk.call("GET", active)
    for rule in ("b", "c"):
        with pytest.raises(Conflict, match="changed by hand since the file was applied: policy/policy"):
            await desk.apply(policy("genel", rule))
    assert (await desk.call("GET", active)) == before
    await desk.call("POST", "/v1/policies/rollback")
    assert [step.action for step in (await desk.apply(policy("genel", "b"))).steps] == ["same"]

    async def done() -> None:
        await desk.call("POST", "/v1/policies", {"document": policy("genel", "elle")["policy"]})

    desk.meanwhile.arrange(1, done)
    with pytest.raises(Conflict, match="changed by hand since this began: policy/policy"):
        await desk.apply(policy("genel", "c"))
    assert [one["name"] for one in (await desk.call("GET", active))["document"]["rules"]] == ["elle"]
    assert [step.action for step in (await desk.apply(policy("genel", "elle"))).steps] == ["adopt"]
    assert [step.action for step in (await desk.apply(policy("genel", "elle"))).steps] == ["same"]
