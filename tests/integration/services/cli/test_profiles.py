"""`santral profiles` as an operator runs it: show, explain, merge and back, by id and by handle."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from shared.database import Database
from tests.support.api import Api, listening, running_api
from tests.support.serving import said_by
from tests.support.workspaces import Workspace

MAIL, PHONE = "email:Ayse@ornek.com", "phone:0532 123 45 67"


@pytest.fixture
async def environment(api_db: Database, worker_db: Database, workspace: Workspace) -> AsyncIterator[dict[str, str]]:
    """The variables of a console that reaches the API, where two people are known."""
    async with running_api(api_db, worker_db) as api, listening(api) as address:
        headers = await api.key(workspace.id)
        await known(api, headers)
        yield {
            "SANTRAL_API_URL": address.replace("ws://", "http://"),
            "SANTRAL_API_KEY": headers["authorization"].removeprefix("Bearer "),
        }


async def known(api: Api, headers: dict[str, str]) -> None:
    for handle, name in ((MAIL, "Ayşe"), (PHONE, "")):
        kind, _, value = handle.partition(":")
        body = {"handles": [{"kind": kind, "value": value}], "name": name, "traits": {"city": "İzmir"}}
        assert (await api.client.post("/v1/profiles/identify", json=body, headers=headers)).status_code == 200


async def test_a_merge_is_explained_and_taken_back(environment: dict[str, str]) -> None:
    status, said = await said_by("profiles", "explain", MAIL, PHONE, environment=environment)
    assert (status, said) == (0, "two people")
    status, said = await said_by("profiles", "merge", MAIL, PHONE, "--reason", "same voice", "--json", environment=environment)
    assert status == 0, said
    merged = json.loads(said)
    status, said = await said_by("profiles", "explain", MAIL, PHONE, environment=environment)
    first, step = said.splitlines()
    assert first == "one person"
    assert "agent, channel_verified" in step
    assert merged["link_id"] in step
    status, said = await said_by("profiles", "show", merged["profile_id"], environment=environment)
    assert said.splitlines()[0] == f"Ayşe  {merged['profile_id']}  version 2"
    assert "ayse@ornek.com" in said
    assert 'city = "İzmir"  from identify:api' in said
    status, said = await said_by("profiles", "merge", PHONE, MAIL, environment=environment)
    assert said == f"they are one person already: {merged['profile_id']}"
    status, said = await said_by("profiles", "unmerge", MAIL, "--link", merged["link_id"], environment=environment)
    assert (status, said.splitlines()[0]) == (0, "two people now")


async def test_said_to_be_two_they_stay_two(environment: dict[str, str]) -> None:
    status, _ = await said_by("profiles", "unmerge", MAIL, "--apart", MAIL, PHONE, "--reason", "sisters", environment=environment)
    assert status == 0
    status, said = await said_by("profiles", "merge", MAIL, PHONE, environment=environment)
    assert status == 1
    assert said.startswith("santral: with: these stay two people")
    status, said = await said_by("profiles", "explain", MAIL, PHONE, environment=environment)
    assert said.endswith("sisters")
    status, _ = await said_by("profiles", "merge", MAIL, PHONE, "--overrule", environment=environment)
    assert status == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "nobody"), "santral: PERSON: 'nobody' is no id and no handle (like email:ayse@ornek.com)"),
        (("show", "email:kim@ornek.com"), "santral: PERSON: nobody has this handle (a handle that was seen)"),
        (("unmerge", MAIL), "santral: --link: either a link or two handles (santral profiles explain names the links)"),
    ],
)
async def test_what_was_not_understood_is_one_line(environment: dict[str, str], arguments: tuple[str, ...], said: str) -> None:
    assert await said_by("profiles", *arguments, environment=environment) == (1, said)


async def test_a_hold_makes_an_erasure_wait_and_its_lift_lets_it_go_on(environment: dict[str, str]) -> None:
    status, hold = await said_by("profiles", "hold", MAIL, "--reason", "claim 2026/118", environment=environment)
    assert status == 0, hold
    status, said = await said_by("profiles", "erase", MAIL, "--reason", "law", "--yes", "--wait", environment=environment)
    assert (status, "held, waits for the end of a legal hold" in said) == (0, True), said
    for _ in range(2):
        assert await said_by("profiles", "lift", hold, environment=environment) == (0, "")
    status, said = await said_by(
        "profiles", "hold", MAIL, "--reason", "x", "--until", "2020-01-01T00:00:00Z", environment=environment
    )
    assert (status, "until: this end has passed" in said) == (1, True), said
