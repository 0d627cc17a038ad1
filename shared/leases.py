"""Leases on numbered slots: who does something alone, fenced by an epoch. Table ``lease``, the database's clock.

A lease lasts 3 s and is renewed each second. Slots are shared evenly between those who ask: each owner keeps a row under the kind
``<kind> asks`` too, so that whoever holds more than its share sees a newcomer and gives slots back. Work done under a lease locks its row
first in its own transaction and checks owner and epoch there, so an owner that was stopped and comes back writes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from typing import Final, Protocol
from uuid import UUID

from shared.database import Connection, Contended, Database
from shared.errors import SantralError
from shared.logs import get_log
from shared.metrics import FENCED

log = get_log(__name__)
LEASE_S: Final = 3.0
RENEW_S: Final = 1.0
# Locked in slot order first, as work under these leases does: in the order of the heap the two would meet in a deadlock.
_RENEW: Final = """
with mine as (
    select slot from santral.lease
    where kind = $1 and owner = $2 and slot = any($3::int[]) and until > clock_timestamp()
    order by slot for no key update
)
update santral.lease l set until = clock_timestamp() + $4 * interval '1 s'
from mine where l.kind = $1 and l.slot = mine.slot
returning l.slot, l.epoch
"""
_ASK: Final = """
insert into santral.lease (kind, slot, owner, until) values ($1, $2, $3, clock_timestamp() + $4 * interval '1 s')
on conflict (kind, slot) do update set owner = excluded.owner, until = excluded.until
"""
_OTHERS: Final = "select count(*) from santral.lease where kind = $1 and owner <> $2 and until > clock_timestamp()"
_TIDY: Final = """
delete from santral.lease l using (
    select kind, slot from santral.lease where kind = $1 and until < clock_timestamp() - interval '1 minute' for update skip locked
) gone
where l.kind = gone.kind and l.slot = gone.slot
"""
_TAKE: Final = """
update santral.lease l set owner = $2, epoch = l.epoch + 1, until = clock_timestamp() + $4 * interval '1 s'
from (
    select kind, slot from santral.lease
    where kind = $1 and (until is null or until <= clock_timestamp())
    order by slot limit $3 for no key update skip locked
) free
where l.kind = free.kind and l.slot = free.slot
returning l.slot, l.epoch
"""
_CHECK: Final = """
select slot, epoch, owner from santral.lease where kind = $1 and slot = any($2::int[]) order by slot for no key update
"""


class SlotLeases(Protocol):
    """Which slots are ours: what work under a lease asks. `Leases` keeps them."""

    @property
    def held(self) -> Collection[int]: ...

    async def lock_and_check(self, connection: Connection, slots: Iterable[int]) -> set[int]: ...


class Leases:
    """The slots of one kind that this owner holds. `run` keeps them; work checks them."""

    def __init__(self, db: Database, *, kind: str, slots: int, owner: UUID) -> None:
        self._db = db
        self._kind = kind
        self._slots = slots
        self._owner = owner
        self._asks = (f"{kind} asks", int.from_bytes(owner.bytes[-4:]) >> 1)
        self._epochs: dict[int, int] = {}

    @property
    def held(self) -> Collection[int]:
        """The slots believed to be ours; work still checks."""
        return set(self._epochs)

    async def run(self) -> None:
        """Renews and takes for ever. While the database is away everything is forgotten after one failed renewal."""
        async with self._opened():
            while True:
                try:
                    await self.round()
                except Contended:
                    log.debug("leases are renewed a little later", action="lease_lost", kind=self._kind)
                except SantralError as error:
                    if self._epochs:
                        log.warning("leases are forgotten", action="lease_lost", kind=self._kind, error=str(error))
                    self._epochs = {}
                await asyncio.sleep(RENEW_S)

    async def round(self) -> None:
        """Renews what is held, takes what is free up to a fair share, gives back what is over it."""
        async with self._db.batch() as connection:
            await connection.execute(
                "insert into santral.lease (kind, slot) select $1, generate_series(0, $2 - 1) on conflict do nothing",
                self._kind, self._slots,
            )  # fmt: skip
            await connection.execute(_ASK, *self._asks, self._owner, LEASE_S)
            await connection.execute(_TIDY, self._asks[0])
            kept = await connection.fetch(_RENEW, self._kind, self._owner, list(self._epochs), LEASE_S)
            epochs = {row["slot"]: row["epoch"] for row in kept if self._epochs.get(row["slot"]) == row["epoch"]}
            others = await connection.fetchval(_OTHERS, self._asks[0], self._owner)
            share = -(-self._slots // (others + 1))
            if len(epochs) < share:
                taken = await connection.fetch(_TAKE, self._kind, self._owner, share - len(epochs), LEASE_S)
                epochs |= {row["slot"]: row["epoch"] for row in taken}
            over = sorted(epochs)[share:]
            if over:
                await connection.execute(
                    "update santral.lease set until = null where kind = $1 and owner = $2 and slot = any($3::int[])",
                    self._kind, self._owner, over,
                )  # fmt: skip
                for slot in over:
                    del epochs[slot]
        self._epochs = epochs

    async def lock_and_check(self, connection: Connection, slots: Iterable[int]) -> set[int]:
        """Locks the slots' rows in slot order and returns those that are still ours; the others are forgotten."""
        wanted = sorted(set(slots))
        rows = await connection.fetch(_CHECK, self._kind, wanted)
        ours = {row["slot"] for row in rows if row["owner"] == self._owner and row["epoch"] == self._epochs.get(row["slot"])}
        lost = set(wanted) - ours
        for slot in lost:
            if self._epochs.pop(slot, None) is not None:
                FENCED.labels(kind=self._kind).inc()
                log.warning("a lease moved on; what was held under it is dropped", action="fenced", kind=self._kind, slot=slot)
        return ours

    async def give_back(self) -> None:
        """Lets others take our slots at once; for a clean stop."""
        epochs, self._epochs = self._epochs, {}
        async with self._db.batch() as connection:
            await connection.execute("delete from santral.lease where kind = $1 and slot = $2", *self._asks)
            await connection.execute(
                "update santral.lease set until = null where kind = $1 and owner = $2 and slot = any($3::int[])",
                self._kind, self._owner, list(epochs),
            )  # fmt: skip

    def _opened(self) -> _GivingBack:
        return _GivingBack(self)


class _GivingBack:
    """Gives the leases back when `run` is cancelled."""

    def __init__(self, leases: Leases) -> None:
        self._leases = leases

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, *_: object) -> None:
        try:
            await asyncio.wait_for(self._leases.give_back(), 2)
        except (SantralError, TimeoutError) as error:
            log.info("leases run out by themselves", action="lease_lost", error=str(error))
