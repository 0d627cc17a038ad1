"""A shift at one workspace's desk for tests: real intake, real dispatch, agents' commands, and time that can be moved on.

Time is moved by moving rows' times into the past; the database's clock stays what it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID, uuid4

from router.commands import offer as offers
from router.commands import work
from router.commands.presence import set_presence
from router.commands.reply import write_reply
from router.commands.transfer import transfer
from router.matcher.matcher import Matcher
from shared.database import Database
from shared.embedded.postgres import PostgresUrls
from shared.hints import Hints
from shared.ids import new_id
from shared.leases import Leases
from tests.support.intake_line import Line, Member, assert_contiguous, member_of, message_to, rows
from tests.support.workspaces import Workspace, add_agent

FEED: Final = "insert into santral.dispatch_change (workspace_id, slot, kind, id) values ($1, $2, $3, $4)"


@dataclass(slots=True, kw_only=True)
class Shift:
    """Everything of one workspace. Items and agents are named by id."""

    db: Database
    workspace: Workspace
    matcher: Matcher
    member: Member
    line: Line = field(default_factory=Line)
    said: int = 0

    @property
    def deniz(self) -> UUID:
        """The agent every workspace has."""
        return self.workspace.agent_id

    async def settle(self) -> None:
        """Lets dispatch work until it has nothing to do."""
        while await self.matcher.round() or await self.matcher.made_ready():
            pass

    # --- customers

    async def writes(
        self, text: str = "Merhaba, siparişim nerede?", *, provider: str = "webchat", who: str = "v1", **more: Any
    ) -> None:
        """A customer's message goes through intake."""
        self.said += 1
        self.line.add(message_to(self.workspace, provider, f"m{self.said}", who=who, text=text, **more))
        await self.member.take(self.line)

    async def waiting(self, **more: Any) -> UUID:
        """A customer writes; returns the item that was opened for it."""
        await self.writes(**more)
        return await self.newest()

    async def mine(self, **more: Any) -> UUID:
        """A customer writes and the agent who is asked takes it."""
        item = await self.waiting(**more)
        await self.settle()
        if (await self.item(item))["state"] == "offered":
            await self.accept(item)
        return item

    # --- agents

    async def colleague(self, name: str = "Ece", **columns: Any) -> UUID:
        """Another member of the queue, online."""
        return await add_agent(self.db, self.workspace, new_id(), name, **columns)

    async def absent_colleague(self, **columns: Any) -> UUID:
        """Another member of the queue, who is not there."""
        agent = await self.colleague(**columns)
        async with self.db.batch() as connection:
            await set_presence(connection, workspace_id=self.workspace.id, agent_id=agent, presence="offline")
        await self.tell("agent", agent)
        return agent

    async def accept(self, item: UUID) -> None:
        """Whoever is asked takes it."""
        offer = await self.offer(item)
        async with self.db.batch(self.workspace.id) as connection:
            await offers.accept(connection, workspace_id=self.workspace.id, offer_id=offer["id"], agent_id=offer["agent_id"])

    async def decline(self, item: UUID, reason: str = "busy") -> None:
        """Whoever is asked declines, and dispatch goes on."""
        offer = await self.offer(item)
        async with self.db.batch(self.workspace.id) as connection:
            await offers.decline(
                connection, workspace_id=self.workspace.id, offer_id=offer["id"], agent_id=offer["agent_id"], reason=reason
            )
        await self.settle()

    async def done(self, item: UUID) -> work.ItemView:
        """Whoever has it is finished."""
        agent = (await self.item(item))["agent_id"]
        async with self.db.batch(self.workspace.id) as connection:
            return await work.done(connection, workspace_id=self.workspace.id, item_id=item, agent_id=agent)

    async def hand_over(self, item: UUID, **target: Any) -> None:
        """Whoever has it gives it away, and dispatch goes on."""
        agent = (await self.item(item))["agent_id"]
        async with self.db.batch(self.workspace.id) as connection:
            await transfer(connection, workspace_id=self.workspace.id, item_id=item, agent_id=agent, **target)
        await self.settle()

    async def reply(self, item: UUID, text: str = "Bakıyorum.") -> UUID:
        """Whoever has it answers; returns the reply's id."""
        row, reply = await self.item(item), new_id()
        async with self.db.batch(self.workspace.id) as connection:
            await write_reply(
                connection, workspace_id=self.workspace.id, conversation_id=row["conversation_id"], reply_id=reply,
                agent_id=row["agent_id"], actor=f"agent:{row['agent_id']}", content={"kind": "text", "text": text},
            )  # fmt: skip
        return reply

    # --- time

    async def lease_ran_out(self, agent: UUID, ago_s: float = 0) -> None:
        """The agent's connection dropped so that the lease ended ``ago_s`` ago; dispatch goes on."""
        await self.execute(
            "update santral.agent set lease_until = clock_timestamp() - $2 * interval '1 s', version = version + 1 where id = $1",
            agent, ago_s,
        )  # fmt: skip
        await self.tell("agent", agent)

    async def passes(self, item: UUID, seconds: float = 1.0, *columns: str) -> None:
        """These times of an item (its timer, if none are named) passed ``seconds`` ago; dispatch goes on."""
        for column in columns or ("timer_at",):
            await self.execute(
                f"update santral.work_item set {column} = clock_timestamp() - $2 * interval '1 s', version = version + 1 where id = $1",
                item, seconds,
            )  # fmt: skip
        await self.tell("item", item)

    async def tell(self, kind: str, one: UUID) -> None:
        """Feeds a change to dispatch, which goes on."""
        await self.execute(FEED, self.workspace.id, self.workspace.id.int % 64, kind, one)
        await self.settle()

    async def configure(self, statement: str, *values: Any) -> None:
        """Changes configuration, which intake then knows."""
        await self.execute(statement, *values)
        for table in ("workspace", "queue"):
            await self.execute(f"update santral.{table} set version = version + 1")
        await self.member.configuration.refresh()

    # --- what is there

    async def execute(self, statement: str, *values: Any) -> None:
        async with self.db.batch() as connection:
            await connection.execute(statement, *values)

    async def row(self, table: str, one: UUID) -> dict[str, Any]:
        (found,) = await rows(self.db, f"select * from santral.{table} where id = $1", one)
        return found

    async def item(self, item: UUID) -> dict[str, Any]:
        return await self.row("work_item", item)

    async def newest(self) -> UUID:
        (found,) = await rows(self.db, "select id from santral.work_item order by id desc limit 1")
        one: UUID = found["id"]
        return one

    async def state(self, item: UUID) -> str:
        state: str = (await self.item(item))["state"]
        return state

    async def used(self, agent: UUID | None = None) -> int:
        used: int = (await self.row("agent", agent or self.deniz))["used"]
        return used

    async def offer(self, item: UUID) -> dict[str, Any]:
        """The open offer of an item."""
        (found,) = await rows(self.db, "select * from santral.offer where item_id = $1 and state = 'open'", item)
        return found

    async def offers(self, item: UUID) -> list[tuple[UUID, str]]:
        """(agent, state) of all offers of an item, in order."""
        found = await rows(self.db, "select agent_id, state from santral.offer where item_id = $1 order by id", item)
        return [(one["agent_id"], one["state"]) for one in found]

    async def events(self, item: UUID) -> list[tuple[str, UUID | None]]:
        """(type, agent) of an item's events, in the conversation's order."""
        found = await rows(
            self.db, "select type, agent_id from santral.event where data->>'item_id' = $1 and conversation_id is not null order by seq",
            str(item),
        )  # fmt: skip
        return [(one["type"], one["agent_id"]) for one in found]

    async def add_queue(self, name: str, *members: UUID, **columns: Any) -> UUID:
        """A queue with these members."""
        queue = new_id()
        await self.execute(
            "insert into santral.queue (workspace_id, id, name, mode) values ($1, $2, $3, 'push')", self.workspace.id, queue, name
        )
        for column, value in columns.items():
            await self.execute(f"update santral.queue set {column} = $2 where id = $1", queue, value)
        for agent in members:
            await self.execute(
                "insert into santral.queue_member (workspace_id, queue_id, agent_id) values ($1, $2, $3)",
                self.workspace.id,
                queue,
                agent,
            )
            await self.tell("agent", agent)
        await self.member.configuration.refresh()
        return queue

    async def terms(self, channel: str, **terms: Any) -> None:
        """Changes how the workspace handles a channel, before any work of the test."""
        await self.configure(
            "update santral.workspace set settings = jsonb_set(settings, '{terms}', coalesce(settings->'terms', '{}') || $2::jsonb)"
            " where id = $1",
            self.workspace.id, {channel: terms},
        )  # fmt: skip

    async def sound(self) -> None:
        """What must hold at the end of any story: numbers without gaps, capacity that adds up, one open item a conversation."""
        await assert_contiguous(self.db)
        gaps = await rows(
            self.db,
            "select agent_id from santral.event where agent_id is not null group by agent_id"
            " having count(*) <> max(agent_seq) or min(agent_seq) <> 1",
        )
        assert gaps == []
        wrong = await rows(
            self.db,
            "select a.name, a.used, held.used as held from santral.agent a left join lateral ("
            " select coalesce(sum((h.value->>'cost')::int), 0) as used from santral.work_item i, jsonb_each(i.held) h"
            " where h.key = a.id::text) held on true where a.used <> held.used",
        )
        assert wrong == []


async def shift_of(db: Database, urls: PostgresUrls, workspace: Workspace) -> Shift:
    """Intake and dispatch of their own on this database."""
    leases = Leases(db, kind="dispatch", slots=64, owner=uuid4())
    await leases.round()
    matcher = Matcher(db=db, leases=leases, hints=Hints(urls.worker, listening=False))
    return Shift(db=db, workspace=workspace, matcher=matcher, member=await member_of(db))
