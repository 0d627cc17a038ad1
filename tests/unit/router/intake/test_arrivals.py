"""Records from the log: what a gateway of an earlier release put there has its people under their present names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

from ingest.receive import Receiver
from router.intake.arrivals import arrival_of
from router.signals.signals import words_of
from shared.cloudevent import encode_message
from shared.handle import Handle, normalized, partition_key
from shared.ids import WorkspaceId
from shared.message import InboundMessage, Participant, Sender

SECRET = b"s" * 32
WORKSPACE = UUID(int=7)


@dataclass(frozen=True)
class FromLog:
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    partition: int = 0
    offset: int = 0
    timestamp_ms: int = 0
    since: int | None = None


class Workspaces:
    def workspace(self, workspace_id: UUID) -> Any:
        return SimpleNamespace(id=workspace_id, words=words_of(), languages=("tr",), marked_mail="work")

    def first(self) -> Any:
        return self.workspace(WORKSPACE)


def message(*, sender: Sender, **fields: Any) -> InboundMessage:
    return InboundMessage(
        id=uuid4(), workspace_id=WORKSPACE, inbox_id=uuid4(), external_id="e", channel="email", provider="smtp", sender=sender,
        text="Merhaba", accepted_at=datetime(2026, 11, 1, tzinfo=UTC), **fields,
    )  # fmt: skip


def arrived(sent: InboundMessage) -> InboundMessage:
    record = encode_message(sent, key=b"k")
    found = arrival_of(FromLog(record.value, record.headers), topic="t", secret=SECRET, workspaces=Workspaces())
    assert found.message is not None
    return found.message


def test_a_message_of_an_earlier_gateway_has_its_people_under_their_present_names() -> None:
    before = Sender(
        kind="email", value="zeynep@fass.example", raw="zeynep@faß.example", assurance="channel_verified", name="Zeynep"
    )
    other = Participant(kind="email", value='"ayse"@ornek.com', raw='"ayse"@ornek.com', role="to")
    found = arrived(message(sender=before, participants=(other,)))
    assert found.sender == before.model_copy(update={"value": "zeynep@xn--fa-hia.example"})
    assert [one.value for one in found.participants] == ["ayse@ornek.com"]


def test_the_owner_of_the_other_domain_keeps_their_name() -> None:
    theirs = Sender(kind="email", value="zeynep@fass.example", raw="Zeynep@FASS.example")
    assert arrived(message(sender=theirs)).sender == theirs


def test_a_sender_travels_to_the_partition_of_the_release_before() -> None:
    receiver = Receiver(publisher=None, topic="t", blobs=None, secret=SECRET, clock=None)  # type: ignore[arg-type]
    handle = normalized("email", "zeynep@faß.example")
    now = message(sender=Sender(kind=handle.kind, value=handle.value, raw="zeynep@faß.example"))
    of_0_1_0 = partition_key(SECRET, WorkspaceId(WORKSPACE), Handle(kind="email", value="zeynep@fass.example"))
    assert receiver._record(now).key == of_0_1_0
