"""A post of many elements that are not understood is kept once, not each of them with all that stands around it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from ingest.adapter import Draft, Inbox, Request, Target, Unparsed
from ingest.adapters.meta import CONNECTION, ORIGINALS_BYTES_FREE, ORIGINALS_TIMES_MAX

INBOX = Inbox(workspace_id=UUID(int=1), id=UUID(int=2), name="wa", channel="chat", provider="whatsapp", address="100")


def parsed(messages: list[Any], contacts: int, around: str = "") -> tuple[bytes, list[Draft | Unparsed]]:
    value = {
        "messaging_product": "whatsapp", "metadata": {"phone_number_id": "100", "name": around}, "messages": messages,
        "contacts": [{"wa_id": str(number), "profile": {"name": "x" * 90}} for number in range(contacts)],
    }  # fmt: skip
    entry = {"id": "1", "changes": [{"field": "messages", "value": value}]}
    body = json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()
    target = Target(id=INBOX.id, workspace_id=INBOX.workspace_id, provider="meta", inboxes=(INBOX,))
    request = Request(method="POST", url="", headers={}, query={}, body=body, received_at=datetime.now(UTC))
    return body, list(CONNECTION.parse(target, request))


def written(number: int) -> dict[str, Any]:
    return {"id": f"wamid.{number}", "from": "905321234567", "timestamp": "1764000000", "type": "text", "text": {"body": "merhaba"}}


def test_few_are_kept_each_by_itself_and_in_order() -> None:
    _, found = parsed([{"odd": 1}, written(1), {"odd": 2}], contacts=2)
    assert [type(one) for one in found] == [Unparsed, Draft, Unparsed]


def test_many_are_kept_once_and_what_is_understood_stays() -> None:
    body, found = parsed([{"odd": number} for number in range(400)] + [written(1)], contacts=1, around="x" * 40_000)
    assert [type(one) for one in found] == [Draft, Unparsed]
    assert isinstance(found[1], Unparsed)
    assert found[1].original == body
    assert 400 * len(body) > len(body) * ORIGINALS_TIMES_MAX + ORIGINALS_BYTES_FREE


def test_what_is_kept_of_one_element_names_nobody_else() -> None:
    _, found = parsed([{**written(1), "from": "7", "timestamp": "never"}, {"odd": 1}], contacts=20)
    assert all(isinstance(one, Unparsed) for one in found)
    kept = [json.loads(one.original or b"")["entry"][0]["changes"][0]["value"] for one in found]
    assert [one.get("contacts") for one in kept] == [[{"wa_id": "7", "profile": {"name": "x" * 90}}], None]
    assert all(one["metadata"]["phone_number_id"] == "100" for one in kept)


def test_an_account_that_is_no_words_is_not_looked_for() -> None:
    body = json.dumps({"object": "page", "entry": [{"id": {"a": 1}, "messaging": [{}]}]}).encode()
    target = Target(id=INBOX.id, workspace_id=INBOX.workspace_id, provider="meta", inboxes=(INBOX,))
    (found,) = CONNECTION.parse(
        target, Request(method="POST", url="", headers={}, query={}, body=body, received_at=datetime.now(UTC))
    )
    assert isinstance(found, Unparsed)
    assert "no id" in found.reason
