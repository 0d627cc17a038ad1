"""A call in a conversation with words: it stands in the history, and the next answer goes where it went."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.calls import NUMBER, call
from tests.support.intake_line import rows
from tests.support.shift import Shift

MAIL: dict[str, Any] = {
    "provider": "smtp", "subject": "Sipariş", "sender": {"kind": "email", "value": "ayse@ornek.com", "assurance": "channel_verified"},
    "other_handles": ({"kind": "phone", "value": NUMBER, "assurance": "channel_verified"},),
}  # fmt: skip
_ANSWERED = """
select i.name as inbox, h.kind as handle, c.channels, c.last_in_at, c.id from santral.conversation c
join santral.inbox i on i.id = c.last_inbox_id join santral.handle h on h.id = c.last_handle_id
"""


@pytest.mark.parametrize(
    "told",
    [call("c-1", 0), call("c-1", 0, answered=True), {**call("c-1", 0), "kind": "voicemail"}, call("c-1", 0, direction="out")],
)
async def test_a_call_moves_neither_inbox_nor_recipient(shift: Shift, told: dict[str, Any]) -> None:
    item = await shift.mine(**MAIL)
    (before,) = await rows(shift.db, _ANSWERED)
    await shift.writes("", **told)
    (after,) = await rows(shift.db, _ANSWERED)
    assert (after["inbox"], after["handle"]) == ("smtp", "email")
    assert (after["last_in_at"] > before["last_in_at"]) is (told["direction"] == "in")
    said = await rows(shift.db, "select kind, body ? 'aside' as aside from santral.message order by seq")
    assert [(one["kind"], one["aside"]) for one in said] == [("text", False), (told["kind"], False)]
    await shift.reply(item)
    (reply,) = await rows(shift.db, "select provider, channel from santral.message where external_id like 'reply:%'")
    assert reply == {"provider": "smtp", "channel": "email"}
    await shift.sound()


async def test_where_there_are_only_calls_the_last_one_says_who_called(shift: Shift) -> None:
    await shift.writes("", **call("c-1", 0))
    await shift.writes("", **call("c-2", 5))
    (only,) = await rows(shift.db, _ANSWERED)
    assert (only["inbox"], only["handle"], only["channels"]) == ("asterisk", "phone", ["phone"])
    await shift.writes("Hâlâ bekliyorum", **MAIL)
    (now,) = await rows(shift.db, _ANSWERED)
    assert (now["inbox"], now["handle"]) == ("smtp", "email"), "words after calls say where an answer is possible"
    await shift.writes("", **call("c-3", 10))
    (now,) = await rows(shift.db, _ANSWERED)
    assert (now["inbox"], now["handle"]) == ("smtp", "email")
    await shift.sound()
