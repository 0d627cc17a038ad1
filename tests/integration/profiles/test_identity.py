"""The rules of identity on a real PostgreSQL: what ends, what is undone, what a claim may not do, and many hands at once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from profiles.consent_store import state_consent
from profiles.expiry import expire_links
from profiles.facts import observe
from profiles.identify import Identification, identify
from profiles.ledger import add_link
from profiles.merge import merge, unmerge_handles, unmerge_link
from profiles.resolve import resolve
from profiles.sighting import Sighting
from profiles.snapshot import snapshots
from profiles.store import profile_view
from profiles.survivorship import Observation
from profiles.timeline import timeline
from shared.database import Database, retried
from shared.errors import Conflict, InputRejected
from shared.handle import Handle
from shared.ids import HandleId, WorkspaceId, new_id
from tests.support.people import START, mail, phone, resolved, seen, sighting, stored_and_pure
from tests.support.workspaces import Workspace, make_workspace

MOVED = ("conversation", "message", "placement", "note", "consent", "fact")


@pytest.fixture
def somewhere() -> WorkspaceId:
    return WorkspaceId(new_id())


@pytest.fixture
async def writers(database_urls) -> AsyncIterator[list[Database]]:  # type: ignore[no-untyped-def]
    """Three processes' connections: two routers and an API."""
    urls = (database_urls.worker, database_urls.worker, database_urls.api)
    opened = [await Database.open(url, name=f"w{n}") for n, url in enumerate(urls)]
    yield opened
    for one in opened:
        await one.close()


async def shown(db: Database, workspace: WorkspaceId, any_id: UUID) -> dict[str, Any]:
    """What a person looks like to an agent, but for the version and when it changed."""
    async with db.batch(workspace) as connection:
        view = await profile_view(connection, workspace, any_id)
        history = await timeline(connection, workspace, any_id, limit=200)
    return {
        "id": view.id, "name": view.name, "handles": view.handles, "attributes": view.attributes,
        "history": [entry for entry in history.entries if entry.kind not in ("merged", "unmerged", "linked", "link_retracted", "kept_apart")],
    }  # fmt: skip


async def rows(db: Database, workspace: WorkspaceId) -> dict[str, list[str]]:
    async with db.batch() as connection:
        return {
            table: [
                row["row"]
                for row in await connection.fetch(
                    f"select t::text as row from santral.{table} t where workspace_id = $1 order by 1", workspace
                )
            ]
            for table in MOVED
        }


async def test_a_merge_moves_nothing_and_its_undoing_gives_everything_back(worker_db: Database, workspace: Workspace) -> None:
    here = WorkspaceId(workspace.id)
    people = await resolved(
        worker_db,
        *(sighting(here, seen(mail(f"m{n}@ornek.com"), name=f"M {n}"), minute=n) for n in range(4)),
        sighting(here, seen(phone()), seen(mail("m0@ornek.com")), minute=9),
    )
    for n, person in enumerate(people[:4]):
        async with worker_db.batch() as connection:
            seen_of = [
                Observation(name="city", value=f"c{n}", source="identify:crm", assurance="channel_verified", observed_at=START)
            ]
            await observe(connection, here, person.handle_id, seen_of)
            await state_consent(
                connection, here, person.handle_id, purpose="marketing", channel="email", granted=n % 2 == 0, explicit=True,
                source="form", actor="user:1",
            )  # fmt: skip
            conversation = new_id()
            await connection.execute(
                "insert into santral.conversation (workspace_id, id, handle_id, inbox_id, last_inbox_id, last_handle_id, channel, opened_at)"
                " values ($1, $2, $3, $4, $4, $3, 'email', now())",
                here, conversation, person.handle_id, workspace.inboxes["smtp"],
            )  # fmt: skip
    before = [await shown(worker_db, here, person.handle_id) for person in people[:4]]
    stored = await rows(worker_db, here)
    made: dict[UUID, HandleId] = {}
    for one, other in ((0, 1), (2, 3), (1, 3)):
        async with worker_db.batch() as connection:
            done = await merge(connection, here, people[one].handle_id, people[other].handle_id, actor="user:1")
        assert done.link_id is not None
        made[done.link_id] = people[one].handle_id
    assert len({(await shown(worker_db, here, person.handle_id))["id"] for person in people[:4]}) == 1
    assert await rows(worker_db, here) == stored
    for link_id in random.Random(1).sample(list(made), 3):
        async with worker_db.batch() as connection:
            await unmerge_link(connection, here, made[link_id], link_id, actor="user:1")
    assert [await shown(worker_db, here, person.handle_id) for person in people[:4]] == before
    assert await rows(worker_db, here) == stored
    found, pure = await stored_and_pure(worker_db, here)
    assert found == pure


async def test_a_number_nobody_used_for_its_window_is_somebody_elses_now(worker_db: Database, workspace: Workspace) -> None:
    here = WorkspaceId(workspace.id)
    years_ago = datetime.now(UTC) - timedelta(days=800)
    one = Sighting(
        workspace_id=here, message_id=sighting(here).message_id, senders=(seen(mail()), seen(phone())), seen_at=years_ago
    )
    other = Sighting(
        workspace_id=here, message_id=sighting(here).message_id,
        senders=(seen(mail("b@ornek.com")), seen(Handle(kind="telegram", value="7"))), seen_at=years_ago,
    )  # fmt: skip
    first, second = await resolved(worker_db, one, other)
    assert await expire_links(worker_db, here) == 1
    assert await expire_links(worker_db, here) == 0
    found, pure = await stored_and_pure(worker_db, here)
    assert found == pure
    assert found[first.other_handle_ids[0]] != found[first.handle_id]
    assert found[second.other_handle_ids[0]] == found[second.handle_id]
    # Used again with that address, the two are one person again; what a person of the workspace said never ends by itself.
    await resolved(worker_db, sighting(here, seen(mail()), seen(phone())))
    async with worker_db.batch() as connection:
        await add_link(
            connection, here, second.handle_id, first.other_handle_ids[0], kind="agent", assurance="channel_verified",
            source="user:1", seen_at=years_ago,
        )  # fmt: skip
    assert await expire_links(worker_db, here) == 0
    found, _ = await stored_and_pure(worker_db, here)
    assert len(set(found.values())) == 1


async def test_a_link_past_its_date_ends(worker_db: Database, workspace: Workspace) -> None:
    here = WorkspaceId(workspace.id)
    one, other = await resolved(
        worker_db, sighting(here, seen(mail())), sighting(here, seen(Handle(kind="line", value="u")), minute=1)
    )
    async with worker_db.batch() as connection:
        await add_link(
            connection, here, one.handle_id, other.handle_id, kind="agent", assurance="channel_verified", source="user:1",
            seen_at=START, expires_at=datetime.now(UTC) + timedelta(days=1),
        )  # fmt: skip
    assert await expire_links(worker_db, here) == 0
    async with worker_db.batch() as connection:
        await connection.execute("update santral.link set expires_at = now() - interval '1 s'")
    assert await expire_links(worker_db, here) == 1
    found, pure = await stored_and_pure(worker_db, here)
    assert found == pure
    assert len(set(found.values())) == 2
    async with worker_db.batch() as connection:
        kinds = await connection.fetch("select what->'types' as types from santral.profile_change where cause->>'actor' = 'expiry'")
    assert [row["types"] for row in kinds if row["types"]] != []


async def test_a_typed_address_takes_over_nobody(worker_db: Database, somewhere: WorkspaceId) -> None:
    """A visitor types a customer's address into the chat form: nothing is attached, nothing is shown, nothing is changed."""
    [victim] = await resolved(worker_db, sighting(somewhere, seen(mail(), name="Ayşe")))
    async with worker_db.batch() as connection:
        facts = [
            Observation(name=name, value=value, source="identify:crm", assurance="authenticated", observed_at=START)
            for name, value in (("tier", "vip"), ("city", "İzmir"), ("tags", ["a"]))
        ]
        await observe(connection, somewhere, victim.handle_id, facts)
    before = await shown(worker_db, somewhere, victim.handle_id)
    form = (seen(Handle(kind="visitor", scope="w", value="v1")), seen(mail(), "asserted", "Genel Müdür"))
    [visitor] = await resolved(worker_db, sighting(somewhere, *form, minute=5))
    claim = Identification(
        workspace_id=somewhere, handles=(Handle(kind="visitor", scope="w", value="v1"), mail()), raws=("", ""), source="form",
        assurance="asserted", observed_at=START - timedelta(days=9), actor="key:weak", name="Genel Müdür",
    )  # fmt: skip
    async with worker_db.batch() as connection:
        await identify(connection, claim)
    async with worker_db.batch() as connection:
        seen_by_routing = await snapshots(connection, [(somewhere, visitor.handle_id)])
    snapshot = seen_by_routing[somewhere, visitor.handle_id]
    assert (snapshot.tier, snapshot.tags, dict(snapshot.attributes), snapshot.name) == ("", (), {}, "")
    assert [handle.kind for handle in snapshot.handles] == ["visitor"]
    after = await shown(worker_db, somewhere, victim.handle_id)
    for one in (before, after):
        one["handles"] = [(handle.id, handle.name, handle.assurance, handle.first_seen_at) for handle in one["handles"]]
    assert after == before
    found, pure = await stored_and_pure(worker_db, somewhere)
    assert found == pure


def evidence(chance: random.Random) -> list[tuple[tuple[Handle, ...], str, int, dict[str, Any]]]:
    """What several systems say of few people: handles, assurance, minute, traits. Each at a moment of its own."""
    said = []
    for minute in range(14):
        pool = [mail(f"m{chance.randrange(4)}@ornek.com"), phone(f"+9053212345{chance.randrange(4):02}")]
        pool.append(Handle(kind="external_id", value=f"c{chance.randrange(3)}"))
        handles = tuple(chance.sample(pool, chance.choice([1, 2, 2])))
        said.append((handles, chance.choice(["channel_verified", "authenticated"]), minute, {"city": f"c{minute}", "tier": "gold"}))
    return said


async def test_whatever_order_evidence_arrives_in_the_people_and_their_values_are_the_same(worker_db: Database) -> None:
    chance = random.Random(11)
    told = evidence(chance)
    endings = []
    for _ in range(6):
        somewhere = WorkspaceId(new_id())
        for handles, assurance, minute, traits in chance.sample(told, len(told)):
            [person] = await resolved(worker_db, sighting(somewhere, *(seen(one, assurance) for one in handles), minute=minute))
            async with worker_db.batch() as connection:
                at = START + timedelta(minutes=minute)
                values = [
                    Observation(name=name, value=value, source=f"identify:{minute % 3}", assurance=assurance, observed_at=at)
                    for name, value in traits.items()
                ]
                await observe(connection, somewhere, person.handle_id, values)
        async with worker_db.batch() as connection:
            found = await connection.fetch(
                "select array_agg(h.kind || h.value order by h.kind, h.value) as handles, p.effective, p.search from santral.handle h"
                " join santral.profile p on p.workspace_id = h.workspace_id and p.id = h.profile_id"
                " where h.workspace_id = $1 group by p.id, p.effective, p.search",
                somewhere,
            )
        endings.append(sorted((row["handles"], str(row["effective"]), row["search"]) for row in found))
    assert len(endings[0]) > 1
    assert all(ending == endings[0] for ending in endings)


async def test_an_erased_or_unknown_person_is_not_merged(worker_db: Database, somewhere: WorkspaceId) -> None:
    [one] = await resolved(worker_db, sighting(somewhere, seen(mail())))
    for wanted, field in ((one.handle_id, "with"), (uuid4(), "with")):
        with pytest.raises(InputRejected) as refused:
            async with worker_db.batch() as connection:
                await merge(connection, somewhere, one.handle_id, wanted, actor="user:1")
        assert refused.value.field == field


async def test_two_merge_overlapping_people_at_once_round_after_round(writers: list[Database], somewhere: WorkspaceId) -> None:
    """No deadlock is left unhandled, and the tables say what the pure function says of the ledger."""
    count = 10
    people = await resolved(writers[0], *(sighting(somewhere, seen(mail(f"m{n}@ornek.com")), minute=n) for n in range(count)))
    ids = [person.handle_id for person in people]
    chance = random.Random(4)
    for turn in range(25):
        pairs = [chance.sample(ids, 2) for _ in range(4)]

        def run(db: Database, one: HandleId, other: HandleId) -> Callable[[], Any]:
            async def work() -> None:
                async with db.batch(somewhere) as connection:
                    await merge(connection, somewhere, one, other, actor=f"user:{one}")

            return work

        done = await asyncio.gather(
            *(retried(run(writers[n % 3], one, other)) for n, (one, other) in enumerate(pairs)), return_exceptions=True
        )
        # Five addresses are a person's at most: more is a rule's refusal and nothing else.
        assert all(result is None or isinstance(result, Conflict) for result in done), done
        if turn % 3 == 2:
            await _take_one_back(writers[turn % 2], somewhere, chance)
        stored, pure = await stored_and_pure(writers[0], somewhere)
        assert stored == pure, turn
    assert 1 < len(set(stored.values())) < count


async def _take_one_back(db: Database, workspace: WorkspaceId, chance: random.Random) -> None:
    async with db.batch() as connection:
        live = await connection.fetch(
            "select id, a, b from santral.link where workspace_id = $1 and retracted_at is null and assurance <> 'asserted' order by id",
            workspace,
        )
    if not live:
        return
    link = chance.choice(live)
    async with db.batch(workspace) as connection:
        if chance.random() < 0.5:
            await unmerge_link(connection, workspace, link["a"], link["id"], actor="user:1")
        else:
            await unmerge_handles(connection, workspace, link["a"], (link["a"], link["b"]), actor="user:1")


async def test_messages_merges_and_undoings_interleaved_on_several_routers(writers: list[Database], somewhere: WorkspaceId) -> None:
    def message(chance: random.Random) -> Sighting:
        pool = [
            mail(f"m{chance.randrange(6)}@ornek.com"), phone(f"+9053212345{chance.randrange(6):02}"),
            Handle(kind="external_id", value=f"c{chance.randrange(6)}"),
        ]  # fmt: skip
        chosen = chance.sample(pool, chance.choice([1, 1, 2]))
        return sighting(
            somewhere, *(seen(one, chance.choice(["channel_verified", "asserted"])) for one in chosen), minute=chance.uniform(0, 99)
        )

    async def write(db: Database, seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(25):
            await resolve(db, [message(chance) for _ in range(4)])

    async def meddle(db: Database, seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(30):
            async with db.batch(somewhere) as connection:
                ids = [
                    row["id"] for row in await connection.fetch("select id from santral.handle where workspace_id = $1", somewhere)
                ]
            one, other = chance.sample(ids, 2)

            async def work(one: HandleId = one, other: HandleId = other) -> None:
                async with db.batch(somewhere) as connection:
                    await merge(connection, somewhere, one, other, actor=f"user:{seed}")

            try:
                await retried(work)
            except Conflict:
                continue
            if chance.random() < 0.6:
                await retried(lambda: _take_one_back(db, somewhere, chance))

    await resolve(writers[0], [message(random.Random(n)) for n in range(20)])
    await asyncio.gather(write(writers[0], 1), write(writers[1], 2), meddle(writers[2], 3), meddle(writers[1], 4))
    stored, pure = await stored_and_pure(writers[0], somewhere)
    assert stored == pure
    async with writers[0].batch() as connection:
        changes = await connection.fetch(
            "select p.id, p.version, (select max(c.version) from santral.profile_change c"
            " where c.workspace_id = p.workspace_id and c.profile_id = p.id) as last from santral.profile p where p.workspace_id = $1",
            somewhere,
        )
    assert all(row["last"] == (row["version"] if row["version"] > 1 else None) for row in changes)


async def test_the_workspace_says_how_many_handles_a_person_may_have(worker_db: Database) -> None:
    endings = []
    for settings in ({}, {"profile": {"limits": {"email": 2}}}, {"profile": {"fan_out": {"phone": 1}}}):
        workspace = await make_workspace(worker_db, settings=settings)
        here = WorkspaceId(workspace.id)
        for n in range(3):
            await resolved(worker_db, sighting(here, seen(mail(f"m{n}@ornek.com")), seen(phone()), minute=n))
        for n in range(2):
            customer = Handle(kind="external_id", value=f"c{n}")
            await resolved(worker_db, sighting(here, seen(customer), seen(phone()), minute=9 + n))
        async with worker_db.batch() as connection:
            rows_of = await connection.fetch(
                "select count(*) as size, bool_or(shared) as shared from santral.handle where workspace_id = $1 group by profile_id",
                here,
            )
        endings.append((sorted(row["size"] for row in rows_of), any(row["shared"] for row in rows_of)))
    # One customer id per person in any case; with the third, a number that met two customers is nobody's.
    assert endings == [([1, 5], False), ([1, 1, 4], False), ([1, 1, 1, 1, 1, 1], True)]


async def test_a_better_name_is_a_new_version_by_which_the_person_is_found(worker_db: Database, somewhere: WorkspaceId) -> None:
    [person] = await resolved(worker_db, sighting(somewhere, seen(mail(), "asserted", "Sahte Ad")))
    await resolved(worker_db, sighting(somewhere, seen(mail(), "channel_verified", "Ayşe Işık"), minute=1))
    await resolved(worker_db, sighting(somewhere, seen(mail(), "asserted", "Genel Müdür"), minute=24 * 60))
    async with worker_db.batch() as connection:
        row = await connection.fetchrow("select version, search from santral.profile where id = $1", person.handle_id)
        change = await connection.fetchrow("select what from santral.profile_change where profile_id = $1", person.handle_id)
    assert row is not None
    assert change is not None
    assert (row["version"], {"ayse", "isik"} <= set(row["search"].split()), "sahte" in row["search"]) == (2, True, False)
    assert change["what"]["what"] == ["name"]
