"""Times that a sender made up, near the ends of what can be counted: nobody waits, and who was erased stays erased."""

from __future__ import annotations

import pytest

from shared.message import InboundMessage
from tests.support.api import Api
from tests.support.intake_line import message_to, rows
from tests.support.office import HELD, Office, office_of
from tests.support.workspaces import Workspace

SAID = ("9999-12-31T23:30:00+00:00", "9999-12-31T23:30:00-12:00", "0001-01-01T00:00:00+23:59", "2026-03-01T09:00:00+23:59")


@pytest.fixture
async def office(api: Api, workspace: Workspace) -> Office:
    return await office_of(api, workspace)


@pytest.mark.parametrize("said", SAID)
async def test_a_time_that_a_sender_made_up_stops_nobody(office: Office, said: str) -> None:
    await office.erase(await office.profile(HELD))
    for place, who in enumerate((HELD, "somebody@ornek.com", HELD)):
        office.line.add(message_to(office.workspace, "smtp", f"late {place}", who=who, sent_at=said))
    taken = await office.member.take(office.line)
    assert taken.next_offsets == {0: len(office.line.records)}
    assert await rows(office.api.worker, "select reason from santral.quarantine") == []
    kept = await rows(office.api.worker, "select sent_at from santral.message where external_id = 'late 1'")
    assert len(kept) == 1


def test_what_nobody_can_count_with_says_nothing(workspace: Workspace) -> None:
    times = [message_to(workspace, "smtp", "one", sent_at=said).sent_at for said in SAID]
    assert [time and time.isoformat() for time in times] == [None, None, None, "2026-02-28T09:01:00+00:00"]
    assert isinstance(message_to(workspace, "smtp", "one"), InboundMessage)
