"""One suite over every channel: what a provider sends becomes what is expected, and nothing else gets in."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.adapter import Draft, Parsed, Reply, Request, Unparsed, draft_message
from ingest.parse_worker import answer, answer_of, question
from ingest.registry import adapter_for, adapters
from ingest.signatures import signed_bytes
from shared.errors import Unauthenticated, Unprocessable
from tests.support.providers import FIXTURES, NOW, OVER_THE_SOCKET, SHARED, inbox, request_of, target_of


def cases() -> Iterator[Any]:
    for path in sorted(FIXTURES.glob("*/*.request.json")):
        yield pytest.param(path.parent.name, path, id=f"{path.parent.name}-{path.name.removesuffix('.request.json')}")


def shown(parsed: Parsed) -> dict[str, Any]:
    if isinstance(parsed, Unparsed):
        return {"unparsed": parsed.inbox.name if parsed.inbox else None}
    message = draft_message(parsed, message_id=uuid4(), accepted_at=NOW, external_id=parsed.external_id or "none")
    flat: dict[str, Any] = {"inbox": parsed.inbox.name, "others": [f"{one.kind}:{one.value}" for one in message.other_handles]}
    for name, value in message.model_dump(mode="json").items():
        flat[name] = value
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": what for inner, what in value.items()}
    return flat


@pytest.mark.parametrize(("provider", "path"), list(cases()))
def test_a_request_becomes_what_is_expected(provider: str, path: Path) -> None:
    fixture = json.loads(path.read_text())
    target, adapter = target_of(provider, fixture), adapter_for(SHARED.get(provider, provider))
    request = request_of(fixture)
    adapter.verify(target, request)
    found = [shown(one) for one in adapter.parse(target, request)]
    expected = json.loads(path.with_name(path.name.replace(".request.", ".expected.")).read_text())
    assert len(found) == len(expected)
    for one, wanted in zip(found, expected, strict=True):
        assert {name: one.get(name) for name in wanted} == wanted
    again = [shown(one).get("external_id") for one in adapter.parse(target, request)]
    assert again == [one.get("external_id") for one in found]


def told(parsed: Parsed) -> tuple[Any, ...]:
    values = {**parsed.values} if isinstance(parsed, Draft) else parsed.reason
    parts = list(parsed.parts) if isinstance(parsed, Draft) else []
    return parsed.inbox and (parsed.inbox.id, parsed.inbox.mask_numbers), parsed.original, values, parts


@pytest.mark.parametrize("extensions", ["(", "(?!1)[0-9]{4}", ""])
def test_a_pattern_that_cannot_be_used_counts_as_none(extensions: str) -> None:
    """As a release left it that saved it unchecked: the calls are taken in as without it."""
    target, adapter = target_of("asterisk"), adapter_for("asterisk")
    broken = replace(target.inboxes[0], settings={**target.settings, "extensions": extensions})
    for path in sorted(FIXTURES.glob("asterisk/*.request.json")):
        request = request_of(json.loads(path.read_text()))
        found = [told(one) for one in adapter.parse(replace(target, inboxes=(broken,)), request)]
        usual = [told(one) for one in adapter.parse(target, request)]
        assert [one[1:] for one in found] == [one[1:] for one in usual] != []


@pytest.mark.parametrize(("provider", "path"), list(cases()))
def test_a_process_of_its_own_understands_the_same(provider: str, path: Path) -> None:
    fixture = json.loads(path.read_text())
    target = target_of(provider, fixture)
    target = replace(target, inboxes=tuple(replace(one, mask_numbers=True) for one in target.inboxes))
    request = request_of(fixture)
    found = asyncio.run(answer_of(answer(b"".join(question(target, request))), target, request.body))
    assert not isinstance(found, str)
    assert [told(one) for one in found] == [told(one) for one in adapter_for(target.provider).parse(target, request)]


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("mail/*.eml")), ids=lambda path: path.stem)
def test_a_process_of_its_own_reads_the_same_mail(path: Path) -> None:
    target = target_of("smtp")
    request = replace(request_of({}, body=b""), body=path.read_bytes())
    found = asyncio.run(answer_of(answer(b"".join(question(target, request))), target, request.body))
    assert not isinstance(found, str)
    assert [told(one) for one in found] == [told(one) for one in adapter_for("smtp").parse(target, request)]


def _forged(request: Request) -> Request:
    """The same post, signed with the empty key that an inbox without a secret would have."""
    headers = dict(request.headers)
    if "x-hub-signature-256" in headers:
        headers["x-hub-signature-256"] = "sha256=" + hmac.new(b"", request.body, hashlib.sha256).hexdigest()
    elif "santral-signature" in headers:
        signed = signed_bytes(headers["santral-timestamp"], headers["santral-token"], request.body)
        headers["santral-signature"] = "v2=" + hmac.new(b"", signed, hashlib.sha256).hexdigest()
    else:
        headers["authorization"] = "Bearer "
    return replace(request, headers=headers)


@pytest.mark.parametrize(("provider", "path"), list(cases()))
def test_a_wrong_or_missing_signature_is_refused(provider: str, path: Path) -> None:
    fixture = json.loads(path.read_text())
    target, adapter = target_of(provider, fixture), adapter_for(SHARED.get(provider, provider))
    request = request_of(fixture)
    with pytest.raises(Unauthenticated):
        adapter.verify(target, replace(request, headers={}))
    with pytest.raises(Unauthenticated):
        adapter.verify(target, replace(request, headers=dict.fromkeys(request.headers, "ğ�")))
    for nothing in ({}, {"signing_secret": "", "post_secret": "", "app_secret": ""}):
        with pytest.raises(Unauthenticated):
            adapter.verify(replace(target, secrets=nothing), request)
        forged = _forged(request)
        with pytest.raises(Unauthenticated):
            adapter.verify(replace(target, secrets=nothing), forged)
    if "authorization" not in request.headers:
        with pytest.raises(Unauthenticated):
            adapter.verify(target, replace(request, body=request.body + b" "))


@pytest.mark.parametrize(("provider", "path"), list(cases()))
def test_what_was_not_understood_can_be_parsed_again_alone(provider: str, path: Path) -> None:
    fixture = json.loads(path.read_text())
    target, adapter = target_of(provider, fixture), adapter_for(SHARED.get(provider, provider))
    for one in adapter.parse(target, request_of(fixture)):
        if isinstance(one, Unparsed):
            again = adapter.parse(target, request_of(fixture, body=one.original))
            assert [type(element) for element in again] == [Unparsed]


@pytest.mark.parametrize("provider", sorted(set(adapters()) - OVER_THE_SOCKET))
@given(body=st.one_of(st.binary(max_size=300), st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["object", "entry", "changes", "messaging", "id", "field", "value", "messages", "metadata"]), inner),
).map(lambda value: json.dumps({"object": "page", "entry": value}).encode())))  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_garbage_never_raises(provider: str, body: bytes) -> None:
    target, adapter = target_of(provider), adapter_for(SHARED.get(provider, provider))
    for one in adapter.parse(target, request_of({}, body=body)):
        assert isinstance(one, Draft | Unparsed)


CONTENTS: dict[str, dict[str, Any]] = {
    "template": {"kind": "template", "name": "hello"},
    "media": {"kind": "media", "text": "", "files": [{"blob": "w/f"}]},
    "html": {"kind": "html", "text": "x", "html": "<p>x</p>"},
    "fax": {"kind": "fax", "text": "x"},
    "empty": {"kind": "text", "text": ""},
    "blank": {"kind": "text", "text": " \n\t"},
    "long": {"kind": "text"},
}


@pytest.mark.parametrize("provider", sorted(set(adapters()) - {"meta"}))
@pytest.mark.parametrize("what", sorted(CONTENTS))
def test_an_answer_that_the_channel_cannot_carry_is_refused_with_a_remedy(provider: str, what: str) -> None:
    adapter = adapter_for(provider)
    can = adapter.capabilities
    if {"template": can.templates, "media": can.files, "html": can.html}.get(what, False):
        pytest.skip("this channel carries it")
    content = {"text": "x" * (can.text_chars_max + 1), **CONTENTS[what]}
    reply = Reply(
        id=uuid4(), conversation_id=uuid4(), at=NOW, inbox=inbox(provider, provider, adapter.channel, address="destek@ornek.com"),
        to_kind="email", to_scope="", to_value="ayse@ornek.com", content=content, window_expires_at=NOW + timedelta(hours=1),
        token_secret=b"x" * 32,
    )  # fmt: skip
    with pytest.raises(Unprocessable) as refused:
        adapter.reply(reply)
    assert (refused.value.field or "").startswith("content")
    assert refused.value.remedy


def test_rows_of_a_switchboard_with_wrong_settings_are_taken_in_once_they_are_right() -> None:
    fixture = json.loads((FIXTURES / "asterisk/11_missed_then_reached.request.json").read_text())
    adapter = adapter_for("asterisk")
    right = target_of("asterisk", fixture)
    wrong = target_of("asterisk", {"settings": {**fixture["settings"], "time_zone": "Europe/Nowhere"}})
    for query in ({}, {"amends": "true"}):
        request = replace(request_of(fixture), query=query)
        kept = adapter.parse(wrong, request)
        assert [one.reason for one in kept if isinstance(one, Unparsed)] == [
            "the inbox's time_zone: no such zone 'Europe/Nowhere'"
        ] * 2, "each call by itself"
        again = [shown(one) for entry in kept for one in adapter.parse(right, request_of(fixture, body=entry.original))]
        wanted = [shown(one) for one in adapter.parse(right, request)]
        assert [(one["external_id"], one["kind"], one["call"]) for one in again] == [
            (one["external_id"], one["kind"], one["call"]) for one in wanted
        ]


def test_every_adapter_has_fixtures() -> None:
    with_fixtures = {path.parent.name for path in FIXTURES.glob("*/*.request.json")} | {"smtp"} | OVER_THE_SOCKET
    assert set(adapters()) <= with_fixtures


@pytest.mark.parametrize("provider", sorted(adapters()))
def test_settings_are_described(provider: str) -> None:
    schema = adapter_for(provider).settings_schema()
    assert schema
    for part in schema.values():
        assert part["settings"]["additionalProperties"] is False
        assert part["secrets"]["additionalProperties"] is False


def test_metas_challenge() -> None:
    target = target_of("meta")
    asked = Request(
        method="GET", url="", headers={}, body=b"", received_at=NOW,
        query={"hub.mode": "subscribe", "hub.verify_token": "verify me", "hub.challenge": "1158201444"},
    )  # fmt: skip
    answer = adapter_for("meta").challenge(target, asked)
    assert answer is not None
    assert answer.text == "1158201444"
    with pytest.raises(Unauthenticated):
        adapter_for("meta").challenge(target, replace(asked, query={**asked.query, "hub.verify_token": "guess"}))
