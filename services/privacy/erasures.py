"""Erasing a person: a job of many small transactions that the courier works, each safe to run again after a crash.

    quarantine     entries that hold the person's words, read page by page while their addresses are still known
    person         who they are: values go, tombstones stay; from here on nothing observed before comes in
    conversations  fifty at a time: words, references, decisions' facts, deliveries; open work ends as erased
    mentions       one walk over all messages: the person in others' lists of participants, their words in others' conversations
    answers        one walk over what was sent to others with the person among its addresses
    files          blobs of all these, folder by folder
    settle         after the longest transaction that may have begun before: what a writer still brought in goes too, page by page

Before each step it is asked whether a legal hold stands against it; while one does, the erasure waits in state ``held``, looks again
every `HELD_LOOK_S` and when a hold is lifted, and goes on where it was.

The confirmation names when the messages topic has run out. **Identity**: the erasure's id. **Units**: seconds, times aware UTC.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from profiles.erasure_tombstones import is_one_of, tombstone_hash
from profiles.forgetting import OwnHandle, come_again, forget, person_handles
from profiles.handles import as_named
from router.erasure.conversations import erase_conversations, next_conversations, notes_elsewhere, walk_mentions
from router.erasure.covers import ABOUT
from router.erasure.words import empty_words, page_of_words
from services.frame.rounds import each_alone, go_round
from services.privacy.blob_removals import remove_blobs
from services.privacy.held import lock_holds, require_entries_free, require_erasable, require_free
from services.privacy.quarantine import entries_come_again, entries_of, sought, words_of
from services.privacy.registry import OWN
from services.privacy.turns import drawn_workspace
from services.privacy.visitors import visitors_who_are
from shared.blobs import Blobs
from shared.database import Connection, Database, retried
from shared.errors import Held
from shared.hints import Hints, Waiter
from shared.ids import WorkspaceId
from shared.logs import get_log
from shared.metrics import ERASURES
from shared.personal import Person, erase_rows
from shared.text import fold_turkish
from shared.topics import RETENTION_S

log = get_log(__name__)
LEASE_S: Final = 60
SETTLE_S: Final = 45.0
LOOK_S: Final = 1.0
TURN_S: Final = 5.0
TRIES: Final = 3
HELD_LOOK_S: Final = 60.0
LOG_MARGIN_S: Final = 2 * 3600
CONVERSATIONS: Final = 50
ANSWERS: Final = 200
_NIL: Final = UUID(int=0)

_DUE: Final = "state <> 'done' and due_at <= clock_timestamp()"
_TAKE: Final = f"""
update santral.erasure e set due_at = clock_timestamp() + $1 * interval '1 s',
    state = case when e.state = 'held' then 'held' else 'running' end
from (
    select workspace_id, id from santral.erasure where workspace_id = {drawn_workspace("erasure", _DUE)} and {_DUE}
    order by due_at limit 1 for no key update skip locked
) due
where e.workspace_id = due.workspace_id and e.id = due.id returning e.*
"""
_KEEP: Final = """
select *, clock_timestamp() as now from santral.erasure
where workspace_id = $1 and id = $2 and step = $3 and state in ('running', 'held') for no key update
"""
_WAIT: Final = """
update santral.erasure set state = 'held', due_at = clock_timestamp() + $3 * interval '1 s'
where workspace_id = $1 and id = $2 and state in ('running', 'held')
"""
_LET_OTHERS: Final = """
update santral.erasure set due_at = clock_timestamp() where workspace_id = $1 and id = $2 and state = 'running'
"""
_ADVANCE: Final = """
update santral.erasure set state = 'running', step = $3, place = $4, counts = $5, due_at = clock_timestamp() + $6 * interval '1 s'
where workspace_id = $1 and id = $2
"""
_BEGIN: Final = """
update santral.erasure set erased_at = coalesce(erased_at, $3), log_ends_at = coalesce(log_ends_at, $3 + $4 * interval '1 s')
where workspace_id = $1 and id = $2
"""
_END: Final = "update santral.erasure set state = 'done', done_at = clock_timestamp() where workspace_id = $1 and id = $2"
_EXPORTS: Final = """
with ended as (
    update santral.person_export set state = 'expired', blob = null
    where workspace_id = $1 and handles && $2::uuid[] and state in ('asked', 'running', 'done') returning workspace_id, id
)
insert into santral.blob_removal (workspace_id, key, cause)
select workspace_id, workspace_id || '/' || id || '/', $3 from ended on conflict do nothing
"""
# What an answer carries may be a megabyte; only its addresses leave the database.
_ADDRESSED: Final = """
select id, message_id, array_remove(array_append(array(
    select jsonb_array_elements_text(box) from unnest(array[request->'cc', request->'bcc']) as g(box) where jsonb_typeof(box) = 'array'
), request->>'to'), null) as boxes
from santral.delivery where workspace_id = $1 and id > $2 order by id limit $3
"""
_UNADDRESS: Final = """
update santral.delivery set request = '{}', reason = '', state = case when state = 'queued' then 'failed' else state end,
    closed_at = coalesce(closed_at, now()) where workspace_id = $1 and id = any($2::uuid[])
"""
# In this order, for of a number that they had more than once the last time counts.
_BURIED: Final = """
select handle_id, hash, erased_at from santral.tombstone where workspace_id = $1 and erasure_id = $2 order by erased_at
"""

Step = tuple[str, dict[str, Any], Counter[str]]


class Erasures:
    """The courier's loop over erasures. Any number of couriers share the table; a step holds its erasure's row."""

    def __init__(
        self,
        *,
        db: Database,
        blobs: Blobs,
        hints: Hints | None,
        secret: bytes,
        settle_s: float = SETTLE_S,
        retention_s: int = RETENTION_S,
        turn_s: float = TURN_S,
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._hints = hints
        self._secret = secret
        self._settle_s = settle_s
        self._retention_s = retention_s
        self._turn_s = turn_s

    async def run(self, waiter: Waiter) -> None:
        """Works for ever; while the database or the blob store is away it waits."""
        await go_round(self.round, waiter, look_s=LOOK_S, action="erasure_waits")

    async def round(self) -> bool:
        """Takes the erasure that is due and works it until it waits, is done or has had its turn. False when none is due."""
        async with self._db.batch() as connection:
            row = await connection.fetchrow(_TAKE, LEASE_S)
        if row is None:
            return False
        await each_alone([dict(row)], self._work, action="erasure_waits")
        self._wake(row["workspace_id"])
        return True

    async def _work(self, row: Mapping[str, Any]) -> None:
        """Step by step until it waits or is done, or others' turn has come. What stops it leaves it due again after its lease; it is
        never given up.
        """
        workspace_id, erasure_id, step = row["workspace_id"], row["id"], row["step"]
        began_s = time.monotonic()
        while step:
            if step == "files":
                await remove_blobs(self._db, self._blobs, workspace_id, erasure_id)
            before = step
            try:
                step = await retried(lambda now=before: self._advance(workspace_id, erasure_id, now), tries=TRIES)  # type: ignore[misc]
            except Held:
                await self._wait(workspace_id, erasure_id)
                return
            if step == "settle" != before:
                break
            if step and time.monotonic() - began_s > self._turn_s:
                await self._let_others(workspace_id, erasure_id)
                return
        if before == "settle" and not step:
            ERASURES.inc()
            log.info("a person was erased", action="profile_erased", workspace=str(workspace_id), erasure=str(erasure_id))

    async def _let_others(self, workspace_id: UUID, erasure_id: UUID) -> None:
        async with self._db.batch() as connection:
            await connection.execute(_LET_OTHERS, workspace_id, erasure_id)

    async def _wait(self, workspace_id: UUID, erasure_id: UUID) -> None:
        async with self._db.batch() as connection:
            await connection.execute(_WAIT, workspace_id, erasure_id, HELD_LOOK_S)
        log.info("an erasure waits for the end of a legal hold", action="erasure_waits", erasure=str(erasure_id), state="held")

    def _wake(self, workspace_id: UUID) -> None:
        if self._hints is not None:
            for topic in ("outbox", "dispatch"):
                self._hints.wake(topic)
            self._hints.wake("stream", str(workspace_id))

    async def _advance(self, workspace_id: UUID, erasure_id: UUID, step: str) -> str:
        """One transaction of a step; the step that comes next, empty when it is done or somebody else's. Raises `Held`."""
        async with self._db.batch() as connection:
            kept = await connection.fetchrow(_KEEP, workspace_id, erasure_id, step)
            if kept is None:
                return ""
            job = dict(kept)
            await lock_holds(connection, workspace_id)
            await self._require_free(connection, job)
            work = {
                "quarantine": self._quarantine, "person": self._person, "conversations": self._conversations,
                "mentions": self._mentions, "answers": self._answers, "files": self._files, "settle": self._settle,
            }[step]  # fmt: skip
            following, place, counts = await work(connection, job)
            total = Counter(job["counts"])
            total.update(counts)
            wait_s = self._settle_s if following == "settle" != step else LEASE_S
            await connection.execute(_ADVANCE, workspace_id, erasure_id, following or step, place, dict(total), wait_s)
            if following == "":
                await connection.execute(_END, workspace_id, erasure_id)
            return following

    async def _require_free(self, connection: Connection, job: Mapping[str, Any]) -> None:
        handles, hashes = await self._buried(connection, job)
        if not handles:
            await require_not_held(connection, job["workspace_id"], job["profile_id"], self._secret)
            return
        await require_erasable(connection, job["workspace_id"], handles, hashes, self._secret)

    async def _quarantine(self, connection: Connection, job: Mapping[str, Any]) -> Step:
        handles = await person_handles(connection, job["workspace_id"], job["profile_id"])
        if "words" not in job["place"]:
            return await self._entries(connection, job, handles)
        return await self._words(connection, job, handles)

    async def _entries(self, connection: Connection, job: Mapping[str, Any], handles: Sequence[OwnHandle]) -> Step:
        after = UUID(job["place"].get("after", str(_NIL)))
        whose = await asyncio.to_thread(sought, handles)
        found, end = await entries_of(connection, self._blobs, job["workspace_id"], whose, after=after)
        counts: Counter[str] = Counter()
        if found:
            await require_entries_free(connection, self._blobs, job["workspace_id"], found)
            person = Person(workspace_id=job["workspace_id"], messages=tuple(found))
            counts = await erase_conversations(connection, person, cause=job["id"], at=job["now"])
        return "quarantine", {"words": {}} if end is None else {"after": str(end)}, counts

    async def _words(self, connection: Connection, job: Mapping[str, Any], handles: Sequence[OwnHandle]) -> Step:
        """What people wrote beside work, a page at a time: somebody may have thousands of addresses, and agents thousands of reasons."""
        page = await page_of_words(connection, job["workspace_id"], job["place"]["words"])

        def named() -> list[UUID]:
            needles = words_of(handles)
            return [one for one, words in page.words.items() if needles.within(fold_turkish(words).encode())]

        found = await asyncio.to_thread(named) if page.words else []
        counts = Counter({page.table: await empty_words(connection, job["workspace_id"], page.table, found)})
        return ("person", {}, counts) if page.after is None else ("quarantine", {"words": page.after}, counts)

    async def _person(self, connection: Connection, job: Mapping[str, Any]) -> Step:
        workspace_id = WorkspaceId(job["workspace_id"])
        at = job["erased_at"] or job["now"]
        handles, counts = await forget(
            connection, workspace_id, job["profile_id"], erasure_id=job["id"], secret=self._secret, at=at
        )
        visitors = await visitors_who_are(connection, workspace_id, handles)
        person = Person(workspace_id=workspace_id, handles=tuple(one.id for one in handles), visitors=visitors)
        for cover in OWN:
            if cover.table in ("session", "visitor_join", "hold"):
                counts[cover.table] += await erase_rows(connection, cover, person)
        await connection.execute(_EXPORTS, workspace_id, [one.id for one in handles], job["id"])
        await connection.execute(_BEGIN, workspace_id, job["id"], at, self._retention_s + LOG_MARGIN_S)
        return "conversations", {}, counts

    async def _conversations(self, connection: Connection, job: Mapping[str, Any]) -> Step:
        handles, _ = await self._buried(connection, job)
        after = UUID(job["place"].get("after", str(_NIL)))
        page = await next_conversations(connection, job["workspace_id"], handles, after=after, limit=CONVERSATIONS)
        if not page:
            return "mentions", {}, Counter()
        notes = tuple(await notes_elsewhere(connection, job["workspace_id"], page))
        person = Person(workspace_id=job["workspace_id"], conversations=tuple(page), messages=notes)
        counts = await self._emptied(connection, job, person)
        return "conversations", {"after": str(page[-1])}, counts

    async def _emptied(self, connection: Connection, job: Mapping[str, Any], person: Person) -> Counter[str]:
        await require_free(connection, job["workspace_id"], conversations=person.conversations, messages=person.messages)
        own, counts = {cover.table: cover for cover in OWN}, Counter[str]()
        counts["idempotency"] += await erase_rows(connection, own["idempotency"], person)
        counts.update(await erase_conversations(connection, person, cause=job["id"], at=job["now"]))
        for table in ("delivery", "hold"):
            counts[table] += await erase_rows(connection, own[table], person)
        return counts

    async def _mentions(self, connection: Connection, job: Mapping[str, Any]) -> Step:
        handles, hashes = await self._buried(connection, job)
        after = (UUID(job["place"].get("after", str(_NIL))), int(job["place"].get("seq", 0)))
        own, end = await walk_mentions(connection, job["workspace_id"], handles, hashes, self._secret, after=after, cause=job["id"])
        counts: Counter[str] = Counter()
        if own:
            counts = await self._emptied(connection, job, Person(workspace_id=job["workspace_id"], messages=tuple(own)))
        if end is None:
            return "answers", {}, counts
        return "mentions", {"after": str(end[0]), "seq": end[1]}, counts

    async def _answers(self, connection: Connection, job: Mapping[str, Any]) -> Step:
        """What went to others with the person among its addresses forgets what it carried."""
        workspace_id, after = job["workspace_id"], UUID(job["place"].get("after", str(_NIL)))
        _, hashes = await self._buried(connection, job)
        page = [dict(row) for row in await connection.fetch(_ADDRESSED, workspace_id, after, ANSWERS)]

        def named() -> list[dict[str, Any]]:
            return [row for row in page if any(is_one_of(box, hashes, self._secret, workspace_id) for box in row["boxes"])]

        found = await asyncio.to_thread(named)
        await require_free(connection, workspace_id, messages=[row["message_id"] for row in found])
        await connection.execute(_UNADDRESS, workspace_id, [row["id"] for row in found])
        # What a provider said of them names whom it did not reach.
        for cover in ABOUT:
            await erase_rows(
                connection, cover, Person(workspace_id=workspace_id, messages=tuple(row["message_id"] for row in found))
            )
        counts = Counter(delivery=len(found))
        return ("answers", {"after": str(page[-1]["id"])}, counts) if len(page) == ANSWERS else ("files", {}, counts)

    async def _files(self, connection: Connection, job: Mapping[str, Any]) -> Step:
        return "settle", {}, Counter()

    async def _settle(self, connection: Connection, job: Mapping[str, Any]) -> Step:
        """Quarantined entries and handles that came again go too; then the handles' conversations are looked at once more."""
        _, hashes = await self._buried(connection, job)
        after = UUID(job["place"].get("after", str(job["id"])))
        rows = await connection.fetch(_BURIED, job["workspace_id"], job["id"])
        until = {row["hash"]: row["erased_at"] for row in rows}
        late, end = await entries_come_again(connection, self._secret, job["workspace_id"], until, after=after)
        counts: Counter[str] = Counter()
        if late:
            await require_entries_free(connection, self._blobs, job["workspace_id"], late)
            person = Person(workspace_id=job["workspace_id"], messages=tuple(late))
            counts = await erase_conversations(connection, person, cause=job["id"], at=job["now"])
        if end is not None:
            return "settle", {"after": str(end)}, counts
        again = await come_again(
            connection, WorkspaceId(job["workspace_id"]), secret=self._secret, hashes=hashes, at=job["erased_at"], since=job["id"]
        )
        if not again:
            return "", {}, counts
        for handle_id in again:
            _, more = await forget(
                connection,
                WorkspaceId(job["workspace_id"]),
                handle_id,
                erasure_id=job["id"],
                secret=self._secret,
                at=job["erased_at"],
            )
            counts.update(more)
        return "conversations", {}, counts

    async def _buried(self, connection: Connection, job: Mapping[str, Any]) -> tuple[set[UUID], set[bytes]]:
        """The person's handles and their tombstones; not those of numbers that others have had since."""
        rows = await connection.fetch(_BURIED, job["workspace_id"], job["id"])
        return {row["handle_id"] for row in rows}, {row["hash"] for row in rows if row["erased_at"] == job["erased_at"]}


async def require_not_held(connection: Connection, workspace_id: UUID, profile_id: UUID, secret: bytes) -> None:
    """Raises `Held` when a legal hold stands against erasing this person as they are known now."""
    handles = await person_handles(connection, WorkspaceId(workspace_id), profile_id)
    hashes = await asyncio.to_thread(lambda: {tombstone_hash(secret, workspace_id, as_named(one.handle)) for one in handles})
    await require_erasable(connection, workspace_id, [one.id for one in handles], hashes, secret)
