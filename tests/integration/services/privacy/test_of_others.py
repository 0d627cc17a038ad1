"""Somebody who wrote in another customer's conversation leaves no word there: erased, or their messages redacted, on every channel.

Canaries stand in every field of their messages, in what rules read of them, in what a model said and in what a provider answered about them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest

from router.commands.reply import reply_state
from router.intake.classifier import Answer, Question
from services.privacy.erasures import Erasures
from services.privacy.retention import Retention
from shared.blobs_files import FileBlobs
from shared.database import Database
from shared.embedded.postgres import PostgresUrls
from shared.ids import new_id
from shared.leases import Leases
from tests.support.api import Api
from tests.support.intake_line import SECRET, member_of, rows
from tests.support.placements import Regroup
from tests.support.shift import shift_of
from tests.support.tables import all_tables
from tests.support.workspaces import Workspace

ANNA: Final = "anna@ornek.com"
MAIL, PHONE, NAME = "bora@kanaryali.com", "+905321234567", "Kanarya Bora"
WORD: Final = "kanarya"
"""In every text of Bora's messages; his own data hold it too, or stand in `OWN`."""
OWN: Final = ("5321234567", "gümüşkent", "altınkat")
LABEL: Final = "kuzgun"
POLICY: Final[Mapping[str, Any]] = {
    "default_queue": "genel",
    "rules": [
        {"name": "kat", "when": {"field": "profile.tier", "op": "is", "value": "x"}, "queue": "genel"},
        {"name": "kent", "when": {"field": "profile.attributes.city", "op": "is", "value": "x"}, "queue": "genel"},
        {"name": "model", "when": {"field": "signals.label", "op": "is", "value": "x"}, "queue": "genel"},
    ],
}


class Labelling:
    """A model that answers with a word of what it was shown."""

    async def classify(self, questions: Sequence[Question]) -> Mapping[UUID, Answer]:
        return {one.id: Answer(model="m", labels={LABEL: 0.9}) for one in questions if WORD in one.text}


@pytest.fixture
async def desk(api: Api, worker_db: Database, database_urls: PostgresUrls, workspace: Workspace) -> Regroup:
    async with worker_db.batch() as connection:
        await connection.execute("update santral.policy set document = $1", POLICY)
        await connection.execute("update santral.workspace set settings = settings || '{\"classify\": true}'")
    shift = await shift_of(worker_db, database_urls, workspace)
    shift.member = await member_of(worker_db, classifier=Labelling())
    return Regroup(api=api, shift=shift, admin=await api.key(workspace.id))


def _mail() -> dict[str, Any]:
    return {
        "provider": "smtp", "who": MAIL, "subject": f"{WORD} konu", "defines": (f"mid:{WORD}@ornek",), "original": "a2FuYXJ5YQ==",
        "sender": {"kind": "email", "value": MAIL, "raw": MAIL, "name": NAME, "assurance": "channel_verified"},
        "traits": {"title": WORD}, "text_stripped": f"{WORD} kısaca", "about": WORD, "reason": WORD,
        "participants": ({"kind": "email", "value": f"cc@{WORD}.com", "name": WORD},),
    }  # fmt: skip


def _chat() -> dict[str, Any]:
    return {"provider": "webchat", "who": f"v-{WORD}", "traits": {"page": f"https://{WORD}.com/"}, "in_reply_to": f"ext-{WORD}"}


def _call() -> dict[str, Any]:
    at = datetime.now(UTC)
    call = {"call_id": "1", "direction": "in", "answered": False, "started_at": at, "ended_at": at, "caller": PHONE}
    return {"provider": "asterisk", "who": PHONE, "kind": "voicemail", "call": call, "traits": {"dialled": WORD}}


def _comment() -> dict[str, Any]:
    sender = {"kind": "mastodon", "scope": "", "value": f"{WORD}@sosyal.example", "name": NAME, "assurance": "channel_verified"}
    return {
        "provider": "api",
        "who": WORD,
        "channel": "social",
        "sender": sender,
        "traits": {"post": WORD},
        "subject": f"{WORD} uyarısı",
    }


MOVED: Final = ("mail", "chat")
"""Where what was said is put elsewhere and taken back, or stays where it was said."""
CHANNELS: Final = {"mail": _mail, "chat": _chat, "call": _call, "comment": _comment}


async def left(db: Database, *words: str) -> dict[str, list[str]]:
    """What still holds one of these words, by table, bytes and outbox aside."""
    found: dict[str, list[str]] = {}
    for table in all_tables().sorted_tables:
        for row in await rows(db, f'select to_jsonb(x)::text as whole from santral."{table.name}" x'):
            whole = json.dumps(json.loads(row["whole"]), ensure_ascii=False).lower()
            if seen := [word for word in words if word in whole]:
                found.setdefault(table.name, []).extend(seen)
    return found


async def story(desk: Regroup, channel: str, blobs: FileBlobs) -> tuple[UUID, UUID, list[UUID]]:
    """Anna's conversation, in which Bora writes, is answered in vain, and writes again; his profile and what is his or to him there."""
    shift = desk.shift
    hers = await desk.begun("Yardım edin", provider="smtp", who=ANNA)
    item = await desk.open_item(hers)
    assert item is not None
    await desk.post(f"items/{item['id']}/cancel", 200, reason="x")
    given = CHANNELS[channel]()
    key = f"{shift.workspace.id}/{new_id()}/attachment-1"
    await blobs.put(key, WORD.encode())
    part = {"blob": key, "name": f"{WORD}.txt", "content_type": "text/plain", "size_bytes": 7}
    handle = given.get(
        "sender", {"kind": {"webchat": "visitor", "asterisk": "phone"}.get(given["provider"], "email"), "value": given["who"]}
    )
    if channel in ("mail", "call"):
        known: dict[str, Any] = {
            "handles": [{"kind": handle["kind"], "value": handle["value"]}],
            "traits": {"city": OWN[1], "tier": OWN[2]},
            "source": "crm",
        }
        await desk.post("profiles/identify", 200, **known)
    ref = (f"conversation:{hers}",)
    await shift.writes(f"{WORD} bir", **{**given, "refs": ref, "parts": (part,)})
    (his,) = await rows(
        shift.db, "select m.handle_id, h.profile_id from santral.message m join santral.handle h on h.id = m.handle_id where m.text = $1",
        f"{WORD} bir",
    )  # fmt: skip
    assert await desk.texts(hers) == ["Yardım edin", f"{WORD} bir"]
    if channel == "mail":  # who refers to it is answered; of whoever else writes there, the answer is whose the conversation is
        answer = await desk.post(f"conversations/{hers}/replies", 202, content={"kind": "text", "text": f"{WORD} yanıt"})
        async with shift.db.batch() as connection:
            await connection.execute("update santral.delivery set state = 'failed', reason = $1", f"550 <{MAIL}> {WORD}")
            await reply_state(
                connection, workspace_id=shift.workspace.id, conversation_id=hers, message_id=UUID(answer["id"]), state="failed",
                reason=f"550 <{MAIL}> {WORD}", permanent=True,
            )  # fmt: skip
    if channel in MOVED:
        elsewhere = await desk.begun("Başkası", provider="smtp", who="cem@ornek.com")
        await desk.undo(await desk.move(f"{WORD} bir", elsewhere, reason=WORD))
    found = await rows(shift.db, "select id from santral.message where handle_id = $1", his["handle_id"])
    assert len(found) == (2 if channel == "mail" else 1)
    return hers, his["profile_id"], [one["id"] for one in found]


@pytest.mark.parametrize("channel", sorted(CHANNELS))
async def test_who_is_erased_leaves_no_word_in_the_conversation_of_somebody_else(
    desk: Regroup, tmp_path: Path, channel: str
) -> None:
    db, blobs = desk.shift.db, FileBlobs(tmp_path)
    hers, profile, messages = await story(desk, channel, blobs)
    words = (WORD, LABEL, *OWN)
    tables = {"message", "decision", "handle"} | ({"event", "work_item", "delivery"} if channel == "mail" else set())
    assert tables <= set(await left(db, *words))
    await desk.post(f"profiles/{profile}/erase", 202, reason="law", confirm=str(profile))
    job = Erasures(db=db, blobs=blobs, hints=None, secret=SECRET, settle_s=0)
    while await job.round():
        pass
    await desk.shift.execute("delete from santral.outbox")  # relayed; the log's own records run out by themselves
    assert await left(db, *words) == {}
    assert await blobs.keys(f"{desk.shift.workspace.id}/") == []
    assert await desk.texts(hers) == ["Yardım edin", *("" for _ in messages)]
    routed = await rows(
        db, "select record ? 'facts' as facts from santral.decision where kind = 'routing' and conversation_id = $1", hers
    )
    assert [one["facts"] for one in routed] == [True, False], "hers stays"


@pytest.mark.parametrize("channel", sorted(CHANNELS))
async def test_what_is_redacted_leaves_no_word_beside_it(desk: Regroup, tmp_path: Path, channel: str) -> None:
    db = desk.shift.db
    hers, _, messages = await story(desk, channel, FileBlobs(tmp_path))
    for one in messages:
        (place,) = await rows(db, "select conversation_id, seq from santral.message where id = $1", one)
        await desk.post(f"conversations/{place['conversation_id']}/messages/{place['seq']}/redact", 200, reason="law")
    await desk.shift.execute("delete from santral.outbox")
    found = await left(db, WORD, LABEL)
    # Who they are is not what they said: their handles, what a channel calls a message, and its references stay.
    assert set(found) <= {"handle", "profile", "thread_ref"}, found
    assert LABEL not in str(found)
    assert await desk.texts(hers) == ["Yardım edin", *("" for _ in messages)]


async def test_a_report_of_mail_that_names_who_is_erased_goes_and_others_stay(desk: Regroup, tmp_path: Path) -> None:
    """A copy of an answer to Anna did not reach Bora: the report stands in her conversation, in his mail system's words."""
    db, shift = desk.shift.db, desk.shift
    hers = await desk.begun("Yardım edin", provider="smtp", who=ANNA)
    await shift.writes("Selam", provider="smtp", who=MAIL)
    copied: dict[str, Any] = {"content": {"kind": "text", "text": "Yanıt"}, "cc": [MAIL]}
    answer = await desk.post(f"conversations/{hers}/replies", 202, **copied)
    async with db.batch() as connection:
        await reply_state(
            connection, workspace_id=shift.workspace.id, conversation_id=hers, message_id=UUID(answer["id"]), state="failed",
            reason=f"550 <{MAIL}>", permanent=True,
        )  # fmt: skip
    told: dict[str, Any] = {"provider": "smtp", "who": "mailer-daemon@ornek.org", "refs": (f"conversation:{hers}",)}
    for text, about in ((f"Final-Recipient: rfc822;{MAIL.upper()}.", MAIL), (f"Could not reach <{ANNA}>", ANNA)):
        await shift.writes(text, **told, automatic={"kind": "bounce", "reason": f"550 <{about}>"}, subject=f"Undelivered: {about}")
    (his,) = await rows(db, "select profile_id from santral.handle where value = $1", MAIL)
    await desk.post(f"profiles/{his['profile_id']}/erase", 202, reason="law", confirm=str(his["profile_id"]))
    job = Erasures(db=db, blobs=FileBlobs(tmp_path), hints=None, secret=SECRET, settle_s=0)
    while await job.round():
        pass
    await shift.execute("delete from santral.outbox")
    assert await left(db, MAIL) == {}
    reports = await rows(db, "select text from santral.message where body->'automatic'->>'kind' = 'bounce'")
    assert [one["text"] for one in reports] == [f"Could not reach <{ANNA}>"]


async def test_what_a_model_said_of_words_goes_with_them(desk: Regroup, tmp_path: Path) -> None:
    await story(desk, "mail", FileBlobs(tmp_path))
    assert {"message", "decision"} <= set(await left(desk.shift.db, LABEL))
    await desk.shift.execute("update santral.work_item set state = 'canceled'")
    await desk.shift.execute("update santral.conversation set state = 'closed', closed_at = now() - interval '3 days'")
    await desk.shift.execute('update santral.workspace set settings = settings || \'{"retention": {"messages": 1}}\'')
    leases = Leases(desk.shift.db, kind="retention", slots=1, owner=new_id())
    await leases.round()
    assert await Retention(db=desk.shift.db, blobs=FileBlobs(tmp_path), leases=leases).round()
    assert await left(desk.shift.db, LABEL) == {}
