"""Another system hands messages in: states, decisions, keys, duplicates, and clear refusals."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import httpx

from tests.support.counter import Counter
from tests.support.waiting import eventually


async def test_a_message_is_accepted_then_routed_and_says_why(counter: Counter) -> None:
    routed = await counter.post("Bu ne rezalet, siparişim gelmedi!", value=f"a-{uuid4()}@ornek.com")
    assert (routed["state"], routed["queue"]) == ("routed", "complaints")
    decision = (await counter.admin.get(f"/v1/decisions/{routed['decision_id']}")).json()
    assert (decision["kind"], decision["record"]["rule"]) == ("routing", "Complaints first")
    conversation = (await counter.admin.get(f"/v1/conversations/{routed['conversation_id']}")).json()
    assert conversation["customer"]["profile_id"] == routed["profile_id"]


async def test_fifty_at_once_are_one_message_and_fifty_equal_answers(counter: Counter) -> None:
    body = {
        "inbox": "api", "external_id": f"once-{uuid4()}", "from": {"kind": "email", "value": f"b-{uuid4()}@ornek.com"}, "text": "Bir kere",
    }  # fmt: skip
    answers = await asyncio.gather(*(counter.admin.post("/v1/messages", json=body) for _ in range(50)))
    assert {(one.status_code, one.text) for one in answers} == {(202, answers[0].text)}
    routed = await counter.routed(answers[0].json()["id"])
    messages = (await counter.admin.get(f"/v1/conversations/{routed['conversation_id']}/messages")).json()["items"]
    assert len(messages) == 1


async def test_an_idempotency_key_is_for_one_body(counter: Counter) -> None:
    body = {"inbox": "api", "external_id": f"k-{uuid4()}", "from": {"kind": "email", "value": "c@ornek.com"}, "text": "x"}
    headers = {"idempotency-key": str(uuid4())}
    first, again = [await counter.admin.post("/v1/messages", json=body, headers=headers) for _ in range(2)]
    assert (first.status_code, first.text) == (again.status_code, again.text)
    assert first.headers["location"] == f"/v1/messages/{first.json()['id']}"
    other = await counter.admin.post("/v1/messages", json={**body, "text": "y"}, headers=headers)
    assert (other.status_code, other.json()["field"]) == (422, "Idempotency-Key")


async def test_bad_input_names_the_field(counter: Counter) -> None:
    body = {"inbox": "api", "external_id": "z", "from": {"kind": "email", "value": "c@ornek.com"}, "text": "x"}
    cases = [
        ({**body, "colour": "red"}, "body.colour"),
        ({**body, "from": {"kind": "email", "value": "no address"}}, "from.value"),
        ({**body, "from": {"kind": "pigeon", "value": "x"}}, "from.kind"),
        ({**body, "inbox": "nowhere"}, "inbox"),
    ]
    for given, field in cases:
        refused = await counter.admin.post("/v1/messages", json=given)
        problem = refused.json()
        assert (refused.status_code, problem["field"]) == (422, field), problem
        assert problem["remedy"]
        assert refused.headers["content-type"].startswith("application/problem+json")


async def test_a_revoked_key_ends_within_seconds(counter: Counter) -> None:
    made = (await counter.admin.post("/v1/keys", json={"name": "short", "scopes": ["messages:read"]})).json()
    async with httpx.AsyncClient(base_url=counter.facts["http"], headers={"authorization": f"Bearer {made['token']}"}) as client:
        assert (await client.get(f"/v1/messages/{uuid4()}")).status_code == 404
        assert (await client.get("/v1/queues")).status_code == 403
        assert (await counter.admin.delete(f"/v1/keys/{made['id']}")).status_code == 204

        async def refused() -> bool:
            return (await client.get(f"/v1/messages/{uuid4()}")).status_code == 401

        await eventually(refused, 5, "the key is refused")
