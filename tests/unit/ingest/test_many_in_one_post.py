"""One post of very many messages: others go on meanwhile, the broker gets it in portions, and beyond a bound it is kept as it is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ingest import parse_worker
from ingest.adapter import Draft
from ingest.parse_worker import answer, answer_of, question
from ingest.receive import Receiver
from shared.blobs_files import FileBlobs
from shared.clock import SystemClock
from shared.kafka import Record
from shared.turns import A_TURN
from tests.support.providers import request_of, target_of

MANY = 1200


class Kept:
    """A broker that keeps how many it was given at once."""

    def __init__(self) -> None:
        self.portions: list[int] = []

    async def publish(self, topic: str, records: Sequence[Record]) -> None:
        self.portions.append(len(records))


def drafts(count: int) -> list[Draft]:
    (one,) = target_of("api").inboxes
    return [Draft(inbox=one, external_id=f"{number}", values={"text": "Merhaba"}) for number in range(count)]


async def test_others_have_turns_while_many_are_taken_in(tmp_path: Path) -> None:
    broker = Kept()
    receiver = Receiver(publisher=broker, topic="t", blobs=FileBlobs(tmp_path), secret=b"s" * 32, clock=SystemClock())
    taking = asyncio.create_task(receiver.receive(target_of("api"), drafts(MANY)))
    turns = 0
    while not taking.done():
        turns += 1
        await asyncio.sleep(0)
    assert [one.external_id for one in taking.result()] == [f"{number}" for number in range(MANY)]
    assert turns >= MANY // A_TURN
    assert broker.portions == [500, 500, 200]


async def test_more_than_a_bound_in_one_post_are_kept_as_they_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse_worker, "ELEMENTS_MAX", 3)
    target = target_of("asterisk")
    row = (
        b'"","0532%07d","100","from-trunk","","SIP/trunk-1","SIP/100-2","Dial","","2026-01-02 10:00:0%d","",'
        b'"2026-01-02 10:01:00","60","0","NO ANSWER","DOCUMENTATION","%d.1",""\n'
    )
    for count, understood in ((3, True), (4, False)):
        body = b"".join(row % (number, number, 1000 + number) for number in range(count))
        request = replace(request_of({}, body=b""), body=body)
        found = await answer_of(answer(b"".join(question(target, request))), target, body)
        assert isinstance(found, list) == understood
        assert understood or found == "more than 3 messages in one post; send fewer at once"
