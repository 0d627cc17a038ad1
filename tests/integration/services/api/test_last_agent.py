"""Who served a person last: by an answer, by finishing, by writing first, by a call; a person's view says so, and rules see it."""

from __future__ import annotations

from uuid import UUID

from tests.support.api import Api
from tests.support.intake_line import rows
from tests.support.shift import Shift


async def last_agent(api: Api, shift: Shift, item: UUID) -> str | None:
    """What the API says of whoever wrote the item's conversation."""
    key = await api.key(shift.workspace.id)
    conversation = (await shift.item(item))["conversation_id"]
    (row,) = await rows(shift.db, "select last_handle_id from santral.conversation where id = $1", conversation)
    answer = await api.client.get(f"/v1/profiles/{row['last_handle_id']}", headers=key)
    assert answer.status_code == 200, answer.text
    found: str | None = answer.json()["last_agent_id"]
    return found


async def test_who_answers_served_last(api: Api, shift: Shift) -> None:
    item = await shift.mine()
    row = await shift.item(item)
    assert await last_agent(api, shift, item) is None
    as_agent = await api.agent(shift.workspace.id, row["agent_id"])
    body = {"content": {"kind": "text", "text": "Bakıyorum."}}
    answer = await api.client.post(f"/v1/conversations/{row['conversation_id']}/replies", json=body, headers=as_agent)
    assert answer.status_code == 202, answer.text
    assert await last_agent(api, shift, item) == str(row["agent_id"])


async def test_who_finishes_without_a_word_served_last(api: Api, shift: Shift) -> None:
    item = await shift.mine()
    agent = (await shift.item(item))["agent_id"]
    answer = await api.client.post(f"/v1/items/{item}/done", json={}, headers=await api.agent(shift.workspace.id, agent))
    assert answer.status_code == 200, answer.text
    assert await last_agent(api, shift, item) == str(agent)


async def test_an_answer_of_a_key_is_nobodys(api: Api, shift: Shift) -> None:
    item = await shift.mine()
    conversation = (await shift.item(item))["conversation_id"]
    body = {"content": {"kind": "text", "text": "Merhaba."}}
    answer = await api.client.post(
        f"/v1/conversations/{conversation}/replies", json=body, headers=await api.key(shift.workspace.id)
    )
    assert answer.status_code == 202, answer.text
    assert await last_agent(api, shift, item) is None
