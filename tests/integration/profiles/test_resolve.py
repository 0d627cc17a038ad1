"""Who is writing, on a real PostgreSQL: first contact, merges at once, taking back, walls between workspaces."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from profiles.facts import observe
from profiles.ledger import add_cannot_link, add_link, retract_cannot_link, retract_link
from profiles.resolve import resolve
from profiles.sighting import Sighting
from profiles.snapshot import snapshots
from profiles.store import links_of, lookup, profile_view
from profiles.survivorship import Observation
from profiles.timeline import timeline
from profiles.undecided import decide_page
from shared.database import Database
from shared.errors import InputRejected, NotFound
from shared.handle import Handle
from shared.ids import HandleId, WorkspaceId, new_id
from tests.support.people import START, mail, phone, resolved, seen, sighting, stored_and_pure


async def events(db: Database, workspace: WorkspaceId) -> list[tuple[str, UUID]]:
    async with db.batch() as connection:
        rows = await connection.fetch("select type, profile_id from santral.event where workspace_id = $1 order by id", workspace)
        waiting = await connection.fetchval("select count(*) from santral.outbox where workspace_id = $1", workspace)
    assert waiting == len(rows)
    return [(row["type"], row["profile_id"]) for row in rows]


@pytest.fixture
def somewhere() -> WorkspaceId:
    return WorkspaceId(new_id())


async def test_a_new_person_has_one_profile_and_a_known_one_costs_one_select(worker_db: Database, somewhere: WorkspaceId) -> None:
    first, again = await resolved(
        worker_db, sighting(somewhere, seen(mail(), name="Ayşe")), sighting(somewhere, seen(mail()), minute=1)
    )
    assert UUID(str(first.profile_id)) == first.handle_id
    assert first.profile_version == 1
    assert again == first
    async with worker_db.session() as connection:
        before = await connection.fetchval("select xmin::text from santral.handle where id = $1", first.handle_id)
    assert await resolved(worker_db, sighting(somewhere, seen(mail()), minute=2)) == [first]
    async with worker_db.session() as connection:
        assert await connection.fetchval("select xmin::text from santral.handle where id = $1", first.handle_id) == before
    assert await events(worker_db, somewhere) == [("profile.created", first.profile_id)]
    # A new day moves last_seen_at once.
    await resolved(worker_db, sighting(somewhere, seen(mail()), minute=24 * 60))
    async with worker_db.session() as connection:
        last = await connection.fetchval("select last_seen_at from santral.handle where id = $1", first.handle_id)
    assert last == START + timedelta(days=1)


async def test_a_typed_address_is_a_suggestion_and_attaches_nothing(worker_db: Database, somewhere: WorkspaceId) -> None:
    [owner] = await resolved(worker_db, sighting(somewhere, seen(mail(), name="Ayşe")))
    visitor = Handle(kind="visitor", scope="w", value="v1")
    stranger = Handle(kind="email", value="yeni@ornek.com")
    [chat] = await resolved(
        worker_db,
        sighting(somewhere, seen(visitor), seen(mail(), "asserted", "Sahte"), seen(stranger, "asserted"), minute=1),
    )
    assert chat.profile_id == chat.handle_id != owner.profile_id
    async with worker_db.batch() as connection:
        view = await profile_view(connection, somewhere, owner.profile_id)
        assert (view.version, view.name, len(view.handles)) == (1, "Ayşe", 1)
        ledger = await links_of(connection, somewhere, chat.profile_id)
        assert {link.assurance for link in ledger} == {"asserted"}
        assert len(ledger) == 2
    # Nobody has written from the typed address yet, so nobody has a profile for it; when they do, they get one.
    assert len(await events(worker_db, somewhere)) == 2
    [wrote] = await resolved(worker_db, sighting(somewhere, seen(stranger), minute=2))
    assert wrote.handle_id in chat.other_handle_ids
    assert (await events(worker_db, somewhere))[2:] == [("profile.created", wrote.profile_id)]


async def test_two_verified_handles_of_one_message_are_one_person(worker_db: Database, somewhere: WorkspaceId) -> None:
    one, other = await resolved(
        worker_db, sighting(somewhere, seen(mail(), name="Ayşe")), sighting(somewhere, seen(phone()), minute=1)
    )
    assert one.profile_id != other.profile_id
    [both] = await resolved(worker_db, sighting(somewhere, seen(phone()), seen(mail()), minute=2))
    assert (both.handle_id, both.profile_id, both.profile_version) == (other.handle_id, one.profile_id, 2)
    assert (await events(worker_db, somewhere))[2:] == [("profile.merged", one.profile_id)]
    async with worker_db.batch() as connection:
        for any_id in (one.profile_id, other.profile_id):
            view = await profile_view(connection, somewhere, any_id)
            assert (view.id, view.name, view.merged) == (one.profile_id, "Ayşe", any_id != one.profile_id)
            assert [handle.kind for handle in view.handles] == ["email", "phone"]
        found = await snapshots(connection, [(somewhere, one.handle_id), (somewhere, other.handle_id)])
        assert found[somewhere, one.handle_id] == found[somewhere, other.handle_id]
        assert found[somewhere, one.handle_id].handle_ids == (one.handle_id, other.handle_id)
        assert await lookup(connection, somewhere, [phone(), mail("kimse@ornek.com")]) == {
            phone(): (other.handle_id, one.profile_id)
        }
        page = await timeline(connection, somewhere, other.profile_id, limit=2)
        rest = await timeline(connection, somewhere, other.profile_id, page.next_cursor, limit=2)
    assert page.handle_ids == (one.handle_id, other.handle_id)
    assert [entry.kind for entry in (*page.entries, *rest.entries)] == ["merged", "linked", "handle_seen", "handle_seen"]
    assert rest.next_cursor is None


async def test_taking_a_link_back_gives_each_what_they_had(worker_db: Database, somewhere: WorkspaceId) -> None:
    one, other = await resolved(worker_db, sighting(somewhere, seen(mail())), sighting(somewhere, seen(phone()), minute=1))
    async with worker_db.batch() as connection:
        for person, city in ((one, "İzmir"), (other, "Ankara")):
            observed = Observation(name="city", value=city, source="key:1", assurance="channel_verified", observed_at=START)
            assert await observe(connection, somewhere, person.handle_id, [observed]) == 2
            assert await observe(connection, somewhere, person.handle_id, [observed]) is None
    async with worker_db.batch() as connection:
        link_id = await add_link(
            connection, somewhere, one.handle_id, other.handle_id, kind="agent", assurance="channel_verified",
            source="user:1", seen_at=START, actor="user:1",
        )  # fmt: skip
        merged = await profile_view(connection, somewhere, other.profile_id)
        assert (merged.id, merged.attributes["city"]["value"]) == (one.profile_id, "İzmir")
    async with worker_db.batch() as connection:
        assert await retract_link(connection, somewhere, link_id, actor="user:1")
        assert await retract_link(connection, somewhere, link_id, actor="user:1") == []
        for person, city in ((one, "İzmir"), (other, "Ankara")):
            view = await profile_view(connection, somewhere, person.profile_id)
            assert (view.id, view.merged, view.attributes["city"]["value"]) == (person.profile_id, False, city)
            assert view.version == 4
        with pytest.raises(NotFound):
            await retract_link(connection, somewhere, uuid4(), actor="user:1")
    types = [kind for kind, _ in await events(worker_db, somewhere)]
    assert types[4:] == ["profile.merged", "profile.changed", "profile.unmerged"]


async def test_people_kept_apart_stay_apart_whatever_comes(worker_db: Database, somewhere: WorkspaceId) -> None:
    [both] = await resolved(worker_db, sighting(somewhere, seen(mail()), seen(phone())))
    assert [kind for kind, _ in await events(worker_db, somewhere)] == ["profile.created"]
    async with worker_db.batch() as connection:
        cannot = await add_cannot_link(connection, somewhere, both.handle_id, both.other_handle_ids[0], reason="siblings")
        assert cannot == await add_cannot_link(connection, somewhere, both.other_handle_ids[0], both.handle_id, reason="siblings")
    await resolved(worker_db, sighting(somewhere, seen(mail(), "authenticated"), seen(phone(), "authenticated"), minute=3))
    stored, pure = await stored_and_pure(worker_db, somewhere)
    assert stored == pure
    assert len(set(stored.values())) == 2
    async with worker_db.batch() as connection:
        assert await retract_cannot_link(connection, somewhere, cannot)
    stored, pure = await stored_and_pure(worker_db, somewhere)
    assert stored == pure
    assert len(set(stored.values())) == 1
    async with worker_db.batch() as connection:
        with pytest.raises(InputRejected):
            await add_cannot_link(connection, somewhere, both.handle_id, both.handle_id, reason="itself")


async def test_a_shared_browser_serves_the_customer_who_is_signed_in(worker_db: Database, somewhere: WorkspaceId) -> None:
    browser = seen(Handle(kind="visitor", scope="w", value="v1"), "authenticated")
    customers = [seen(Handle(kind="external_id", value=value), "authenticated") for value in ("c1", "c2")]
    [first] = await resolved(worker_db, sighting(somewhere, browser, customers[0]))
    assert first.identity_handle_id == first.other_handle_ids[0]
    [second] = await resolved(worker_db, sighting(somewhere, browser, customers[1], minute=1))
    assert second.handle_id == first.handle_id
    assert second.profile_id == second.identity_handle_id == second.other_handle_ids[0]
    stored, pure = await stored_and_pure(worker_db, somewhere)
    assert stored == pure
    assert len(set(stored.values())) == 3
    # Signed in again, the browser is nobody's and each customer is still their own; nothing is looked behind it.
    assert [one.profile_id for one in await resolved(worker_db, sighting(somewhere, browser, customers[1], minute=2))] == [
        second.profile_id
    ]
    # Without the second link it would be the first customer's again.
    async with worker_db.batch() as connection:
        for link in await links_of(connection, somewhere, second.profile_id):
            await retract_link(connection, somewhere, link.id, actor="user:1")
    stored, pure = await stored_and_pure(worker_db, somewhere)
    assert stored == pure
    assert len(set(stored.values())) == 2


async def test_our_own_address_links_nobody_also_from_the_day_it_becomes_ours(worker_db: Database, somewhere: WorkspaceId) -> None:
    people = [sighting(somewhere, seen(mail("destek@ornek.com")), seen(phone(f"+90532123450{n}"))) for n in range(2)]
    await resolved(worker_db, *people)
    stored, _ = await stored_and_pure(worker_db, somewhere)
    assert len(set(stored.values())) == 1
    await resolve(worker_db, people[:1], own={(somewhere, mail("destek@ornek.com"))})
    stored, pure = await stored_and_pure(worker_db, somewhere)
    assert stored == pure
    assert len(set(stored.values())) == 3


async def test_first_contact_of_one_person_at_once_is_one_profile(database_urls, somewhere: WorkspaceId) -> None:  # type: ignore[no-untyped-def]
    routers = [await Database.open(database_urls.worker, name=f"router-{n}") for n in range(2)]
    try:
        shapes = [(seen(mail()),), (seen(phone()),), (seen(mail()), seen(phone()))]
        messages = [sighting(somewhere, *shapes[n % 3], minute=random.Random(n).uniform(0, 1)) for n in range(20)]
        await asyncio.gather(*(resolve(routers[n % 2], [message]) for n, message in enumerate(messages)))
        found = await resolve(routers[0], messages)
        assert len({one.profile_id for one in found.values()}) == 1
        stored, pure = await stored_and_pure(routers[0], somewhere)
        assert stored == pure
        assert len(stored) == 2
    finally:
        for router in routers:
            await router.close()


def crowd(workspace: WorkspaceId, seed: int, *, people: int, messages: int) -> Iterable[list[Sighting]]:
    """Batches of messages whose handles overlap at random: some verified, some only claimed, some with a customer id."""
    chance = random.Random(seed)
    for _ in range(messages // 10):
        batch = []
        for _ in range(10):
            pool = [mail(f"m{chance.randrange(people)}@ornek.com"), phone(f"+9053212345{chance.randrange(people):02}")]
            pool.append(Handle(kind="external_id", value=f"c{chance.randrange(people)}"))
            pool.append(Handle(kind="visitor", scope="w", value=f"v{chance.randrange(people)}"))
            chosen = chance.sample(pool, chance.choice([1, 1, 2, 3]))
            assurances = ["channel_verified", "channel_verified", "authenticated", "asserted"]
            batch.append(
                sighting(workspace, *(seen(handle, chance.choice(assurances)) for handle in chosen), minute=chance.uniform(0, 600))
            )
        yield batch


async def test_many_at_once_end_where_the_pure_function_says(database_urls) -> None:  # type: ignore[no-untyped-def]
    workspaces = [WorkspaceId(new_id()) for _ in range(2)]
    routers = [await Database.open(database_urls.worker, name=f"router-{n}") for n in range(3)]

    async def run(router: int) -> None:
        for workspace in workspaces:
            for batch in crowd(workspace, seed=router, people=12, messages=80):
                await resolve(routers[router], batch)

    async def meddle() -> None:
        chance = random.Random(9)
        for _ in range(15):
            async with routers[0].batch() as connection:
                ids: list[HandleId] = [
                    row["id"]
                    for row in await connection.fetch("select id from santral.handle where workspace_id = $1", workspaces[0])
                ]
            one, other = chance.sample(ids, 2)
            async with routers[0].batch() as connection:
                link_id = await add_link(
                    connection, workspaces[0], one, other, kind="agent", assurance="channel_verified",
                    source=f"user:{uuid4()}", seen_at=START,
                )  # fmt: skip
            if chance.random() < 0.7:
                async with routers[0].batch() as connection:
                    await retract_link(connection, workspaces[0], link_id, actor="user:1")

    try:
        for workspace in workspaces:
            for batch in crowd(workspace, seed=99, people=12, messages=20):
                await resolve(routers[0], batch)
        await asyncio.gather(run(0), run(1), run(2), meddle())
        for workspace in workspaces:
            # Where the other one decided for long, people are decided later: here.
            async with routers[0].batch() as connection:
                while await decide_page(connection, workspace):
                    pass
            stored, pure = await stored_and_pure(routers[0], workspace)
            assert stored == pure
            assert 1 < len(set(stored.values())) < len(stored)
            async with routers[0].batch() as connection:
                wrong = await connection.fetch(
                    "select p.id from santral.profile p join santral.handle h on h.workspace_id = p.workspace_id and h.id = p.id"
                    " where p.workspace_id = $1 and (p.merged_into = '00000000-0000-0000-0000-000000000000') <> (h.profile_id = h.id)",
                    workspace,
                )
            assert wrong == []
    finally:
        for router in routers:
            await router.close()


async def test_the_same_handle_in_two_workspaces_is_two_people(worker_db: Database, api_db: Database) -> None:
    here, there = WorkspaceId(new_id()), WorkspaceId(new_id())
    batch = [sighting(here, seen(mail()), seen(phone())), sighting(there, seen(mail())), sighting(there, seen(phone()))]
    one, other, third = await resolved(worker_db, *batch)
    assert len({one.profile_id, other.profile_id, third.profile_id}) == 3
    async with worker_db.batch() as connection:
        with pytest.raises(NotFound):
            await profile_view(connection, there, one.profile_id)
        assert await snapshots(connection, [(there, one.handle_id)]) == {}
        with pytest.raises(InputRejected):
            await timeline(connection, there, other.profile_id, "not a cursor")
    async with api_db.batch(here) as connection:
        assert (await profile_view(connection, here, one.profile_id)).id == one.profile_id
        assert await lookup(connection, there, [mail()]) == {}
        with pytest.raises(NotFound):
            await profile_view(connection, there, other.profile_id)
    # Commands run on the API's role too, inside its workspace.
    async with api_db.batch(there) as connection:
        await add_link(
            connection, there, other.handle_id, third.handle_id, kind="agent", assurance="channel_verified",
            source="user:1", seen_at=START,
        )  # fmt: skip
        assert (await profile_view(connection, there, third.profile_id)).id == other.profile_id
