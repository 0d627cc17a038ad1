"""Retention under a legal hold: of two people with equally old rows the one's go and the other's stay, class by class, until it ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final, get_args
from uuid import UUID

import pytest

from profiles.expiry import expire_links
from services.chores.audit_links import batch_of_all
from services.doctor.audit_chain import look_at_audit_chain
from services.privacy.retention import RetentionClass
from shared.ids import WorkspaceId, new_id
from tests.support.api import Api
from tests.support.intake_line import rows
from tests.support.office import FREE, HELD, Office, office_of
from tests.support.workspaces import Workspace

CLASSES: Final = get_args(RetentionClass)
LEFT: Final = {
    "messages": "select text as who from santral.message where text <> ''",
    "files": "select text as who from santral.message where body ? 'parts'",
    "conversations": "select h.value as who from santral.conversation c join santral.handle h on h.id = c.handle_id",
    "quarantine": "select error as who from santral.quarantine",
    "sessions": "select h.value as who from santral.session s join santral.handle v on v.kind = 'visitor' and v.value = s.visitor_id::text"
    " join santral.handle h on h.profile_id = v.profile_id and h.kind = 'email'",
    "retry_keys": "select key as who from santral.idempotency",
    "deliveries": "select reason as who from santral.delivery where request <> '{}'",
    "decisions": "select h.value as who from santral.decision d join santral.conversation c on c.id = d.conversation_id"
    " join santral.handle h on h.id = c.handle_id",
    "views": "select h.value as who from santral.profile_view v join santral.handle h on h.id = v.profile_id",
    "audit": "select actor as who from santral.audit where actor in ('ayse', 'baran')",
}  # fmt: skip
"""What names whose rows are still there, by class; the first letters say who."""
OF_CONVERSATIONS: Final = ("messages", "files", "conversations", "quarantine", "retry_keys", "deliveries", "decisions", "audit")


@pytest.fixture
async def office(api: Api, workspace: Workspace) -> Office:
    return await office_of(api, workspace)


async def left(office: Office, name: str) -> set[str]:
    return {row["who"].partition("@")[0] for row in await rows(office.api.worker, LEFT[name])}


async def grown_old(office: Office, name: str) -> None:
    """A row of the class for each of the two, all of the same age; nothing else is due."""
    for who in (HELD, FREE):
        await _row(office, name, who, who.partition("@")[0])
    await office.close_all()
    if name == "conversations":
        await office.change("update santral.message set body = '{\"expired\": true}'")
    old = "now() - interval '31 days'"
    await office.change(f"update santral.decision set decided_at = {old}")
    await office.change(f"update santral.delivery set created_at = {old}")
    await office.change(f"update santral.idempotency set created_at = {old}")
    await office.change(f"update santral.profile_view set at = {old}")
    while await batch_of_all(office.api.worker):
        pass


async def _row(office: Office, name: str, who: str, short: str) -> None:
    workspace, profile = office.workspace, await office.profile(who)
    (said,) = await rows(office.api.worker, "select id, conversation_id, handle_id from santral.message where text = $1", short)
    statements: dict[str, tuple[str, tuple[Any, ...]]] = {
        # Replayed: its message stands in the conversation.
        "quarantine": (
            "insert into santral.quarantine (workspace_id, id, message_id, reason, error, record, accepted_at, state, resolved_at)"
            " values ($1, $2, $3, 'failed', $4, 'x', now(), 'replayed', now() - interval '31 days')",
            (said["id"], short),
        ),
        "retry_keys": (
            "insert into santral.idempotency (workspace_id, key, body_hash, message_id) values ($1, $4 || '@' || $2::uuid::text, 'x', $3)",
            (said["id"], short),
        ),
        "deliveries": (
            "insert into santral.delivery (workspace_id, id, conversation_id, message_id, inbox_id, handle_id, state, reason, request)"
            " values ($1, $2, $3, $2, $4, $5, 'sent', $6, '{\"to\": \"x\"}')",
            (said["conversation_id"], workspace.inboxes["smtp"], said["handle_id"], short),
        ),
        "views": (
            "insert into santral.profile_view (workspace_id, id, profile_id, actor) values ($1, $2, $3, 'key:x')", (profile,)
        ),
        "audit": (
            "insert into santral.audit (workspace_id, id, at, actor, action, target_kind, target_id)"
            " values ($1, $2, now() - interval '31 days', $3, 'reply.written', 'conversation', $4)",
            (short, str(said["conversation_id"])),
        ),
    }  # fmt: skip
    if name == "sessions":
        await _session(office, who)
    elif name in statements:
        statement, values = statements[name]
        await office.change(statement, workspace.id, new_id(), *values)


async def _session(office: Office, who: str) -> None:
    """A visitor of the widget who is this person, whose session has ended long ago."""
    visitor = new_id()
    body = {"handles": [{"kind": "email", "value": who}, {"kind": "visitor", "scope": "w", "value": str(visitor)}]}
    await office.call("POST", "/v1/profiles/identify", {**body, "assurance": "authenticated"})
    await office.api.session(office.workspace.id, "visitor", visitor_id=visitor, inbox_id=office.workspace.inboxes["webchat"])
    await office.change("update santral.session set expires_at = now() - interval '31 days' where visitor_id = $1", visitor)


@pytest.mark.parametrize("name", CLASSES)
async def test_a_held_persons_rows_of_every_class_stay_until_the_hold_ends(office: Office, name: str) -> None:
    await grown_old(office, name)
    hold = await office.hold("person", await office.profile(HELD))
    assert await left(office, name) == {"ayse", "baran"}
    assert await office.retained(**{name: 30}) == 1
    assert await left(office, name) == {"ayse"}
    assert await office.retained(**{name: 30}) == 0
    await office.lift(hold)
    assert await office.retained(**{name: 30}) == 1
    assert await left(office, name) == set()


@pytest.mark.parametrize("name", OF_CONVERSATIONS)
async def test_a_held_conversations_rows_stay_until_the_holds_date_has_passed(office: Office, name: str) -> None:
    await grown_old(office, name)
    hold = await office.hold("case", await office.conversation(HELD), until=datetime.now(UTC) + timedelta(days=9))
    assert await office.retained(**{name: 30}) == 1
    assert await left(office, name) == {"ayse"}
    await office.pass_until(hold)
    assert await office.retained(**{name: 30}) == 1
    assert await left(office, name) == set()


async def test_the_audits_chain_holds_over_what_a_hold_keeps_and_what_went_around_it(office: Office) -> None:
    await office.hold("person", await office.profile(HELD))
    await grown_old(office, "audit")
    assert await office.retained(audit=30) == 1
    assert await left(office, "audit") == {"ayse"}
    assert {one.state for one in await look_at_audit_chain(office.api.worker)} == {"OK"}


async def test_files_of_a_held_person_stay_in_the_store(office: Office) -> None:
    await office.close_all()
    await office.hold("person", await office.profile(HELD))
    assert await office.retained(files=30) == 1
    assert await office.retained(messages=30) == 1
    store = office.api.app.state.blobs
    assert [await store.get(key) for key in await store.keys(f"{office.workspace.id}/")] == [HELD.encode()] * 2


async def test_quarantine_keeps_what_holds_a_held_persons_address_also_undecodable_and_behind_many_others(office: Office) -> None:
    for number in range(60):
        who = (HELD if number < 55 else FREE).upper()
        await office.change(
            "insert into santral.quarantine (workspace_id, id, message_id, reason, error, record, accepted_at, quarantined_at)"
            " values ($1, $2, $2, 'undecodable', $3, convert_to('\x01' || $4, 'UTF8'), now(), now() - interval '31 days')",
            office.workspace.id, new_id(), who.lower(), f"From: {who}",
        )  # fmt: skip
    hold = await office.hold("person", await office.profile(HELD))
    assert await office.retained(quarantine=30) == 5
    assert await left(office, "quarantine") == {"ayse"}
    await office.lift(hold)
    assert await office.retained(quarantine=30) == 55


async def test_what_was_merged_and_what_was_moved_away_stays_held_and_the_rest_of_the_other_conversation_goes(
    office: Office,
) -> None:
    held, free = await office.conversation(HELD), await office.conversation(FREE)
    second = await office.mail("<3@x>", HELD, text="ayse-iki", defines=("mid:3@x",))
    await office.hold("case", held)
    await office.call("POST", f"/v1/messages/{second.id}/move", {"conversation": str(free)})
    await office.close_all()
    assert await office.retained(messages=30) == 1
    assert await office.words() == {"ayse", "ayse-iki"}
    assert (await office.call("GET", f"/v1/conversations/{held}"))["held"] is True
    assert (await office.call("GET", f"/v1/conversations/{free}"))["held"] is False


async def test_a_merged_conversation_takes_its_hold_along(office: Office) -> None:
    held = await office.conversation(HELD)
    await office.hold("case", held)
    other = await office.conversation(FREE)
    await office.call("POST", f"/v1/conversations/{held}/merge", {"into": str(other)})
    await office.close_all()
    assert await office.retained(messages=30, conversations=30) == 0
    assert (await office.call("GET", f"/v1/conversations/{other}"))["held"] is True


async def test_a_held_persons_words_in_somebody_elses_conversation_stay(office: Office) -> None:
    second = await office.mail("<3@x>", HELD, text="ayse-iki", defines=("mid:3@x",))
    await office.call("POST", f"/v1/messages/{second.id}/move", {"conversation": str(await office.conversation(FREE))})
    await office.hold("person", await office.profile(HELD))
    await office.close_all()
    assert await office.retained(messages=30, conversations=30) == 1
    assert await office.words() == {"ayse", "ayse-iki"}


async def test_links_of_a_held_person_do_not_come_to_their_end(office: Office) -> None:
    body = {"assurance": "authenticated"}
    for who, number in ((HELD, "+905321234501"), (FREE, "+905321234502")):
        handles = [{"kind": "email", "value": who}, {"kind": "phone", "value": number}]
        await office.call("POST", "/v1/profiles/identify", {**body, "handles": handles})
    await office.change("update santral.link set expires_at = now() - interval '1 s'")
    hold = await office.hold("person", await office.profile(HELD))
    workspace = WorkspaceId(office.workspace.id)
    assert await expire_links(office.api.worker, workspace) == 1
    assert await office.profile(HELD) == await office.profile("+905321234501")
    await office.lift(hold)
    assert await expire_links(office.api.worker, workspace) == 1


async def test_a_hold_of_another_workspace_stands_against_nothing_here(office: Office) -> None:
    await office.close_all()
    await office.change(
        "insert into santral.hold (workspace_id, id, kind, subject_id, reason, placed_by) values ($1, $1, 'case', $2, 'x', 'x')",
        UUID(int=7), await office.conversation(HELD),
    )  # fmt: skip
    assert await office.retained(messages=30) == 2
