"""Looking for duplicates where every word is written otherwise, again from the first person, and with weights learned from the people."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from profiles.suggestions.model import model_of
from profiles.suggestions.people import DEFAULT_MODEL, FIELDS
from services.chores.duplicates import round_of_all
from services.cli.profiles_suggest import trained
from services.client.rest_client import RestClient
from shared.database import Database
from shared.errors import InputRejected
from tests.support.api import Api, listening, running_api
from tests.support.workspaces import Workspace


@pytest.fixture
async def api(api_db: Database, worker_db: Database) -> AsyncIterator[Api]:
    async with running_api(api_db, worker_db) as api:
        yield api


@pytest.fixture
async def client(api: Api, workspace: Workspace) -> AsyncIterator[RestClient]:
    token = (await api.key(workspace.id))["authorization"].removeprefix("Bearer ")
    async with listening(api) as address, RestClient(address.replace("ws:", "http:"), token) as client:
        yield client


async def taken(client: RestClient, people: list[dict[str, Any]]) -> None:
    job = await client.call("POST", "/v1/profiles/imports", {"source": "crm", "digest": "0123456789"})
    rows = [{"row": place, **person} for place, person in enumerate(people, start=1)]
    done = await client.call("PUT", f"/v1/profiles/imports/{job['id']}/rows?first_row=1", {"rows": rows, "next_row": len(rows) + 1})
    assert done["created"] == len(people), done


def person(number: int, given: str, family: str, born: str, mail: str) -> dict[str, Any]:
    return {
        "handles": [{"kind": "external_id", "value": f"C-{number}", "scope": f"shop{number}"}, {"kind": "email", "value": mail}],
        "name": f"{given} {family}",
        "traits": {"given_name": given, "family_name": family, "date_of_birth": born},
    }


async def looked(db: Database) -> int:
    async with db.batch() as connection:
        await connection.execute(
            "update santral.profile set changed_at = changed_at - interval '1 hour' where changed_at > now() - interval '1 minute'"
        )
    total = 0
    while found := await round_of_all(db):
        total += found
    return total


async def test_slips_in_both_name_and_address_still_meet(client: RestClient, worker_db: Database) -> None:
    await taken(
        client,
        [
            person(1, "Mehmet", "Karadeniz", "1980-03-07", "mehmet.karadeniz@ornek.com"),
            person(2, "Mehmed", "Karadenız", "1980-03-07", "memet.karadenis@ornek.com"),
            person(3, "Zeynep", "Aslan", "1980-03-07", "zeynep@ornek.com"),
        ],
    )
    assert await looked(worker_db) == 3
    [found] = (await client.call("GET", "/v1/suggestions"))["items"]
    assert {part["field"] for part in found["evidence"]} >= {"given_name", "family_name", "date_of_birth"}
    async with worker_db.batch() as connection:
        assert await connection.fetchval("select count(distinct profile_id) from santral.suggestion_key") == 3
        # Nothing a person is called or reached by can be read from it.
        assert await connection.fetchval("select pg_typeof(key)::text from santral.suggestion_key limit 1") == "bigint"


async def test_everybody_is_looked_at_again_and_the_progress_says_how_far_it_is(client: RestClient, worker_db: Database) -> None:
    await taken(client, [person(n, f"Ad{n}", f"Soyad{n}", f"19{60 + n}-01-0{n}", f"m{n}@ornek.com") for n in range(1, 6)])
    assert await client.call("GET", "/v1/suggestions/progress") == {"people": 5, "left": 5, "open": 0}
    assert await looked(worker_db) == 5
    assert (await client.call("GET", "/v1/suggestions/progress"))["left"] == 0
    assert (await client.call("POST", "/v1/suggestions/again"))["left"] == 5
    assert await looked(worker_db) == 5
    assert (await client.call("GET", "/v1/suggestions/progress"))["left"] == 0


async def test_weights_are_learned_stored_and_used(client: RestClient, worker_db: Database) -> None:
    chance = random.Random(3)
    givens, families = (
        ["Ayşe", "Mehmet", "Zeynep", "Ali", "Elif", "Can"],
        ["Yılmaz", "Kaya", "Demir", "Çelik", "Şahin", "Aydın", "Arslan"],
    )
    people = []
    for n in range(1, 121):
        given, family = chance.choice(givens), chance.choice(families)
        born = f"{chance.randrange(1950, 2005)}-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d}"
        people.append(person(2 * n, given, family, born, f"{given}{n}@ornek.com"))
        people.append(person(2 * n + 1, given, family, born, f"{family}{n}@baska.com"))
    await taken(client, people)
    before = await client.call("GET", "/v1/workspace")
    done = await trained(client, sample=1000, store=True)
    after = await client.call("GET", "/v1/workspace")
    assert after["version"] == done["version"] == before["version"] + 1
    stored = after["settings"]["profile"]["matching"]
    assert stored == done["matching"]
    assert stored["people"] == 240
    model = model_of(stored)
    place = [spec.name for spec in FIELDS].index("date_of_birth")
    # These people's birth dates never differ, and their addresses always do: learned without being told who is who.
    assert model.weights[place][0] < DEFAULT_MODEL.weights[place][0]
    mail = [spec.name for spec in FIELDS].index("email")
    assert model.weights[mail][0] > DEFAULT_MODEL.weights[mail][0]
    await looked(worker_db)
    found = (await client.call("GET", "/v1/suggestions?limit=200"))["items"]
    assert len(found) >= 115
    weights = {part["field"]: part["weight"] for part in found[0]["evidence"] if part["level"] in ("equal", "different")}
    assert weights["email"] == pytest.approx(model.weights[mail][0], abs=0.01)


async def test_nobody_to_learn_from_is_said(client: RestClient) -> None:
    with pytest.raises(InputRejected, match="alike enough"):
        await trained(client, sample=100, store=True)
