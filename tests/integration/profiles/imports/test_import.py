"""Customer lists in and out through the API: what is written, what is refused, interruption, running again, and the way back."""

from __future__ import annotations

import csv
import stat
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from profiles.erasure_tombstones import tombstone_hash
from services.client.customer_list import CustomerList, export_list, import_list
from services.client.import_mapping import import_mapping
from services.client.rest_client import RestClient
from services.client.table_file import table_file
from shared.database import Database
from shared.errors import Conflict, InputRejected
from shared.handle import Handle
from shared.ids import new_id
from tests.support.api import SECRET, Api, listening, running_api
from tests.support.workspaces import Workspace

ROWS = (
    {"customer_id": "C-1", "email": "ayse@ornek.com", "phone": "0532 123 45 67", "name": "Ayşe Yılmaz", "city": "İzmir"},
    {"customer_id": "C-2", "email": "mehmet@ornek.com", "phone": "", "name": "Mehmet Kaya", "city": "Ankara"},
    {"customer_id": "C-3", "email": "", "phone": "+905327654321", "name": "Işıl Demir", "city": ""},
)
TABLES = ("handle", "link", "fact", "consent", "profile", "profile_change", "event")


@pytest.fixture
async def api(api_db: Database, worker_db: Database) -> AsyncIterator[Api]:
    async with running_api(api_db, worker_db) as api:
        yield api


@pytest.fixture
async def client(api: Api, workspace: Workspace) -> AsyncIterator[RestClient]:
    token = (await api.key(workspace.id))["authorization"].removeprefix("Bearer ")
    async with listening(api) as address, RestClient(address.replace("ws:", "http:"), token) as client:
        yield client


def written(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)))
        writer.writeheader()
        writer.writerows(rows)
    return path


async def taken(client: RestClient, path: Path, maps: Sequence[str] = (), **options: Any) -> dict[str, Any]:
    table = table_file(path)
    left: list[dict[str, Any]] = []
    mapping = import_mapping(maps, ["email"] if "handles" in table.columns else table.columns)
    counts = await import_list(
        client, CustomerList(table=table, mapping=mapping, left_out=left.append, **{"source": "crm", **options})
    )
    return {**counts, "left": left}


async def sizes(db: Database) -> dict[str, int]:
    async with db.session() as connection:
        return {table: await connection.fetchval(f"select count(*) from santral.{table}") for table in TABLES}


async def whole(db: Database) -> dict[str, list[Any]]:
    async with db.session() as connection:
        return {
            table: [tuple(row) for row in await connection.fetch(f"select * from santral.{table} order by 1, 2")]
            for table in TABLES
        }


async def person(client: RestClient, kind: str, value: str) -> dict[str, Any]:
    found = await client.call("POST", "/v1/profiles/lookup", {"handles": [{"kind": kind, "value": value}]})
    view: dict[str, Any] = await client.call("GET", f"/v1/profiles/{found['items'][0]['profile_id']}")
    return view


async def test_a_list_becomes_people_and_the_same_list_again_changes_nothing(
    client: RestClient, worker_db: Database, tmp_path: Path
) -> None:
    path = written(tmp_path / "crm.csv", ROWS)
    done = await taken(client, path)
    assert (done["created"], done["rejected"]) == (3, 0)
    view = await person(client, "phone", "+905321234567")
    assert view["name"] == "Ayşe Yılmaz"
    assert {handle["kind"] for handle in view["handles"]} == {"external_id", "email", "phone"}
    assert view["attributes"]["city"]["value"] == "İzmir"
    assert view["attributes"]["city"]["source"] == "import:crm"
    before = await whole(worker_db)
    again = await taken(client, path)
    assert (again["created"], again["changed"], again["unchanged"]) == (0, 0, 3)
    assert await whole(worker_db) == before


async def test_what_it_writes_is_what_deciding_anew_would_write(client: RestClient, worker_db: Database, tmp_path: Path) -> None:
    await taken(client, written(tmp_path / "crm.csv", ROWS))
    before = await whole(worker_db)
    changed = [dict(ROWS[0], city="Muğla"), *ROWS[1:]]
    done = await taken(client, written(tmp_path / "crm2.csv", changed), observed_at=datetime.now(UTC))
    assert (done["changed"], done["unchanged"]) == (1, 2)
    view = await person(client, "email", "ayse@ornek.com")
    assert view["attributes"]["city"]["value"] == "Muğla"
    assert view["version"] == 2
    after = await whole(worker_db)
    assert [row[1] for row in after["profile"]] == [row[1] for row in before["profile"]]


async def test_a_known_address_joins_its_person_and_a_claim_joins_nobody(client: RestClient, tmp_path: Path) -> None:
    known = await client.call(
        "POST", "/v1/profiles/identify",
        {"handles": [{"kind": "email", "value": "ayse@ornek.com"}], "source": "shop", "traits": {"tier": "gold"}},
    )  # fmt: skip
    await taken(client, written(tmp_path / "crm.csv", ROWS))
    joined = await person(client, "external_id", "C-1")
    assert known["profile_id"] in {joined["id"], *(handle["id"] for handle in joined["handles"])}
    assert joined["attributes"]["tier"]["value"] == "gold"
    claims = [{"customer_id": "C-9", "email": "mehmet@ornek.com"}]
    await taken(client, written(tmp_path / "claims.csv", claims), source="form", assurance="asserted")
    assert (await person(client, "external_id", "C-9"))["id"] != (await person(client, "email", "mehmet@ornek.com"))["id"]


async def test_two_customer_ids_at_one_address_stay_two_people(client: RestClient, tmp_path: Path) -> None:
    rows = [{"customer_id": "A", "email": "ev@ornek.com"}, {"customer_id": "B", "email": "ev@ornek.com"}]
    await taken(client, written(tmp_path / "family.csv", rows))
    assert (await person(client, "external_id", "A"))["id"] != (await person(client, "external_id", "B"))["id"]


async def test_rows_that_cannot_be_are_left_out_with_field_reason_and_remedy(
    client: RestClient, worker_db: Database, tmp_path: Path
) -> None:
    rows = [
        {"customer_id": "1", "email": "biri@ornek.com", "phone": "12"},
        {"customer_id": "2", "email": "noreply@ornek.com", "phone": ""},
        {"customer_id": "3", "email": "iyi@ornek.com", "phone": ""},
        {"customer_id": "3", "email": "ikiz@ornek.com", "phone": ""},
        {"customer_id": "", "email": "", "phone": ""},
        {"customer_id": "null", "email": "yok@ornek.com", "phone": ""},
        {"customer_id": "5", "email": "adres", "phone": ""},
    ]
    done = await taken(client, written(tmp_path / "bad.csv", rows))
    assert done["created"] == 1
    assert [(one["row"], one["field"]) for one in done["left"]] == [
        (1, "phone"), (2, "email"), (4, "external_id"), (5, "handles"), (6, "customer_id"), (7, "email"),
    ]  # fmt: skip
    assert all(one["reason"] and one["remedy"] for one in done["left"])
    assert (await sizes(worker_db))["handle"] == 2


async def test_a_dry_run_counts_and_writes_nothing(client: RestClient, worker_db: Database, tmp_path: Path) -> None:
    path = written(tmp_path / "crm.csv", ROWS)
    before = await whole(worker_db)
    done = await taken(client, path, dry_run=True)
    assert done["created"] == 3
    assert await whole(worker_db) == before
    async with worker_db.session() as connection:
        assert await connection.fetchval("select count(*) from santral.import_row") == 0, "what it remembered goes with it"
    assert (await taken(client, path))["created"] == 3


async def test_the_end_of_a_trial_changes_nothing_of_an_import_that_is_under_way(client: RestClient, worker_db: Database) -> None:
    """Rows that were written stay remembered: the same customer further down is told of still."""
    job = await client.call("POST", "/v1/profiles/imports", {"source": "crm", "digest": "0123456789"})
    address = f"/v1/profiles/imports/{job['id']}"

    def chunk(row: int, mail: str) -> Any:
        return {"rows": [{"row": row, "handles": [{"kind": "email", "value": mail}]}], "next_row": row + 1}

    await client.call("PUT", f"{address}/rows?first_row=1", chunk(1, "a@ornek.com"))
    await client.call("PUT", f"{address}/rows?first_row=2&dry_run=true", chunk(2, "b@ornek.com"))
    before = await whole(worker_db)
    tried = await client.call("POST", f"{address}/finish?dry_run=true")
    assert tried == await client.call("GET", address)
    assert (tried["state"], tried["next_row"], tried["created"]) == ("open", 2, 1)
    assert await whole(worker_db) == before
    async with worker_db.session() as connection:
        assert [row["number"] for row in await connection.fetch("select number from santral.import_row")] == [1]
    again = await client.call("PUT", f"{address}/rows?first_row=2", chunk(2, "a@ornek.com"))
    assert [(one["row"], one["reason"]) for one in again["rejected"]] == [(2, "row 1 has the same email")]
    await client.call("POST", f"{address}/finish")
    await client.call("PUT", f"{address}/rows?first_row=1&dry_run=true", chunk(1, "a@ornek.com"))
    assert (await client.call("POST", f"{address}/finish?dry_run=true"))["state"] == "finished"
    async with worker_db.session() as connection:
        assert await connection.fetchval("select count(*) from santral.import_row") == 0


async def test_a_row_joins_nobody_to_who_is_to_be_erased(client: RestClient, tmp_path: Path) -> None:
    handles = [{"kind": "email", "value": "ayse@ornek.com"}]
    gone = (await client.call("POST", "/v1/profiles/identify", {"handles": handles, "source": "shop"}))["profile_id"]
    asked = await client.call("POST", f"/v1/profiles/{gone}/erase", {"reason": "law", "confirm": gone})
    done = await taken(client, written(tmp_path / "crm.csv", ROWS))
    left = [(one["row"], one["field"], one["reason"]) for one in done["left"]]
    assert (left, asked["id"] in done["left"][0]["remedy"]) == ([(1, "email", "this person is to be erased")], True)
    assert done["created"] == 2


class _Stopped(Exception):
    pass


async def test_an_interrupted_import_goes_on_where_it_was(client: RestClient, worker_db: Database, tmp_path: Path) -> None:
    rows = [{"customer_id": f"C-{number}", "email": f"m{number}@ornek.com"} for number in range(4500)]
    path = written(tmp_path / "large.csv", rows)

    def stop(_: int) -> None:
        raise _Stopped

    with pytest.raises(_Stopped):
        await taken(client, path, shown=stop)
    first = (await sizes(worker_db))["profile"]
    assert 0 < first < 4500
    done = await taken(client, path, resume=True)
    assert (done["skipped"], done["created"]) == (first, 4500 - first)
    assert (await sizes(worker_db))["profile"] == 4500


async def test_a_chunk_given_twice_is_written_once_and_a_gap_is_refused(client: RestClient, worker_db: Database) -> None:
    job = await client.call("POST", "/v1/profiles/imports", {"source": "crm", "digest": "0123456789"})
    chunk = {"rows": [{"row": 1, "handles": [{"kind": "email", "value": "a@ornek.com"}]}], "next_row": 2}
    address = f"/v1/profiles/imports/{job['id']}/rows?first_row="
    assert (await client.call("PUT", address + "1", chunk))["created"] == 1
    before = await whole(worker_db)
    assert (await client.call("PUT", address + "1", chunk))["again"]
    assert await whole(worker_db) == before
    gap = {"rows": [{"row": 5, "handles": [{"kind": "email", "value": "b@ornek.com"}]}], "next_row": 6}
    with pytest.raises(Conflict, match="row 2 comes next"):
        await client.call("PUT", address + "5", gap)
    with pytest.raises(InputRejected, match="rows"):
        await client.call("PUT", address + "2", {**gap, "next_row": 3})


async def test_consent_is_carried_over_and_only_once(client: RestClient, worker_db: Database, tmp_path: Path) -> None:
    maps = ("external_id=id", "consent.marketing.email=news")
    path = written(
        tmp_path / "consent.csv", [{"id": "1", "news": "evet"}, {"id": "2", "news": "hayır"}, {"id": "3", "news": "belki"}]
    )
    done = await taken(client, path, maps)
    assert (done["created"], [one["field"] for one in done["left"]]) == (2, ["news"])
    async with worker_db.session() as connection:
        rows = await connection.fetch("select granted, explicit from santral.consent order by granted")
    assert [tuple(row) for row in rows] == [(False, False), (True, False)]
    assert (await taken(client, path, maps))["changed"] == 0
    before = await person(client, "external_id", "1")
    turned = written(tmp_path / "turned.csv", [{"id": "1", "news": "no"}])
    assert (await taken(client, turned, maps, observed_at=datetime.now(UTC)))["changed"] == 1
    assert (await person(client, "external_id", "1"))["version"] == before["version"] + 1
    async with worker_db.session() as connection:
        kept = await connection.fetch(
            "select v.version, v.what, v.cause, e.data from santral.profile_change v"
            " join santral.event e on e.profile_id = v.profile_id and (e.data->>'version')::bigint = v.version"
        )
        said = await connection.fetchval("select id from santral.consent order by stated_at desc, id desc limit 1")
    assert [tuple(row)[:2] for row in kept] == [(2, {"types": ["profile.changed"], "what": ["consent"]})]
    assert (kept[0]["cause"]["source"], kept[0]["cause"]["consent"]) == ("import:crm", [str(said)])
    assert kept[0]["data"] == {"version": 2, "what": ["consent"]}
    history = await client.call("GET", f"/v1/profiles/{before['id']}/timeline")
    assert [entry["data"]["granted"] for entry in history["items"] if entry["kind"] == "consent"] == [False, True]


async def test_the_same_id_again_is_told_its_first_row_across_chunks(
    client: RestClient, worker_db: Database, tmp_path: Path
) -> None:
    rows = [{"customer_id": f"C-{number % 2500}", "email": f"m{number}@ornek.com"} for number in range(2502)]
    path = written(tmp_path / "twice.csv", rows)
    expected = [(2501, "external_id", "row 1 has the same external_id"), (2502, "external_id", "row 2 has the same external_id")]
    for dry_run, new in ((True, 2500), (False, 2500), (False, 0)):
        done = await taken(client, path, dry_run=dry_run)
        assert [(one["row"], one["field"], one["reason"]) for one in done["left"]] == expected
        assert (done["created"], done["changed"]) == (new, 0)
    async with worker_db.session() as connection:
        assert await connection.fetchval("select count(*) from santral.import_row") == 0


async def test_what_an_interrupted_import_wrote_is_remembered_as_the_first(client: RestClient, tmp_path: Path) -> None:
    rows = [{"customer_id": f"C-{number % 2500}", "email": f"m{number}@ornek.com"} for number in range(2501)]
    path = written(tmp_path / "twice.csv", rows)

    def stop(_: int) -> None:
        raise _Stopped

    with pytest.raises(_Stopped):
        await taken(client, path, shown=stop)
    done = await taken(client, path, resume=True)
    assert [(one["row"], one["reason"]) for one in done["left"]] == [(2501, "row 1 has the same external_id")]


@pytest.mark.parametrize("form", ["csv", "jsonl"])
async def test_what_is_exported_is_read_again_without_any_change(
    client: RestClient, worker_db: Database, tmp_path: Path, form: str
) -> None:
    await taken(client, written(tmp_path / "crm.csv", ROWS), ("external_id=customer_id", "email=email", "phone=phone", "name=name",
                                                              "trait.city=city", "consent.marketing.all=customer_id")[:5])  # fmt: skip
    await client.call(
        "POST", "/v1/profiles/identify",
        {"handles": [{"kind": "external_id", "value": "C-1"}, {"kind": "psid", "scope": "page-42", "value": "998"},
                     {"kind": "email", "value": "ayse.iki@ornek.com"}],
         "source": "shop", "traits": {"age": 42, "tags": ["vip", "çay"], "note": " boşluk ", "zip": "06100", "quote": 'a,"b"\nc'}},
    )  # fmt: skip
    profile = (await person(client, "external_id", "C-2"))["id"]
    await client.call(
        "POST", f"/v1/profiles/{profile}/consents",
        {"purpose": "marketing", "channel": "email", "granted": False, "source": "form"},
    )  # fmt: skip
    out = tmp_path / f"out.{form}"
    assert await export_list(client, out, as_csv=form == "csv", shown=lambda _: None) == 3
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    before = await whole(worker_db)
    done = await taken(client, out, source="copy")
    assert (done["left"], done["created"], done["changed"], done["unchanged"]) == ([], 0, 0, 3)
    assert await whole(worker_db) == before


async def test_who_was_erased_does_not_come_back_by_an_older_list(
    client: RestClient, worker_db: Database, workspace: Workspace, tmp_path: Path
) -> None:
    at = datetime.now(UTC) - timedelta(hours=1)
    async with worker_db.batch() as connection:
        await connection.execute(
            "insert into santral.tombstone (workspace_id, handle_id, erasure_id, hash, erased_at) values ($1, $2, $3, $4, $5)",
            workspace.id, new_id(), new_id(), tombstone_hash(SECRET, workspace.id, Handle(kind="email", value="ayse@ornek.com")), at,
        )  # fmt: skip
    done = await taken(client, written(tmp_path / "old.csv", ROWS), observed_at=at - timedelta(days=1))
    assert (done["created"], [(one["row"], one["field"]) for one in done["left"]]) == (2, [(1, "email")])
    later = await taken(client, written(tmp_path / "new.csv", [ROWS[0]]), observed_at=at + timedelta(minutes=1))
    assert later["created"] == 1


async def test_a_role_that_sees_its_own_customers_gets_no_list(api: Api, workspace: Workspace) -> None:
    headers = await api.agent(workspace.id, workspace.agent_id)
    answer = await api.client.get("/v1/profiles/export", headers=headers)
    assert answer.status_code == 403
    begun = await api.client.post("/v1/profiles/imports", json={"source": "crm", "digest": "0123456789"}, headers=headers)
    assert begun.status_code == 403


async def test_a_thousand_columns(client: RestClient, tmp_path: Path) -> None:
    row = {"external_id": "wide", **{f"trait.c{number}": str(number) for number in range(999)}}
    assert (await taken(client, written(tmp_path / "wide.csv", [row])))["created"] == 1
    assert len((await person(client, "external_id", "wide"))["attributes"]) == 999
