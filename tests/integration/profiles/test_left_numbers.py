"""Numbers leave their people in the order of the rows' ids, as everything else locks them, however the messages came."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

from profiles.resolve import resolve
from profiles.sighting import Sighting
from shared.database import Database
from shared.handle import Handle
from shared.ids import WorkspaceId, new_id
from tests.support.people import resolved, seen, sighting
from tests.support.waiting import eventually

_NUMBERS = "select id from santral.handle where workspace_id = $1 and kind = 'wa_id' and scope = '' order by id"
_FREE = "select id from santral.handle where id = $1 for update skip locked"
_WAITING = """
select true from pg_locks l join pg_stat_activity a on a.pid = l.pid where not l.granted and a.query like '%santral.handle%'
"""


async def test_numbers_are_taken_in_the_order_of_their_ids(worker_db: Database) -> None:
    somewhere = WorkspaceId(new_id())

    def writes(number: int, user: str, minute: int = 0) -> Sighting:
        one = seen(Handle(kind="bsuid", value=user)), seen(Handle(kind="wa_id", value=f"90532100000{number}"))
        return sighting(somewhere, *one, minute=minute)

    for number in range(4):
        await resolved(worker_db, writes(number, f"TR.{number}"))
    async with worker_db.session() as connection:
        first, *others = [row["id"] for row in await connection.fetch(_NUMBERS, somewhere)]
    batch = [writes(number, f"TR.9{number}", minute=1) for number in (3, 1, 2, 0)]
    async with worker_db.batch() as connection:
        await connection.fetchval(_FREE, first)
        taking = asyncio.create_task(resolve(worker_db, batch))
        async with worker_db.session() as looking:
            await eventually(lambda: looking.fetchval(_WAITING), 10, "who takes the numbers waits for the first of them")
            free: list[UUID | None] = [await looking.fetchval(_FREE, one) for one in others]
    assert free == others, "who waits for a row holds none that comes after it"
    await taking
    async with worker_db.session() as connection:
        assert not set(await connection.fetch(_NUMBERS, somewhere)) & {first, *others}


async def test_a_number_leaves_by_a_channels_word_alone_and_never_ahead(worker_db: Database) -> None:
    """What a caller of an earlier release could say of a number takes nothing from whoever writes from it."""
    somewhere, number = WorkspaceId(new_id()), Handle(kind="wa_id", value="905321000001")
    (owner,) = await resolved(worker_db, sighting(somewhere, seen(number)))
    ahead = int((datetime.now(UTC) + timedelta(days=400)).timestamp() * 1000)
    for scope in ("left:1764547200000:z", f"left:{ahead}:z", "left:999999999999999:z"):
        forged = Handle(kind="wa_id", scope=scope, value=number.value)
        await resolved(worker_db, sighting(somewhere, seen(forged, "asserted"), minute=1))
        (again,) = await resolved(worker_db, sighting(somewhere, seen(number), minute=2))
        assert (again.handle_id, again.profile_id) == (owner.handle_id, owner.profile_id), scope
