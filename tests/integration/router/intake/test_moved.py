"""WhatsApp says that somebody is another number or id from now on: the next answer goes there, until they write from elsewhere."""

from __future__ import annotations

from uuid import uuid4

import pytest

from router.views.answered import recipient_of
from shared.database import Database
from tests.support.intake_line import member_of, message_to, rows
from tests.support.whatsapp_line import PEOPLE, WhatsApp, people
from tests.support.workspaces import Workspace

OLD, NEW, OTHER = "905321000001", "905321000002", "905321000003"


@pytest.fixture
async def whatsapp(worker_db: Database, workspace: Workspace) -> WhatsApp:
    return WhatsApp(worker_db, workspace, await member_of(worker_db))


async def closed(db: Database) -> None:
    """The work is done: the conversation is closed, and goes on for a while."""
    (item,) = await rows(db, "select * from santral.work_item")
    async with db.batch() as connection:
        await connection.execute("update santral.work_item set state = 'completed', closed_at = now() where id = $1", item["id"])
        await connection.execute("update santral.conversation set state = 'closed', closed_at = now()")


@pytest.mark.parametrize("is_open", [True, False])
async def test_the_next_answer_goes_to_the_new_number(worker_db: Database, whatsapp: WhatsApp, is_open: bool) -> None:
    await whatsapp.text(OLD)
    if not is_open:
        await closed(worker_db)
    await whatsapp.notice("user_changed_number", OLD, wa_id=NEW)
    assert await whatsapp.answered() == [("wa_id", NEW)]
    # Words of theirs go on with it, and a notice of something else moves nothing.
    await whatsapp.notice("customer_identity_changed", NEW, identity="x")
    await whatsapp.text(NEW)
    assert await whatsapp.answered() == [("wa_id", NEW)]
    assert len(await rows(worker_db, "select 1 from santral.work_item")) == (1 if is_open else 2)
    # Whoever gets the old number by and by is somebody else: operators give numbers out again, so who wrote from it before the notice is
    # not who writes from it afterwards.
    await whatsapp.text(OLD)
    assert await whatsapp.answered() == [("wa_id", NEW), ("wa_id", OLD)]
    assert len({row["profile_id"] for row in await rows(worker_db, PEOPLE)}) == 2


async def test_a_new_id_has_the_new_number(whatsapp: WhatsApp) -> None:
    await whatsapp.text(OLD, "TR.1")
    await whatsapp.notice("user_changed_number", OLD, wa_id=NEW, user_id="TR.2", previous_user_id="TR.1")
    assert await whatsapp.answered() == [("wa_id", NEW)]
    await whatsapp.text("", "TR.2")
    assert await whatsapp.answered() == [("bsuid", "TR.2")]


async def test_an_id_that_changed_alone(whatsapp: WhatsApp) -> None:
    await whatsapp.text("", "TR.1")
    await whatsapp.notice("user_changed_user_id", user_id="TR.2", previous_user_id="TR.1")
    assert await whatsapp.answered() == [("bsuid", "TR.2")]


async def test_who_is_answered_elsewhere_at_a_number_they_left_is_answered_at_the_new_one(
    whatsapp: WhatsApp, worker_db: Database
) -> None:
    await whatsapp.text(OLD)
    phone = {"kind": "phone", "value": f"+{OLD}", "assurance": "channel_verified"}
    whatsapp.line.add(message_to(whatsapp.workspace, "webchat", "c1", who=f"+{OLD}", sender=phone))
    await whatsapp.member.take(whatsapp.line)
    assert await whatsapp.answered() == [("phone", f"+{OLD}")]
    # A stranger's number moves nobody.
    await whatsapp.notice("user_changed_number", OTHER, wa_id="905321000004")
    assert (await whatsapp.answered())[0] == ("phone", f"+{OLD}")
    # Their telephone number is the one that changed: who has it next would read the answer.
    await whatsapp.notice("user_changed_number", OLD, wa_id=NEW)
    assert (await whatsapp.answered())[0] == ("wa_id", NEW)


async def test_who_is_answered_by_mail_is_answered_there_still(whatsapp: WhatsApp) -> None:
    await whatsapp.text(OLD)
    mail = {"kind": "email", "value": "ayse@ornek.com", "assurance": "channel_verified"}
    number = {"kind": "wa_id", "value": OLD, "assurance": "channel_verified"}
    whatsapp.line.add(message_to(whatsapp.workspace, "api", "m1", sender=mail, other_handles=[number]))
    await whatsapp.take()
    before = await whatsapp.answered()
    await whatsapp.notice("user_changed_number", OLD, wa_id=NEW)
    assert await whatsapp.answered() == before == [("email", "ayse@ornek.com")]


@pytest.mark.parametrize("at_once", [False, True])
async def test_an_old_number_in_other_hands_is_another_person(whatsapp: WhatsApp, worker_db: Database, at_once: bool) -> None:
    whatsapp.at_once = at_once
    await whatsapp.text(OLD, "TR.1", "Ayse")
    await whatsapp.notice("user_changed_number", OLD, wa_id=NEW, user_id="TR.2", previous_user_id="TR.1")
    await whatsapp.text(NEW, "TR.2", "Ayse again")
    await whatsapp.text(OLD, "TR.9", "Mehmet")
    await whatsapp.text(NEW, "TR.2", "Ayse still")
    await whatsapp.take()
    assert await people(worker_db) == [{"Ayse", "Ayse again", "Ayse still"}, {"Mehmet"}]
    assert len(await rows(worker_db, "select 1 from santral.conversation")) == 2


@pytest.mark.parametrize("at_once", [False, True])
async def test_a_number_that_comes_with_another_id_is_another_person(
    whatsapp: WhatsApp, worker_db: Database, at_once: bool
) -> None:
    whatsapp.at_once = at_once
    await whatsapp.text(OLD, "TR.1", "Zeynep")
    await whatsapp.text(OLD, "TR.9", "Can")
    await whatsapp.text(OLD, "TR.9", "Can again")
    await whatsapp.text("", "TR.1", "Zeynep elsewhere")
    await whatsapp.take()
    assert await people(worker_db) == [{"Zeynep", "Zeynep elsewhere"}, {"Can", "Can again"}]
    (number,) = await rows(worker_db, "select profile_id from santral.handle where kind = 'wa_id' and scope = ''")
    (can,) = await rows(worker_db, "select profile_id from santral.handle where value = 'TR.9'")
    assert number == can


async def test_a_late_notice_takes_nothing_from_the_next_owner(whatsapp: WhatsApp, worker_db: Database) -> None:
    await whatsapp.text(OLD, "TR.9", "Mehmet")
    await whatsapp.brings(
        **{"from": OLD}, at=-10_000_000, type="system",
        system={"type": "user_changed_number", "body": "changed", "wa_id": NEW, "user_id": "TR.2", "previous_user_id": "TR.1"},
    )  # fmt: skip
    await whatsapp.text(NEW, "TR.2", "Ayse")
    assert await people(worker_db) == [{"Mehmet"}, {"Ayse"}]


async def test_an_id_that_gave_way_keeps_its_number(whatsapp: WhatsApp, worker_db: Database) -> None:
    await whatsapp.text(OLD, "TR.1", "before")
    await whatsapp.notice("user_changed_user_id", OLD, user_id="TR.2", previous_user_id="TR.1")
    await whatsapp.text(OLD, "TR.2", "after")
    assert await people(worker_db) == [{"before", "after"}]


async def test_nobody_is_written_to_at_a_number_they_had(whatsapp: WhatsApp, worker_db: Database) -> None:
    await whatsapp.text(OLD, "TR.1", "Zeynep")
    await whatsapp.text(OLD, "TR.9", "Can")
    async with worker_db.batch() as connection:
        await connection.execute("update santral.conversation set last_handle_id = (select id from santral.handle where scope like 'left:%'"
                                 " and kind = 'wa_id') where handle_id = (select id from santral.handle where value = 'TR.1')")  # fmt: skip
        (row,) = await connection.fetch("select c.workspace_id, c.id from santral.conversation c join santral.handle h"
                                        " on h.id = c.handle_id where h.value = 'TR.1'")  # fmt: skip
        assert await recipient_of(connection, row["workspace_id"], row["id"]) is None


NUMBERS = "select scope from santral.handle where kind = 'wa_id' order by id"


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("connections", [0, 1, 2])
async def test_an_id_of_another_business_does_not_take_the_number_away(
    worker_db: Database, workspace: Workspace, whatsapp: WhatsApp, connections: int, at_once: bool
) -> None:
    """Each business names its customers by ids of its own, however many of them one connection serves."""
    for name in map(str, range(connections)):
        async with worker_db.batch() as connection:
            await connection.execute(
                "insert into santral.connection (workspace_id, id, name, provider, path_token) values ($1, $2, $3, 'meta', $3)",
                workspace.id, uuid4(), name,
            )  # fmt: skip
    whatsapp.at_once = at_once
    for at in range(0, 20, 2):
        await whatsapp.text(OLD, "TR.1", "hers", at=at, account="100")
        await whatsapp.text(OLD, "TR.2", "hers, to the other", at=at + 1, account="200")
    await whatsapp.take()
    assert await people(worker_db) == [{"hers", "hers, to the other"}]
    assert [row["scope"] for row in await rows(worker_db, NUMBERS)] == [""]
    # Who comes to one of them under another id than it knows is somebody else.
    await whatsapp.text(OLD, "TR.3", "his", at=30, account="200")
    await whatsapp.take()
    assert await people(worker_db) == [{"hers", "hers, to the other"}, {"his"}]


async def test_an_id_of_before_accounts_were_known_is_told_apart_as_it_was(worker_db: Database, whatsapp: WhatsApp) -> None:
    await whatsapp.text(OLD, "TR.1", "hers", account="")
    await whatsapp.text(OLD, "TR.9", "his", at=1, account="100")
    assert await people(worker_db) == [{"hers"}, {"his"}]


@pytest.mark.parametrize("user", ["", "TR.1"])
@pytest.mark.parametrize("to_other", [True, False])
async def test_late_words_are_those_of_whoever_had_the_number_then(
    worker_db: Database, whatsapp: WhatsApp, user: str, to_other: bool
) -> None:
    await whatsapp.text(OLD, "TR.1", "Zeynep", at=0)
    if to_other:
        await whatsapp.text(OLD, "TR.9", "Can", at=20)
    else:
        await whatsapp.notice("user_changed_number", OLD, at=20, wa_id=NEW, user_id="TR.2", previous_user_id="TR.1")
        await whatsapp.text(OLD, "TR.9", "Can", at=21)
    answered = (await whatsapp.answered())[0]
    await whatsapp.text(OLD, user, "Zeynep, late", at=10)
    await whatsapp.text(OLD, "TR.9", "Can again", at=30)
    await whatsapp.text(OLD, "", "Can without", at=31)
    assert await people(worker_db) == [{"Zeynep", "Zeynep, late"}, {"Can", "Can again", "Can without"}]
    # Nobody is answered at a number they had: late words from it move nothing.
    if not user:
        assert (await whatsapp.answered())[0] == answered


async def test_words_of_the_next_owner_in_turned_order_are_not_the_former_ones(worker_db: Database, whatsapp: WhatsApp) -> None:
    await whatsapp.text(OLD, "TR.1", "Zeynep", at=0)
    await whatsapp.text(OLD, "TR.9", "Can, second", at=21)
    await whatsapp.text(OLD, "TR.9", "Can, first", at=20)
    assert await people(worker_db) == [{"Zeynep"}, {"Can, second", "Can, first"}]


async def test_a_number_that_went_through_many_hands(worker_db: Database, whatsapp: WhatsApp) -> None:
    for place, name in enumerate(("Ayse", "Baran", "Cem")):
        await whatsapp.text(OLD, f"TR.{place}", name, at=10 * place)
    for place, name in enumerate(("Ayse", "Baran", "Cem")):
        await whatsapp.text(OLD, "", f"{name}, late", at=10 * place + 5)
    assert await people(worker_db) == [{name, f"{name}, late"} for name in ("Ayse", "Baran", "Cem")]
