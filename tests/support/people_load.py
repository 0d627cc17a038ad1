"""A workspace full of people, written by set: each with an address, a number and a customer id, held together by two links."""

from __future__ import annotations

from uuid import UUID

from shared.database import Connection, Database

STEP = 20_000
# Ids that tell their place, so that a bench can name anybody without looking them up.
_ID = "('019a0000-0000-7000-8' || lpad(to_hex({place}), 3, '0') || '-' || lpad(to_hex(n), 12, '0'))::uuid"
_HANDLES = f"""
insert into santral.handle (workspace_id, id, kind, value, raw, name, profile_id, assurance)
select $1, {_ID.format(place="k.place")}, k.kind, replace(k.form, '#', n::text), '', case when k.place = 0 then 'Kişi ' || n else '' end,
       {_ID.format(place="0")}, 'channel_verified'
from generate_series($2::bigint, $3::bigint) n
cross join (values (0, 'external_id', 'C-#'), (1, 'email', 'kisi#@ornek.com'), (2, 'phone', '+9053#')) as k(place, kind, form)
"""
_PROFILES = f"""
insert into santral.profile (workspace_id, id, search)
select $1, {_ID.format(place="0")}, 'c-' || n || ' kisi kisi' || n || ' kisi' || n || '@ornek.com ' || n
from generate_series($2::bigint, $3::bigint) n
"""
_LINKS = f"""
insert into santral.link (workspace_id, id, a, b, kind, assurance, source, first_seen_at, last_seen_at, verified_at)
select $1, {_ID.format(place="10 + k")}, {_ID.format(place="0")}, {_ID.format(place="k")}, 'identify', 'authenticated', 'identify:crm',
       now(), now(), now()
from generate_series($2::bigint, $3::bigint) n cross join generate_series(1, 2) k
"""


async def load_people(db: Database, workspace_id: UUID, count: int) -> None:
    """Writes people 1 to ``count``, three handles and two links each."""
    for start in range(1, count + 1, STEP):
        async with db.batch() as connection:
            await _step(connection, workspace_id, start, min(count, start + STEP - 1))


async def _step(connection: Connection, workspace_id: UUID, first: int, last: int) -> None:
    for statement in (_HANDLES, _PROFILES, _LINKS):
        await connection.execute(statement, workspace_id, first, last)
