"""What was taken in before, under whatever id, is not taken in again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.database import Database
from tests.support.intake_line import Line, member_of, message_to, rows
from tests.support.workspaces import Workspace


async def test_a_mail_that_release_0_1_0_took_in_is_known_by_inbox_message_id_and_date(
    worker_db: Database, workspace: Workspace
) -> None:
    """Its parser's reading was in its id; read otherwise now, the same mail has another id and must not become a second one."""
    member = await member_of(worker_db)
    line, at, digest = Line(), datetime(2026, 11, 20, 9, tzinfo=UTC), 32 * "a"
    line.add(message_to(workspace, "smtp", f"1@x:{digest}", text="was sie las", defines=("mid:1@x",), sent_at=at))
    line.add(message_to(workspace, "smtp", f"2@x:{digest}", text="ohne Datum", defines=("mid:2@x",)))
    await member.take(line)
    before = await rows(worker_db, "select id, seq, text from santral.message order by seq")
    events = len(await rows(worker_db, "select id from santral.event"))
    line.add(message_to(workspace, "smtp", f"1@x#{digest}", text="was wir lesen", defines=("mid:1@x",), sent_at=at))
    line.add(message_to(workspace, "smtp", f"2@x#{digest}", text="ohne Datum", defines=("mid:2@x",)))
    await member.take(line)
    assert await rows(worker_db, "select id, seq, text from santral.message order by seq") == before
    assert len(await rows(worker_db, "select id from santral.event")) == events
    receipts = await rows(worker_db, "select state, seq from santral.receipt where seq is null")
    assert [one["state"] for one in receipts] == ["taken", "taken"], "it is not asked again"


@pytest.mark.parametrize(
    "other",
    [{"sent_at": datetime(2026, 11, 21, 9, tzinfo=UTC)}, {"defines": ("mid:3@x",)}, {"provider": "api"}],
    ids=["another date", "another Message-ID", "another inbox"],
)
async def test_what_only_resembles_a_mail_of_before_is_taken_in(
    worker_db: Database, workspace: Workspace, other: dict[str, Any]
) -> None:
    member = await member_of(worker_db)
    line, digest = Line(), 32 * "a"
    mail: dict[str, Any] = {"provider": "smtp", "defines": ("mid:1@x",), "sent_at": datetime(2026, 11, 20, 9, tzinfo=UTC)}
    line.add(message_to(workspace, mail.pop("provider"), f"1@x:{digest}", **mail))
    await member.take(line)
    changed = {"provider": "smtp", **mail} | other
    line.add(message_to(workspace, changed.pop("provider"), f"1@x#{digest}", **changed))
    await member.take(line)
    assert len(await rows(worker_db, "select id from santral.message")) == 2


async def test_two_mails_of_now_under_one_message_id_and_date_are_two(worker_db: Database, workspace: Workspace) -> None:
    member, at = await member_of(worker_db), datetime(2026, 11, 20, 9, tzinfo=UTC)
    line = Line()
    for digest in (32 * "a", 32 * "b"):
        line.add(message_to(workspace, "smtp", f"1@x#{digest}", defines=("mid:1@x",), sent_at=at))
    await member.take(line)
    assert len(await rows(worker_db, "select id from santral.message")) == 2
