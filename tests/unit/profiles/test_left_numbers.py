"""Numbers that change hands within one batch: in their order, and in few transactions of one workspace."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

from profiles.left_numbers import TURNS_MAX, in_turns
from profiles.sighting import SeenHandle, Sighting
from shared.handle import Handle, left
from shared.ids import MessageId, WorkspaceId

NOW = datetime(2026, 11, 30, tzinfo=UTC)
NUMBER = Handle(kind="wa_id", value="905321000001")


def notice(workspace: UUID) -> Sighting:
    message = uuid4()
    gone = left(NUMBER, str(message), NOW)
    seen = SeenHandle(handle=gone, raw=gone.value, name="", assurance="channel_verified")
    return Sighting(
        workspace_id=WorkspaceId(workspace),
        message_id=MessageId(message),
        senders=(seen,),
        seen_at=NOW,
    )


def test_a_number_that_leaves_again_and_again_makes_few_turns_and_no_word_is_lost() -> None:
    noisy, quiet = uuid4(), uuid4()
    sightings = [*(notice(noisy) for _ in range(100)), notice(quiet), notice(quiet)]
    turns = list(in_turns(sightings))
    assert [one for turn in turns for one in turn] == sightings
    assert len(turns) == TURNS_MAX + 2, "another workspace's numbers have turns of their own"
