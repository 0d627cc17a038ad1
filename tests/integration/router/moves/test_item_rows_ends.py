"""Rows of the work item's table in which work pauses, comes back or ends, on real PostgreSQL.

| row | test |
|---|---|
| assigned, waiting for the customer longer than p | test_assigned_silence_after_an_answer_parks |
| parked, customer writes | test_parked_customer_writes_is_queued_for_its_owner |
| parked, put off until a time | test_parked_until_a_time_wakes_for_its_owner |
| assigned, agent's public reply: mail at once | test_assigned_public_reply_to_mail_parks_at_once |
| assigned, agent's public reply: chat after a silence | test_assigned_silence_after_an_answer_parks |
| open, permanent delivery failure | test_open_delivery_failure_is_queued_for_the_writer |
| completed, permanent delivery failure | test_completed_delivery_failure_opens_a_new_item_for_the_writer |
| assigned, agent done | test_assigned_done_wraps_and_then_completes |
| wrapping, timer or done | test_assigned_done_wraps_and_then_completes, test_wrapping_done_completes |
| wrapping, customer writes | test_wrapping_customer_writes_is_the_same_agents |
| wrapping, customer writes, agent gone | test_wrapping_customer_writes_with_the_agent_gone_is_queued |
| wrapping, customer only thanks | test_wrapping_customer_only_thanks_stays |
| parked, agent done, or silence longer than c | test_parked_done_completes, test_parked_silence_completes |
| parked, customer only thanks | test_parked_customer_only_thanks_stays |
| completed, customer only thanks | test_completed_customer_only_thanks_opens_nothing |
| completed, customer writes within the reopen window | test_completed_customer_writes_within_the_window_opens_a_new_item |
| completed, last agent away | test_completed_customer_writes_and_the_last_agent_is_away |
| final, nothing is reachable | test_final_states_allow_nothing |

Canceling and assigning from every open state are in ``tests/integration/services/api/test_work.py``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from router.commands import work
from router.commands.reply import reply_state
from router.views.desk import read_item
from shared.database import Connection
from shared.errors import Conflict, Unprocessable
from tests.support.intake_line import rows
from tests.support.shift import Shift

MAIL = {"provider": "smtp", "who": "ayse@ornek.com"}


async def park(shift: Shift, item: UUID, wake_at: datetime | None = None) -> None:
    async with shift.db.batch(shift.workspace.id) as connection:
        await work.park(connection, workspace_id=shift.workspace.id, item_id=item, agent_id=shift.deniz, wake_at=wake_at)


async def failed(shift: Shift, item: UUID, reply: UUID) -> None:
    """The provider says that a reply will never arrive."""
    row = await shift.item(item)
    async with shift.db.batch(shift.workspace.id) as connection:
        await reply_state(
            connection, workspace_id=shift.workspace.id, conversation_id=row["conversation_id"], message_id=reply, state="failed",
            reason="550 no such user", permanent=True,
        )  # fmt: skip
    await shift.tell("item", item)


async def seen(shift: Shift, item: UUID) -> dict[str, Any]:
    """The item as its agent sees it."""
    async with shift.db.batch(shift.workspace.id) as connection:
        return await read_item(connection, shift.workspace.id, item)


async def test_assigned_silence_after_an_answer_parks(shift: Shift) -> None:
    item = await shift.mine()
    await shift.reply(item)
    row = await shift.item(item)
    assert (row["state"], await shift.used()) == ("assigned", 33)
    assert row["timer_at"] > datetime.now(UTC) + timedelta(seconds=170)
    await shift.passes(item)
    row = await shift.item(item)
    assert (row["state"], row["agent_id"], await shift.used()) == ("parked", shift.deniz, 0)
    assert (await shift.events(item))[-1] == ("item.parked", shift.deniz)
    await shift.sound()


async def test_assigned_public_reply_to_mail_parks_at_once(shift: Shift) -> None:
    item = await shift.mine(**MAIL)
    assert await shift.used() == 20
    await shift.reply(item)
    assert (await shift.state(item), await shift.used()) == ("parked", 0)
    await shift.sound()


async def test_parked_customer_writes_is_queued_for_its_owner(shift: Shift) -> None:
    item = await shift.mine()
    await park(shift, item)
    assert await shift.used() == 0
    await shift.colleague()
    await shift.writes("Buradayım")
    row = await shift.item(item)
    assert (row["state"], row["sticky_agent_id"]) == ("queued", shift.deniz)
    assert row["sticky_until"] > datetime.now(UTC)
    assert (await shift.events(item))[-1] == ("item.woken", shift.deniz)
    await shift.settle()
    assert (await shift.offer(item))["agent_id"] == shift.deniz
    await shift.sound()


async def test_parked_customer_writes_and_the_owner_does_not_come(shift: Shift) -> None:
    item = await shift.mine()
    await park(shift, item)
    ece = await shift.colleague()
    await shift.execute("update santral.agent set budget = 10, version = version + 1 where id = $1", shift.deniz)
    await shift.tell("agent", shift.deniz)
    await shift.writes("Buradayım")
    await shift.settle()
    assert await shift.state(item) == "queued"
    await shift.passes(item, 1, "sticky_until")
    assert (await shift.offer(item))["agent_id"] == ece
    await shift.sound()


async def test_parked_until_a_time_wakes_for_its_owner(shift: Shift) -> None:
    item = await shift.mine()
    wake_at = datetime.now(UTC) + timedelta(hours=1)
    with pytest.raises(Unprocessable):
        await park(shift, item, datetime.now(UTC) - timedelta(hours=1))
    await park(shift, item, wake_at)
    row = await shift.item(item)
    assert (row["state"], row["timer_at"], await shift.used()) == ("parked", wake_at, 0)
    await shift.passes(item, 1, "timer_at", "hold_until")
    assert ((await shift.offer(item))["agent_id"], await shift.used()) == (shift.deniz, 33)
    assert [kind for kind, _ in await shift.events(item)][-3:] == ["item.parked", "item.woken", "offer.made"]
    await shift.sound()


async def test_put_off_work_wakes_when_the_customer_writes_first(shift: Shift) -> None:
    item = await shift.mine()
    await park(shift, item, datetime.now(UTC) + timedelta(hours=1))
    await shift.writes("Erken döndüm")
    await shift.settle()
    assert (await shift.offer(item))["agent_id"] == shift.deniz
    await shift.sound()


async def test_open_delivery_failure_is_queued_for_the_writer(shift: Shift) -> None:
    item = await shift.mine(**MAIL)
    reply = await shift.reply(item)
    await shift.colleague()
    await failed(shift, item, reply)
    row = await shift.item(item)
    assert (row["state"], row["agent_id"]) == ("assigned", shift.deniz)  # queued, and at once with its writer again
    assert (row["outcome"]["failed"]["message_id"], row["outcome"]["failed"]["reason"]) == (str(reply), "550 no such user")
    # The page shows it until another answer was written.
    assert (await seen(shift, item))["failed"]["reason"] == "550 no such user"
    await shift.reply(item)
    assert (await seen(shift, item))["failed"] is None
    assert [kind for kind, _ in await shift.events(item)][-4:-2] == ["item.requeued", "item.assigned"]
    (event,) = await rows(shift.db, "select data, agent_id from santral.event where type = 'reply.failed'")
    assert (event["data"]["reason"], event["agent_id"]) == ("550 no such user", shift.deniz)
    await shift.sound()


async def test_completed_delivery_failure_opens_a_new_item_for_the_writer(shift: Shift) -> None:
    item = await shift.mine(**MAIL)
    reply = await shift.reply(item)
    await shift.done(item)
    await shift.colleague()
    await failed(shift, item, reply)
    second = await shift.item(await shift.newest())
    assert await shift.state(item) == "completed"
    assert (second["reopened_from"], second["agent_id"], second["state"]) == (item, shift.deniz, "assigned")
    assert second["outcome"]["failed"]["reason"] == "550 no such user"
    assert len(await rows(shift.db, "select 1 from santral.conversation where state = 'open'")) == 1
    await shift.sound()


async def test_assigned_done_wraps_and_then_completes(shift: Shift) -> None:
    await shift.terms("chat", wrap_s=30)
    item = await shift.mine()
    assert ((await shift.done(item)).state, await shift.used()) == ("wrapping", 33)
    await shift.passes(item)
    assert (await shift.state(item), await shift.used()) == ("completed", 0)
    assert [kind for kind, _ in await shift.events(item)][-2:] == ["item.wrapping", "item.completed"]
    await shift.sound()


async def test_wrapping_done_completes(shift: Shift) -> None:
    await shift.terms("chat", wrap_s=30)
    item = await shift.mine()
    await shift.done(item)
    assert ((await shift.done(item)).state, await shift.used()) == ("completed", 0)
    await shift.sound()


async def test_wrapping_customer_writes_is_the_same_agents(shift: Shift) -> None:
    await shift.terms("chat", wrap_s=30)
    item = await shift.mine()
    await shift.done(item)
    await shift.writes("Bir şey daha soracağım")
    row = await shift.item(item)
    assert (row["state"], row["agent_id"], row["timer_at"], await shift.used()) == ("assigned", shift.deniz, None, 33)
    await shift.sound()


async def test_wrapping_customer_writes_with_the_agent_gone_is_queued(shift: Shift) -> None:
    await shift.terms("chat", wrap_s=30)
    item = await shift.mine()
    await shift.done(item)
    await shift.lease_ran_out(shift.deniz, ago_s=61)
    await shift.writes("Bir şey daha soracağım")
    row = await shift.item(item)
    assert (row["state"], row["sticky_agent_id"], await shift.used()) == ("queued", shift.deniz, 0)
    ece = await shift.colleague()
    await shift.settle()
    assert (await shift.offer(item))["agent_id"] == ece
    await shift.sound()


async def test_wrapping_customer_only_thanks_stays(shift: Shift) -> None:
    await shift.terms("chat", wrap_s=30)
    item = await shift.mine()
    await shift.done(item)
    await shift.writes("Teşekkürler")
    assert (await shift.state(item), len(await rows(shift.db, "select 1 from santral.message"))) == ("wrapping", 2)
    await shift.sound()


async def test_parked_done_completes(shift: Shift) -> None:
    item = await shift.mine()
    await park(shift, item)
    assert ((await shift.done(item)).state, await shift.used()) == ("completed", 0)
    await shift.sound()


async def test_parked_silence_completes(shift: Shift) -> None:
    item = await shift.mine()
    await park(shift, item)
    await shift.passes(item)
    assert (await shift.state(item), await shift.used()) == ("completed", 0)
    assert (await shift.events(item))[-1] == ("item.completed", shift.deniz)
    await shift.sound()


async def test_parked_customer_only_thanks_stays(shift: Shift) -> None:
    item = await shift.mine()
    await park(shift, item)
    before = await shift.item(item)
    await shift.writes("Çok teşekkür ederim")
    assert await shift.item(item) == before
    assert len(await rows(shift.db, "select 1 from santral.message")) == 2
    await shift.sound()


async def test_completed_customer_only_thanks_opens_nothing(shift: Shift) -> None:
    item = await shift.mine()
    await shift.done(item)
    await shift.writes("Sağ olun, iyi günler")
    assert await shift.newest() == item
    assert len(await rows(shift.db, "select 1 from santral.message")) == 2
    assert len(await rows(shift.db, "select 1 from santral.conversation where state = 'closed'")) == 1
    await shift.sound()


async def test_completed_customer_writes_within_the_window_opens_a_new_item(shift: Shift) -> None:
    item = await shift.mine()
    await shift.done(item)
    await shift.colleague()
    await shift.writes("Yine bozuldu")
    second = await shift.newest()
    await shift.settle()
    row = await shift.item(second)
    assert (row["reopened_from"], row["reopen_count"], row["agent_id"]) == (item, 1, shift.deniz)
    # Its key is earlier than a new item's by the boost of reopened work.
    assert (row["enqueued_at"] + timedelta(seconds=60) - row["due_at"]).total_seconds() > 0
    assert await shift.state(item) == "completed"
    await shift.sound()


async def test_completed_customer_writes_and_the_last_agent_is_full(shift: Shift) -> None:
    item = await shift.mine()
    await shift.done(item)
    await shift.execute("update santral.agent set budget = 10, version = version + 1 where id = $1", shift.deniz)
    await shift.tell("agent", shift.deniz)
    ece = await shift.colleague()
    await shift.writes("Yine bozuldu")
    second = await shift.newest()
    await shift.settle()
    row = await shift.item(second)
    assert (row["reopened_from"], row["state"], row["agent_id"]) == (item, "offered", ece), "nobody waits for who has no room"
    await shift.sound()


async def test_completed_customer_writes_and_the_last_agent_is_away(shift: Shift) -> None:
    item = await shift.mine()
    await shift.done(item)
    await shift.lease_ran_out(shift.deniz)
    ece = await shift.colleague()
    await shift.writes("Yine bozuldu")
    await shift.settle()
    assert (await shift.offer(await shift.newest()))["agent_id"] == ece
    await shift.sound()


async def test_final_states_allow_nothing(shift: Shift) -> None:
    item = await shift.mine()
    await shift.done(item)
    before = await shift.item(item)
    commands: list[Callable[[Connection], Awaitable[object]]] = [
        lambda c: work.done(c, workspace_id=shift.workspace.id, item_id=item, agent_id=shift.deniz),
        lambda c: work.park(c, workspace_id=shift.workspace.id, item_id=item, agent_id=shift.deniz),
        lambda c: work.claim(c, workspace_id=shift.workspace.id, item_id=item, agent_id=shift.deniz),
        lambda c: work.cancel(c, workspace_id=shift.workspace.id, item_id=item, actor="key:1", reason="x"),
        lambda c: work.assign(c, workspace_id=shift.workspace.id, item_id=item, agent_id=shift.deniz, actor="key:1"),
    ]
    for command in commands:
        with pytest.raises(Conflict):
            async with shift.db.batch(shift.workspace.id) as connection:
                await command(connection)
    assert await shift.item(item) == before
    await shift.sound()
