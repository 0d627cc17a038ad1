"""Payloads that no provider's manual shows: recorded ones, changed. Nothing of them raises, and nothing of them is lost."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, cast

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.adapter import Draft, Request, Target, Unparsed
from ingest.directory import Directory
from ingest.parse import Parser
from ingest.receive import Receiver
from ingest.registry import adapter_for, adapters
from services.frame.bodies import Bodies
from services.gateway.app import create_gateway
from shared.blobs_files import FileBlobs
from shared.clock import SystemClock
from shared.cloudevent import decode_message
from shared.errors import Unauthenticated
from tests.support.mail_door import Kept
from tests.support.mutations import body_of, mutated, samples, single_changes
from tests.support.providers import NOW, SHARED, request_of, target_of

POSTED: Final = sorted(name for name, adapter in adapters().items() if adapter.body_bytes_max > 0)
"""Every provider that posts to us: whoever adds one, adds its samples."""
RECORDED: Final = {provider: samples(provider) for provider in POSTED}
EACH_FIELD_OF: Final = 5
PARSED_EXAMPLES: Final = 200
POSTED_EXAMPLES: Final = 40
NO_SHRINKING_BY_FIXTURES: Final = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


class Fixed(SystemClock):
    """The moment at which the samples were signed."""

    def now(self) -> datetime:
        return NOW


class Trusting:
    """Replays are nobody's concern here."""

    async def check(self, *_: object) -> None: ...

    async def remember(self, *_: object) -> None: ...


class OneTarget(Directory):
    """A directory that knows one address."""

    def __init__(self, target: Target) -> None:
        super().__init__(cast("Any", None), cast("Any", None))
        self._known = target
        self.loaded = True

    def target(self, path_token: str) -> Target:
        return self._known


def test_every_provider_that_posts_has_samples() -> None:
    assert {provider for provider, recorded in RECORDED.items() if not recorded} == set()
    assert set(adapters()) - set(POSTED) == {"webchat"}, "its frames are read by the chat's socket"


@pytest.mark.parametrize("provider", POSTED)
def test_no_field_as_anything_else_raises(provider: str) -> None:
    adapter = adapter_for(SHARED.get(provider, provider))
    for sample in RECORDED[provider][:EACH_FIELD_OF]:
        target, recorded = target_of(provider, sample), request_of(sample, body=b"")
        for body in single_changes(sample):
            for one in adapter.parse(target, replace(recorded, body=body)):
                assert isinstance(one, Draft) or one.reason


@pytest.mark.parametrize("provider", POSTED)
@given(data=st.data())
@settings(max_examples=PARSED_EXAMPLES, suppress_health_check=NO_SHRINKING_BY_FIXTURES)
def test_a_changed_payload_never_raises(provider: str, data: st.DataObject) -> None:
    sample, body = data.draw(mutated(RECORDED[provider]))
    query = data.draw(st.sampled_from(({}, {"amends": "true"}, {"amends": "\x00"})))
    target, adapter = target_of(provider, sample), adapter_for(SHARED.get(provider, provider))
    request = replace(request_of(sample, body=body), query=query)
    adapter.verify(target, request)
    parsed = adapter.parse(target, request)
    for one in parsed:
        assert isinstance(one, Draft | Unparsed)
        assert isinstance(one, Draft) or one.reason


@pytest.mark.parametrize("provider", sorted(adapters()))
@given(data=st.data())
@settings(max_examples=PARSED_EXAMPLES, suppress_health_check=NO_SHRINKING_BY_FIXTURES)
def test_a_changed_proof_is_refused_and_nothing_else(provider: str, data: st.DataObject) -> None:
    """Whatever stands in headers and query: it proves who posts, or the adapter says that it does not."""
    sample = data.draw(st.sampled_from(RECORDED.get(provider) or [{"text": "x"}]))
    target, adapter = target_of(provider, sample), adapter_for(SHARED.get(provider, provider))
    request = request_of(sample, body=body_of(sample))
    values = st.one_of(st.text(max_size=40), st.sampled_from(sorted(request.headers.values())))
    names = st.sampled_from(
        [*request.headers, "webhook-id", "webhook-timestamp", "webhook-signature", "santral-signature", "santral-timestamp"]
    )
    headers = data.draw(st.dictionaries(names, values, max_size=6))
    asked = data.draw(st.dictionaries(st.sampled_from(["hub.mode", "hub.verify_token", "hub.challenge"]), st.text(max_size=20)))
    changed = replace(
        request, headers={**request.headers, **headers}, query=asked, method=data.draw(st.sampled_from(["GET", "POST"]))
    )
    for step in (adapter.challenge, adapter.verify):
        with contextlib.suppress(Unauthenticated):
            step(target, changed)


@contextlib.asynccontextmanager
async def posting(target: Target, kept: Kept, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    receiver = Receiver(publisher=kept, topic="t", blobs=FileBlobs(folder), secret=b"s" * 32, clock=Fixed())
    async with Parser() as parser:
        app = create_gateway(
            directory=OneTarget(target),
            receiver=receiver,
            parser=parser,
            replays=cast("Any", Trusting()),
            clock=Fixed(),
            bodies=Bodies(),
        )
        transport = httpx.ASGITransport(app, raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            yield client


async def post(client: httpx.AsyncClient, request: Request) -> httpx.Response:
    headers = {name.encode(): value.encode() for name, value in request.headers.items()}
    return await client.post("/in/in", content=request.body, headers=headers, params=dict(request.query))


@pytest.mark.parametrize("provider", POSTED)
@given(data=st.data())
@settings(max_examples=POSTED_EXAMPLES, suppress_health_check=NO_SHRINKING_BY_FIXTURES)
async def test_the_gateway_acknowledges_a_changed_payload_and_keeps_what_it_acknowledged(
    provider: str, data: st.DataObject
) -> None:
    sample, body = data.draw(mutated(RECORDED[provider]))
    kept = Kept()
    with TemporaryDirectory() as folder:
        async with posting(target_of(provider, sample), kept, Path(folder)) as client:
            answer = await post(client, request_of(sample, body=body))
            assert answer.status_code == 200, answer.text
            messages = [decode_message(record.headers, record.value) for record in kept.records]
            assert [one["id"] for one in answer.json()["accepted"]] == [str(message.id) for message in messages]
            again = await post(client, request_of(sample, body=body))
    assert again.json() == answer.json(), "a redelivery is the same messages"
    assert all(message.reason for message in messages if message.kind == "unparsed")


def _tomorrows(sample: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The entries of a recorded webhook as a later release may send them: new fields, new events, new lists."""
    entries = [entry for entry in sample["entry"] if isinstance(entry, dict)]
    found = [{"id": entry.get("id"), "tomorrow": entry} for entry in entries]
    for entry in entries:
        changes = [{**change, "field": "tomorrow"} for change in entry.get("changes") or () if isinstance(change, dict)]
        found += [{**entry, "messaging": [], "changes": [change]} for change in changes]
        for event in entry.get("messaging") or ():
            said = {"sender": {"id": "1"}, "recipient": {"id": "2"}, "timestamp": 1, "tomorrow": event}
            found.append({**entry, "changes": [], "messaging": [said]})
    return found


def webhooks() -> Iterator[Any]:
    for provider in sorted(SHARED):
        for number, sample in enumerate(RECORDED[provider]):
            if isinstance(sample.get("json"), dict) and isinstance(sample["json"].get("entry"), list):
                yield pytest.param(provider, sample["json"], id=f"{provider}-{number}")


@pytest.mark.parametrize(("provider", "sample"), list(webhooks()))
async def test_unknown_events_are_stored_and_acknowledged(tmp_path: Path, provider: str, sample: dict[str, Any]) -> None:
    """An event, a field, a list and an object that nobody knows yet: each kept by itself, with its bytes."""
    tomorrow = _tomorrows(sample)
    for body, wanted in (({**sample, "entry": tomorrow}, len(tomorrow)), ({**sample, "object": "tomorrow"}, 1)):
        kept = Kept()
        async with posting(target_of(provider), kept, tmp_path) as client:
            answer = await post(client, request_of({"signed": True}, body=json.dumps(body).encode()))
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["accepted"]) == wanted
        messages = [decode_message(record.headers, record.value) for record in kept.records]
        assert [message.kind for message in messages] == ["unparsed"] * wanted
        assert all("tomorrow" in base64.b64decode(message.original or "").decode() for message in messages)
