"""Replies on their way: each is tried until the provider took it, said no for good, or the tries are used up.

One reply of a conversation at a time, oldest first, so the customer reads them in order. A courier takes a delivery by pushing its
due time ahead (a lease on the database's clock); one that dies gives it back by that time passing. A reply may therefore be sent
twice after a crash, always under the same id (Message-ID, our own id at the provider).
What many workspaces have due is taken turn by turn, of `DRAWN` of them by lot, and each has its share of the places (`places.py`): one that
writes in masses, or whose provider is slow, waits behind itself. What became of a try is written without waiting long for a lock: who waits
for somebody else's stands beside the connection meanwhile, not in it.
Schedule: 0, 5 s, 30 s, 2 min, 10 min, 1 h, 3 h, 6 h, with full jitter; the provider's own Retry-After is honoured.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import structlog

from ingest.adapter import Outcome, Part, Reply
from ingest.directory import Directory
from ingest.registry import adapter_for
from router.commands.reply import reply_state
from router.views.answered import NUMBER, address_of, reply_to_of
from router.views.answers import UNDER, answers_of
from services.courier.outgoing import Outgoing
from services.courier.places import HEAVY, Places, places_of
from services.frame.rounds import go_round
from shared.blobs import Blobs
from shared.database import Connection, Contended, Database, retried
from shared.errors import InputRejected, SantralError, Unavailable
from shared.handle import Handle, is_left
from shared.hints import Hints, Waiter
from shared.metrics import DELIVERIES
from shared.text import key_text

log = structlog.get_logger(__name__)
SCHEDULE_S: Final = (5.0, 30.0, 120.0, 600.0, 3600.0, 3 * 3600.0, 6 * 3600.0)
LEASE_S: Final = 60
TRY_S: Final = 45
"""Of one try, whatever it does: while its lease lasts nobody begins another."""
DRAWN: Final = 10
LOCK_MS: Final = 20
CLOSING_TRIES: Final = 80
"""Ten seconds or so, as long as a lease outlasts a try: who is sent and not told of it is sent again."""
LOOK_S: Final = 1.0

_DUE: Final = "q.state = 'queued' and q.due_at <= clock_timestamp()"
# The first of each conversation by one sort of all that is queued: whoever looks for an earlier one of each by itself needs minutes where
# one workspace has fifty thousand.
_TAKE: Final = f"""
with first as materialized (
    select distinct on (q.workspace_id, q.conversation_id) q.workspace_id, q.id, q.due_at from santral.delivery q
    where q.state = 'queued' order by q.workspace_id, q.conversation_id, q.id
), ready as materialized (
    select first.*, row_number() over (partition by workspace_id order by due_at, id) as place from first where due_at <= clock_timestamp()
), drawn as materialized (
    select waiting.workspace_id, $5::int - coalesce(busy.held, 0) as room
    from (select workspace_id from ready where place = 1) waiting
    left join unnest($6::uuid[], $7::int[]) as busy(workspace_id, held) on busy.workspace_id = waiting.workspace_id
    where coalesce(busy.held, 0) < $5::int order by random() limit {DRAWN}
), due as materialized (
    select q.workspace_id, q.id, q.due_at, drawn.room, case when q.request ? 'files' then {HEAVY} else 1 end as places
    from drawn join ready on ready.workspace_id = drawn.workspace_id and ready.place <= drawn.room
    join santral.delivery q on q.workspace_id = ready.workspace_id and q.id = ready.id
    where {_DUE} for no key update of q skip locked
), turns as (
    select *, row_number() over theirs as turn, sum(places) over theirs as so_far from due
    window theirs as (partition by workspace_id order by due_at, id)
), fitting as (
    -- Of what fits into nobody's share, the first goes all the same.
    select *, sum(places) over (order by turn, due_at, id) - places as before from turns where turn = 1 or so_far <= room
), taken as (
    select workspace_id, id from fitting where before < $4
)
update santral.delivery d set due_at = clock_timestamp() + $1 * interval '1 s', owner = $2, attempts = d.attempts + 1
from taken where d.workspace_id = taken.workspace_id and d.id = taken.id
returning d.*, (select count(*) from drawn) >= $3 as left_out
"""
_PERSON: Final = f"""
select h.kind, h.scope, h.value, h.raw, h.name, c.visibility, greatest(c.window_expires_at, home.window_expires_at) as window_expires_at,
       clock_timestamp() as now, answered.external_id, answered.body, answered.handle_id = h.id as own,
       coalesce(nullif(answered.subject, ''), case when ($5::jsonb->>'called')::boolean then home.subject end, '') as subject,
       case when home.merged_into = c.id then home.id else c.id end as conversation_id, number.value as number, thread.mids, thread.mid
from santral.conversation c
join santral.handle h on h.workspace_id = c.workspace_id and h.id = $3
{UNDER}
{NUMBER}
where c.workspace_id = $1 and c.id = coalesce(
    (select d.conversation_id from santral.delivery d where d.workspace_id = $1 and d.message_id = $4), $2)
"""
_WHERE: Final = "select conversation_id from santral.delivery where workspace_id = $1 and id = $2"
_CLOSE: Final = """
update santral.delivery set state = $3, reason = $4, provider_id = coalesce($5, provider_id),
    sent_at = case when $3 = 'sent' then clock_timestamp() else sent_at end,
    closed_at = case when $3 = 'failed' then clock_timestamp() end
where workspace_id = $1 and id = $2 and state = 'queued' and owner = $6 returning 1
"""
_WAIT_LITTLE: Final = f"set local lock_timeout = {LOCK_MS}"
_AGAIN: Final = """
update santral.delivery set due_at = clock_timestamp() + $3 * interval '1 s', reason = $4
where workspace_id = $1 and id = $2 and state = 'queued' and owner = $5
"""


class Deliveries:
    """The loop that sends. Any number of couriers share the table."""

    def __init__(
        self, *, db: Database, directory: Directory, outgoing: Outgoing, blobs: Blobs, hints: Hints, owner: UUID, secret: bytes
    ) -> None:
        self._db = db
        self._directory = directory
        self._outgoing = outgoing
        self._blobs = blobs
        self._hints = hints
        self._owner = owner
        self._secret = secret
        self._places = Places()

    async def run(self, waiter: Waiter) -> None:
        """Sends for ever; while the database is away it waits. Whoever is slow holds up what comes after it by nobody else."""
        async with asyncio.TaskGroup() as group:

            async def begin() -> bool:
                rows = await self._taken()
                for row in rows:
                    group.create_task(self._deliver(row))
                # Whom the lot left out is drawn at once, not at the next look.
                return any(row["left_out"] for row in rows)

            await go_round(begin, waiter, look_s=LOOK_S, action="deliveries_wait")

    async def round(self) -> int:
        """Takes what is due and tries each once; returns how many, when all are done."""
        rows = await self._taken()
        await asyncio.gather(*(self._deliver(row) for row in rows))
        return len(rows)

    async def _taken(self) -> list[dict[str, Any]]:
        """What is due and has room, leased. Each row is given back by `_deliver`."""
        free, share, held = self._places.free, self._places.share, self._places.held
        if not share:
            return []
        async with self._db.batch() as connection:
            found = await connection.fetch(_TAKE, LEASE_S, self._owner, DRAWN, free, share, list(held), list(held.values()))
        rows = [dict(row) for row in found]
        for row in rows:
            self._places.take(row["workspace_id"], places_of(row["request"]))
        return rows

    async def _deliver(self, row: Mapping[str, Any]) -> None:
        workspace_id: UUID = row["workspace_id"]
        try:
            await self._told(row)
        except Unavailable as error:
            # Its lease brings it back.
            log.warning("a reply's state waits", action="deliveries_wait", delivery=str(row["id"]), error=type(error).__name__)
        finally:
            self._places.give_back(workspace_id, places_of(row["request"]))
            # The next reply of the conversation, or of the workspace, has its turn.
            for topic in ("delivery", "outbox", "dispatch"):
                self._hints.wake(topic)
            self._hints.wake("stream", str(workspace_id))

    async def _told(self, row: Mapping[str, Any]) -> None:
        """One delivery by itself: nothing it meets reaches the others. Raises `Unavailable` while the database is away."""
        outcome = await self._tried(row)
        try:
            await self._settle(row, outcome)
        except Unavailable:
            raise
        except Exception as error:
            await self._settle_untold(row, outcome, _unforeseen(row, error).reason)

    async def _tried(self, row: Mapping[str, Any]) -> Outcome:
        """What became of one try; of none where the tries were used up before anybody could say what became of them."""
        attempts, most = row["attempts"], len(SCHEDULE_S) + 1
        if attempts > most:
            return Outcome(state="failed", reason=f"given up after {most} tries")
        try:
            async with asyncio.timeout(TRY_S):
                outcome = await self._attempt(row)
        except TimeoutError:
            outcome = Outcome(state="retry", reason=f"took longer than {TRY_S} seconds")
        except InputRejected as error:
            return Outcome(state="failed", reason=str(error))
        except SantralError as error:
            outcome = Outcome(state="retry", reason=str(error))
        except Exception as error:
            outcome = _unforeseen(row, error)
        if outcome.state == "retry" and attempts == most:
            return Outcome(state="failed", reason=f"given up after {attempts} tries: {outcome.reason}")
        return outcome

    async def _settle_untold(self, row: Mapping[str, Any], outcome: Outcome, reason: str) -> None:
        """What could not be told in full: sent stays sent, so nobody reads it twice; the rest is told again on the schedule."""
        end = outcome.state == "sent" or row["attempts"] > len(SCHEDULE_S) + 1
        async with self._db.batch() as connection:
            if end:
                await connection.execute(_CLOSE, row["workspace_id"], row["id"], outcome.state, reason, None, self._owner)
            else:
                await connection.execute(_AGAIN, row["workspace_id"], row["id"], _wait_s(row["attempts"]), reason, self._owner)

    async def _settle(self, row: Mapping[str, Any], outcome: Outcome) -> None:
        attempts = row["attempts"]
        DELIVERIES.labels(state=outcome.state).inc()
        # Why is the provider's word, which names whom it could not reach; the reply's row keeps it.
        log.info(
            "a reply was tried", action="reply_tried", delivery=str(row["id"]), conversation=str(row["conversation_id"]),
            state=outcome.state, attempts=attempts,
        )  # fmt: skip
        if outcome.state == "retry":
            wait_s = outcome.retry_after_s or _wait_s(attempts)
            await retried(lambda: self._put_off(row, wait_s, outcome.reason), tries=CLOSING_TRIES)
            return
        await retried(lambda: self._close(row, outcome), tries=CLOSING_TRIES)

    async def _put_off(self, row: Mapping[str, Any], wait_s: float, reason: str) -> None:
        async with self._db.batch() as connection:
            await connection.execute(_WAIT_LITTLE)
            await connection.execute(_AGAIN, row["workspace_id"], row["id"], wait_s, reason, self._owner)

    async def _close(self, row: Mapping[str, Any], outcome: Outcome) -> None:
        async with self._db.batch() as connection:
            await connection.execute(_WAIT_LITTLE)
            row = {**row, "conversation_id": await _locked_conversation(connection, row)}
            closed = await connection.fetchval(
                _CLOSE, row["workspace_id"], row["id"], outcome.state, outcome.reason, outcome.provider_id, self._owner
            )
            if not closed:
                return
            if outcome.provider_id:
                # What the customer quotes, or the provider echoes, names our message by the provider's id.
                ref = key_text(f"ext:{row['inbox_id']}:{outcome.provider_id}")
                await connection.execute(
                    "insert into santral.thread_ref (workspace_id, ref, conversation_id, message_id) values ($1, $2, $3, $4)"
                    " on conflict do nothing",
                    row["workspace_id"], ref, row["conversation_id"], row["message_id"],
                )  # fmt: skip
            await _tell(connection, row, outcome)

    async def _attempt(self, row: Mapping[str, Any]) -> Outcome:
        inbox = self._directory.inbox(row["inbox_id"])
        if inbox is None:
            return Outcome(state="failed", reason="the inbox is gone or disabled")
        async with self._db.session() as connection:
            # Replies that were written before releases kept what they answer are looked up now.
            answers = row["request"].get("answers") or await answers_of(
                connection, workspace_id=row["workspace_id"], conversation_id=row["conversation_id"], handle_id=row["handle_id"],
                reply_id=row["message_id"],
            )  # fmt: skip
            person = await connection.fetchrow(
                _PERSON, row["workspace_id"], row["conversation_id"], row["handle_id"], row["message_id"], answers
            )
        if person is None:
            return Outcome(state="failed", reason="the conversation is gone")
        if is_left(Handle(kind=person["kind"], scope=person["scope"], value=person["value"])):
            return Outcome(state="failed", reason="the customer has this number no more")
        adapter = adapter_for(inbox.provider)
        # Its files become text there: seconds of work for a large mail.
        call = await asyncio.to_thread(adapter.reply, await self._reply(row, inbox, dict(person)))
        return await self._outgoing.execute(adapter, call)

    async def _reply(self, row: Mapping[str, Any], inbox: Any, person: Mapping[str, Any]) -> Reply:
        request = row["request"]
        thread = [ref.removeprefix("mid:") for ref in person["mids"] or ()]
        # The person's mail is answered, also by a second answer; one without Message-ID leaves the newest to answer.
        answered = person["mid"].removeprefix("mid:") if person["mid"] else next(iter(thread), None)
        now: datetime = person["now"]
        # Replies that were written before releases kept where they go (``to``, or ``at_handle``) are looked up now.
        to = request.get("to") or (None if request.get("at_handle") else reply_to_of(person["body"], own=bool(person["own"])))
        return Reply(
            id=row["message_id"],
            # A merge is followed where the customer's answer comes in, and its undo too.
            conversation_id=person["conversation_id"],
            at=now,
            inbox=inbox,
            to_kind="email" if to else "wa_id" if person["number"] else person["kind"],
            to_scope=person["scope"],
            to_value=to or person["number"] or address_of(person),
            to_name=person["name"],
            content=request["content"],
            subject=request.get("subject") or person["subject"],
            in_reply_to=answered,
            references=tuple(reversed(thread)),
            cc=tuple(request.get("cc", ())),
            bcc=tuple(request.get("bcc", ())),
            visibility=person["visibility"],
            last_in_external_id=person["external_id"],
            window_expires_at=person["window_expires_at"],
            files=tuple([await self._file(one) for one in request.get("files", ())]),
            token_secret=self._secret,
        )

    async def _file(self, one: Mapping[str, Any]) -> Part:
        return Part(content=await self._blobs.get(one["blob"]), name=one["name"], content_type=one["content_type"])


def _wait_s(attempts: int) -> float:
    return random.uniform(0.5, 1.0) * SCHEDULE_S[min(attempts, len(SCHEDULE_S)) - 1]  # noqa: S311  jitter


def _unforeseen(row: Mapping[str, Any], error: Exception) -> Outcome:
    """A retry that says which kind of error it was: an exception's words and locals may be the customer's."""
    kind = type(error).__name__
    log.error("a reply met something unforeseen", action="reply_tried", delivery=str(row["id"]), error=kind)
    return Outcome(state="retry", reason=f"unforeseen: {kind}")


async def _locked_conversation(connection: Connection, row: Mapping[str, Any]) -> UUID:
    """The conversation in which the reply is now, locked. Raises `Contended` when it is put elsewhere meanwhile.

    Conversations come before deliveries in the order of locks, as where a provider's receipt is applied.
    """
    before = await connection.fetchval(_WHERE, row["workspace_id"], row["id"])
    await connection.execute(
        "select 1 from santral.conversation where workspace_id = $1 and id = $2 for no key update", row["workspace_id"], before
    )
    if await connection.fetchval(_WHERE, row["workspace_id"], row["id"]) != before:
        raise Contended("the reply went to another conversation meanwhile", retry_after_s=1)
    found: UUID = before or row["conversation_id"]
    return found


async def _tell(connection: Connection, row: Mapping[str, Any], outcome: Outcome) -> None:
    await reply_state(
        connection, workspace_id=row["workspace_id"], conversation_id=row["conversation_id"], message_id=row["message_id"],
        state=outcome.state, reason=outcome.reason if outcome.state == "failed" else "", permanent=outcome.state == "failed",
    )  # fmt: skip
