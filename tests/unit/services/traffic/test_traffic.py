"""The people, what they say, and that our own adapters understand every form it is sent in."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections import Counter
from datetime import UTC, datetime
from itertools import islice
from uuid import UUID, uuid4

from ingest.adapter import Adapter, Draft, Inbox, Request, Target
from ingest.adapters.api import PostedMessage, draft_of
from ingest.adapters.asterisk import ADAPTER as ASTERISK
from ingest.adapters.meta import CONNECTION as META
from ingest.adapters.smtp import ADAPTER as SMTP
from ingest.signatures import verify_meta
from services.traffic.calls import cdr_rows
from services.traffic.corpus import CORPUS
from services.traffic.deployment import MetaEntrance
from services.traffic.mails import Mails
from services.traffic.people import CHANNELS, PEOPLE, Channel, Happening, happenings, people
from services.traffic.run import Count, send_traffic
from services.traffic.senders import Answer, envelope
from shared.handle import normalized

AT = datetime(2026, 3, 4, 10, tzinfo=UTC)
WORKSPACE = UUID(int=1)


def happened(count: int = 2000, seed: int = 1) -> list[Happening]:
    return list(islice(happenings(seed, CHANNELS), count))


def parsed(provider: str, body: bytes) -> list[Draft]:
    adapters: dict[str, Adapter] = {"asterisk": ASTERISK, "meta": META, "smtp": SMTP}
    addresses = {"asterisk": "", "smtp": "destek@ornek.com"}
    channels = {"asterisk": "phone", "smtp": "email"}
    kinds = ("whatsapp", "messenger", "instagram") if provider == "meta" else (provider,)
    inboxes = tuple(
        Inbox(
            workspace_id=WORKSPACE, id=uuid4(), name=kind, channel=channels.get(kind, "social"), provider=kind,
            address=addresses.get(kind, f"at-{kind}"), region="TR",
        )
        for kind in kinds
    )  # fmt: skip
    target = Target(id=uuid4(), workspace_id=WORKSPACE, provider=provider, inboxes=inboxes)
    request = Request(method="POST", url="", headers={}, query={}, body=body, received_at=AT)
    found = list(adapters[provider].parse(target, request))
    assert all(isinstance(one, Draft) for one in found), found
    return [one for one in found if isinstance(one, Draft)]


def test_the_corpus_is_wide_and_every_line_is_another() -> None:
    assert len({said.text for said in CORPUS}) == len(CORPUS) >= 60
    assert {said.language for said in CORPUS} == {"tr", "en"}
    for language in ("tr", "en"):
        kinds = Counter(said.kind for said in CORPUS if said.language == language)
        assert kinds["question"] >= 10
        assert kinds["complaint"] >= 8
        assert min(kinds[kind] for kind in ("follow_up", "thanks", "auto_reply")) >= 2
    assert all(said.subject for said in CORPUS if said.kind in ("question", "complaint", "auto_reply", "bounce"))


def test_people_have_addresses_of_their_own_that_are_nobodys() -> None:
    everybody = people(1)
    assert len({person.email for person in everybody}) == len({person.phone for person in everybody}) == len(everybody) == PEOPLE
    assert all(person.email.isascii() and person.email.endswith(".example") for person in everybody)
    assert [normalized("phone", person.phone).value for person in everybody] == [person.phone for person in everybody]
    assert people(1) == everybody
    assert people(2) != everybody


def test_the_same_seed_is_the_same_traffic_and_customers_come_back() -> None:
    found = happened()
    assert found == happened()
    assert found[:50] != happened(50, seed=2)
    assert {one.channel for one in found} == set(CHANNELS)
    assert not any("{" in one.text + one.subject for one in found)
    assert len({one.person.number for one in found}) > 150
    assert max(Counter(one.person.number for one in found).values()) < 200
    assert {one.channel for one in found if one.kind in ("auto_reply", "bounce")} == {"mail"}
    begun: set[tuple[int, Channel, int]] = set()
    for one in found:
        place = (one.person.number, one.channel, one.thread)
        assert one.kind == "bounce" or (place in begun) != one.begins
        begun.add(place)


def test_mails_are_understood() -> None:
    mails = Mails("destek@ornek.com", tag="t1")
    kinds: Counter[str] = Counter()
    answers = 0
    for one in [one for one in happened(600) if one.channel == "mail"]:
        (draft,) = parsed("smtp", mails.compose(one, at=AT).as_bytes())
        automatic = draft.values.get("automatic")
        kinds[one.kind] += 1
        assert (automatic is not None) == (one.kind in ("auto_reply", "bounce"))
        assert automatic is None or (automatic.kind == "bounce") == (one.kind == "bounce")
        assert one.text in draft.values["text"]
        answers += bool(draft.values.get("refs"))
    assert min(kinds[kind] for kind in ("question", "thanks", "auto_reply", "bounce")) > 0
    assert answers > 20


def test_calls_are_understood() -> None:
    for one in [one for one in happened(300) if one.channel == "phone"]:
        (draft,) = parsed("asterisk", cdr_rows(one, tag="t1", ended_at=AT).encode())
        assert draft.values["kind"] == ("call" if one.answered else "missed_call")
        assert (draft.values["sender"].value, draft.values["sender"].name) == (one.person.phone, one.person.name)


def test_metas_posts_are_understood() -> None:
    for one in [one for one in happened(200) if one.channel == "social"]:
        for provider in ("whatsapp", "messenger", "instagram"):
            entrance = MetaEntrance(provider=provider, account=f"at-{provider}", webhook="")
            body = json.dumps(envelope(entrance, one, tag="t1", at_s=int(AT.timestamp()))).encode()
            (draft,) = parsed("meta", body)
            assert draft.values["text"] == one.text
            signature = hmac.new(b"secret", body, hashlib.sha256).hexdigest()
            verify_meta(body, f"sha256={signature}", "secret")


def test_posted_messages_are_taken() -> None:
    inbox = Inbox(workspace_id=WORKSPACE, id=uuid4(), name="api", channel="email", provider="api", region="TR")
    for person in people(1):
        for kind, value in (("email", person.email), ("phone", person.phone)):
            posted = PostedMessage.model_validate(
                {"inbox": "api", "external_id": "1", "from": {"kind": kind, "value": value, "name": person.name}, "text": "Merhaba"}
            )
            assert draft_of(inbox, posted).values["sender"].value == value


class Counting:
    """Takes everything but what is said on the telephone."""

    def __init__(self) -> None:
        self.sent: list[int] = []

    async def send(self, happening: Happening) -> Answer:
        await asyncio.sleep(0)
        self.sent.append(happening.number)
        return Answer(state="refused", reason="no") if happening.channel == "phone" else Answer(state="accepted")

    async def close(self) -> None:
        """Nothing is open."""


async def test_a_run_keeps_its_rate_and_counts_every_answer() -> None:
    counting = Counting()
    counts = {channel: Count() for channel in CHANNELS}
    await send_traffic(happenings(1, CHANNELS), dict.fromkeys(CHANNELS, counting), rate=1000, for_s=0.3, seed=1, counts=counts)
    assert counting.sent == list(range(len(counting.sent)))
    assert 200 < len(counting.sent) < 400
    assert sum(count.sent for count in counts.values()) == len(counting.sent)
    assert counts["phone"].refused == counts["phone"].sent > 0
    assert counts["phone"].reasons["no"] == counts["phone"].sent
    shown = counts["chat"].shown()
    assert (shown["accepted"], shown["errors"]) == (counts["chat"].sent, 0)
    assert shown["p50_ms"] is not None
    assert counts["phone"].shown()["p99_ms"] is None
