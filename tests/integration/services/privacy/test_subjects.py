"""What a conversation is called goes with the message that gave it its subject, whoever's conversation it is and wherever the message stood."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import pytest

from services.privacy.erasures import Erasures
from services.privacy.retention import Retention
from shared.blobs_files import FileBlobs
from shared.database import Database
from shared.embedded.postgres import PostgresUrls
from shared.leases import Leases
from tests.support.api import Api
from tests.support.intake_line import SECRET, rows
from tests.support.placements import Regroup
from tests.support.shift import shift_of
from tests.support.workspaces import Workspace

ANNA: Final = "anna@ornek.com"
BORA: Final = "bora@ornek.com"
HERS: Final[dict[str, Any]] = {"provider": "smtp", "who": ANNA}
HIS: Final[dict[str, Any]] = {"provider": "smtp", "who": BORA}
APART: Final[dict[str, Any]] = {"traits": {"reply_to": "ev@ornek.com"}}
"""Who asks to be answered elsewhere begins a conversation of its own."""
WORD: Final = "kanarya"


@pytest.fixture
async def desk(api: Api, worker_db: Database, database_urls: PostgresUrls, workspace: Workspace) -> Regroup:
    return Regroup(api=api, shift=await shift_of(worker_db, database_urls, workspace), admin=await api.key(workspace.id))


async def joins(desk: Regroup, conversation: UUID, text: str, **more: Any) -> None:
    await desk.shift.writes(text, refs=(f"conversation:{conversation}",), **more)


async def called(desk: Regroup, *conversations: UUID) -> list[str]:
    return [(await desk.row(one))["subject"] for one in conversations]


async def erase(desk: Regroup, who: str, blobs: Path) -> None:
    (found,) = await rows(desk.shift.db, "select profile_id as id from santral.handle where value = $1", who)
    await desk.post(f"profiles/{found['id']}/erase", 202, reason="law", confirm=str(found["id"]))
    job = Erasures(db=desk.shift.db, blobs=FileBlobs(blobs), hints=None, secret=SECRET, settle_s=0)
    while await job.round():
        pass


async def redact(desk: Regroup, text: str) -> None:
    (place,) = await rows(desk.shift.db, "select conversation_id, seq from santral.message where text = $1", text)
    await desk.post(f"conversations/{place['conversation_id']}/messages/{place['seq']}/redact", 200, reason="law")


async def test_a_subject_that_somebody_else_gave_goes_with_them(desk: Regroup, tmp_path: Path) -> None:
    hers = await desk.begun("Yardım edin", **HERS)
    await joins(desk, hers, "Ben de", subject=WORD, **HIS)
    assert await called(desk, hers) == [WORD]
    await erase(desk, BORA, tmp_path)
    assert await called(desk, hers) == [""]
    await joins(desk, hers, "Yine ben", subject="Kargo", **HERS)
    assert await called(desk, hers) == ["Kargo"]


async def test_a_subject_that_was_there_before_stays(desk: Regroup, tmp_path: Path) -> None:
    hers = await desk.begun("Yardım edin", subject="Kargo", **HERS)
    await joins(desk, hers, "Ben de", subject="Kargo", **HIS)
    await redact(desk, "Ben de")
    await erase(desk, BORA, tmp_path)
    assert await called(desk, hers) == ["Kargo"]


@pytest.mark.parametrize("how", ["erasure", "redaction"])
async def test_it_goes_wherever_the_message_stood_and_wherever_its_subject_went(desk: Regroup, tmp_path: Path, how: str) -> None:
    hers, other = await desk.begun("Yardım edin", **HERS), await desk.begun("Konu yok", **HERS, **APART)
    await joins(desk, hers, "Ben de", subject=WORD, **HIS)
    await joins(desk, hers, "Bir şey daha", **HERS)
    made = UUID((await desk.split(hers, "Bir şey daha"))["to"])
    elsewhere = await desk.begun("Başkası", provider="smtp", who="cem@ornek.com", subject="Fatura")
    await desk.move("Ben de", elsewhere)
    undone = await desk.merge(hers, other)
    assert await called(desk, hers, made, other, elsewhere) == [WORD, WORD, WORD, "Fatura"]
    await desk.undo(undone)
    await desk.merge(hers, other)
    await (erase(desk, BORA, tmp_path) if how == "erasure" else redact(desk, "Ben de"))
    assert await called(desk, hers, made, other, elsewhere) == ["", "", "", "Fatura"]
    await desk.undo({"id": (await desk.merge(hers, other))["id"]})
    assert await called(desk, hers, made, other, elsewhere) == ["", "", "", "Fatura"]


async def test_it_goes_with_what_retention_takes(desk: Regroup, tmp_path: Path) -> None:
    one = await desk.begun("Yardım edin", subject=WORD, **HERS)
    other = await desk.begun("Konu yok", **HERS, **APART)
    await desk.merge(one, other)
    await desk.shift.execute("update santral.work_item set state = 'canceled'")
    await desk.shift.execute("update santral.conversation set state = 'closed', closed_at = now() - interval '3 days'")
    await desk.shift.execute('update santral.workspace set settings = settings || \'{"retention": {"messages": 1}}\'')
    leases = Leases(desk.shift.db, kind="retention", slots=1, owner=uuid4())
    await leases.round()
    assert await Retention(db=desk.shift.db, blobs=FileBlobs(tmp_path), leases=leases).round()
    assert await called(desk, one, other) == ["", ""]


async def test_who_joins_without_anybody_vouching_for_them_does_not_say_what_it_is_called(desk: Regroup) -> None:
    hers = await desk.begun("Yardım edin", **HERS)
    await joins(desk, hers, "Ben de", subject=WORD, authenticated=False, **HIS)
    (said,) = await rows(desk.shift.db, "select body ? 'aside' as aside from santral.message where text = 'Ben de'")
    assert said["aside"]
    assert await called(desk, hers) == [""]
    await joins(desk, hers, "Yine ben", subject="Kargo", **HERS)
    assert await called(desk, hers) == ["Kargo"]
