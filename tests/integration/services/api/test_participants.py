"""Who takes part in a conversation: read from raw mails, from what agents answered, and gone when somebody is erased."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from ingest.adapter import Draft, Inbox, Request, Target
from ingest.adapters.smtp import ADAPTER
from services.api.participants import MESSAGES_LOOKED_AT, PARTICIPANTS_MAX
from services.privacy.erasures import Erasures
from shared.blobs_files import FileBlobs
from shared.ids import new_id
from tests.support.api import Api
from tests.support.intake_line import SECRET, rows
from tests.support.shift import Shift
from tests.support.workspaces import make_workspace

FIRST = """From: Ayşe Işık <ayse@ornek.com>
Resent-From: =?utf-8?q?G=C3=BCl_Santral?= <gul@ornek.com>
To: destek@ornek.com, Veli <veli@ornek.com>, gul@ornek.com, destek+x1@ornek.com
Cc: Can Kaya <can@ornek.com>, veli@ornek.com, ayse@ornek.com, undisclosed-recipients:;
Subject: Siparişim
Message-ID: <1@ornek.com>

Siparişim gelmedi.
"""


def on_the_mail(shift: Shift, raw: str) -> tuple[dict[str, Any], ...]:
    """The participants that the mail adapter reads."""
    workspace_id, inbox_id = shift.workspace.id, shift.workspace.inboxes["smtp"]
    inbox = Inbox(
        workspace_id=workspace_id,
        id=inbox_id,
        name="smtp",
        channel="email",
        provider="smtp",
        address="destek@ornek.com",
        region="TR",
    )
    target = Target(id=inbox_id, workspace_id=workspace_id, provider="smtp", inboxes=(inbox,))
    request = Request(method="POST", url="", headers={}, query={}, body=raw.encode(), received_at=datetime.now(UTC))
    (draft,) = ADAPTER.parse(target, request)
    assert isinstance(draft, Draft)
    return tuple(one.model_dump() for one in draft.values["participants"])


async def taking_part(api: Api, headers: dict[str, str], conversation: UUID) -> list[tuple[str, str, str]]:
    answer = await api.client.get(f"/v1/conversations/{conversation}", headers=headers)
    assert answer.status_code == 200, answer.text
    return [(one["role"], one["handle"]["value"], one["name"]) for one in answer.json()["participants"]]


async def mailed(shift: Shift) -> tuple[UUID, UUID]:
    """Ayşe's mail with all the others on it, with Deniz: item and conversation."""
    item = await shift.mine(
        provider="smtp",
        who="ayse@ornek.com",
        subject="Siparişim",
        participants=on_the_mail(shift, FIRST),
        defines=("mid:1@ornek.com",),
    )
    return item, (await shift.item(item))["conversation_id"]


async def test_everybody_on_a_mail_is_shown_in_their_part(api: Api, shift: Shift) -> None:
    _, conversation = await mailed(shift)
    admin = await api.key(shift.workspace.id)
    first = [
        ("customer", "ayse@ornek.com", ""), ("forwarder", "gul@ornek.com", "Gül Santral"), ("to", "veli@ornek.com", "Veli"),
        ("cc", "can@ornek.com", "Can Kaya"),
    ]  # fmt: skip
    assert await taking_part(api, admin, conversation) == first
    # Can, who was copied, answers; somebody whom nobody named sends a mail on; the customer copies Gül.
    await shift.writes(
        "Ben de bekliyorum.", provider="smtp", who="can@ornek.com", subject="Ynt: Siparişim", refs=("mid:1@ornek.com",)
    )
    await shift.writes("Bilginize.", provider="smtp", who="ece@ornek.com", subject="İlt: Siparişim", refs=("mid:1@ornek.com",))
    copied = ({"kind": "email", "value": "gul@ornek.com", "name": "Gül", "role": "cc"},)
    await shift.writes("Tekrar yazıyorum.", provider="smtp", who="ayse@ornek.com", refs=("mid:1@ornek.com",), participants=copied)
    # Deniz answers to all, and to an address of their own choice.
    deniz = await api.agent(shift.workspace.id, shift.deniz)
    body = {
        "content": {"kind": "text", "text": "Bakıyorum."},
        "cc": ["Can@ornek.com", "yeni@ornek.com"],
        "bcc": ["gizli@ornek.com"],
    }
    for more in ({}, {"to": "depo@ornek.com", "cc": [], "bcc": []}):
        answer = await api.client.post(f"/v1/conversations/{conversation}/replies", json={**body, **more}, headers=deniz)
        assert answer.status_code == 202, answer.text
    found = await taking_part(api, deniz, conversation)
    assert found[0] == ("customer", "ayse@ornek.com", "")
    assert set(found[1:3]) == {("forwarder", "gul@ornek.com", "Gül Santral"), ("forwarder", "ece@ornek.com", "")}
    assert found[3] == ("sender", "can@ornek.com", "Can Kaya")
    assert found[4:] == [
        ("to", "veli@ornek.com", "Veli"), ("to", "depo@ornek.com", ""), ("cc", "yeni@ornek.com", ""),
        ("agent", str(shift.deniz), "Deniz"),
    ]  # fmt: skip


async def test_another_address_of_the_customer_is_the_customer(api: Api, shift: Shift) -> None:
    _, conversation = await mailed(shift)
    admin = await api.key(shift.workspace.id)
    view = (await api.client.get(f"/v1/conversations/{conversation}", headers=admin)).json()
    assert [one["profile_id"] for one in view["participants"]] == [view["customer"]["profile_id"], None, None, None]
    made = await api.client.post(
        "/v1/profiles/identify", json={"handles": [{"kind": "email", "value": "can@ornek.com"}]}, headers=admin
    )
    can = made.json()["profile_id"]
    profile = view["customer"]["profile_id"]
    merged = (await api.client.post(f"/v1/profiles/{profile}/merge", json={"with": can}, headers=admin)).json()
    found = await taking_part(api, admin, conversation)
    assert [role for role, _, _ in found] == ["customer", "customer", "forwarder", "to"]
    await api.client.post(f"/v1/profiles/{profile}/unmerge", json={"link": merged["link_id"]}, headers=admin)
    view = (await api.client.get(f"/v1/conversations/{conversation}", headers=admin)).json()
    assert [(one["role"], one["profile_id"]) for one in view["participants"]][-1] == ("cc", can)


async def test_history_and_evidence_name_the_agents_in_them(api: Api, shift: Shift) -> None:
    _, conversation = await mailed(shift)
    deniz, admin = await api.agent(shift.workspace.id, shift.deniz), await api.key(shift.workspace.id)
    profile = (await api.client.get(f"/v1/conversations/{conversation}", headers=deniz)).json()["customer"]["profile_id"]
    for headers in (deniz, admin):
        written = await api.client.post(f"/v1/profiles/{profile}/notes", json={"text": "Kapıda öder."}, headers=headers)
        assert written.status_code == 201, written.text
    await api.client.post("/v1/profiles/identify", json={"handles": [{"kind": "phone", "value": "+905321234567"}]}, headers=admin)
    other = (await rows(shift.db, "select profile_id from santral.handle where kind = 'phone'"))[0]["profile_id"]
    await api.client.post(f"/v1/profiles/{profile}/merge", json={"with": str(other)}, headers=admin)
    (link,) = (await api.client.get(f"/v1/profiles/{profile}/links", headers=admin)).json()["items"]
    await api.client.post(f"/v1/profiles/{profile}/unmerge", json={"link": link["id"]}, headers=deniz)
    # Whom the link named has no conversation, so the agent sees it no more.
    for path, headers in (("timeline?kind=note", deniz), ("links", admin)):
        found = (await api.client.get(f"/v1/profiles/{profile}/{path}", headers=headers)).json()
        assert found["actors"] == {f"agent:{shift.deniz}": "Deniz"}


async def test_an_erased_person_takes_part_no_more(api: Api, shift: Shift, tmp_path: Path) -> None:
    _, conversation = await mailed(shift)
    await shift.writes("Ben de.", provider="smtp", who="can@ornek.com", subject="Ynt", refs=("mid:1@ornek.com",))
    admin = await api.key(shift.workspace.id)
    assert "can@ornek.com" in str(await taking_part(api, admin, conversation))
    (row,) = await rows(shift.db, "select profile_id from santral.handle where value = 'can@ornek.com'")
    await shift.execute(
        "insert into santral.erasure (workspace_id, id, profile_id, reason, actor) values ($1, $2, $3, 'law', 'test')",
        shift.workspace.id, new_id(), row["profile_id"],
    )  # fmt: skip
    job = Erasures(db=shift.db, blobs=FileBlobs(tmp_path), hints=None, secret=SECRET, settle_s=0)
    while await job.round():
        pass
    found = await taking_part(api, admin, conversation)
    assert found == [
        ("customer", "ayse@ornek.com", ""), ("forwarder", "gul@ornek.com", "Gül Santral"), ("to", "veli@ornek.com", "Veli")
    ]  # fmt: skip


async def test_nobody_is_told_of_another_workspaces_people(api: Api, shift: Shift) -> None:
    _, conversation = await mailed(shift)
    elsewhere = await make_workspace(shift.db, name="baska")
    key = await api.key(elsewhere.id)
    made = await api.client.post(
        "/v1/profiles/identify", json={"handles": [{"kind": "email", "value": "can@ornek.com"}]}, headers=key
    )
    assert made.status_code == 200
    view = (await api.client.get(f"/v1/conversations/{conversation}", headers=await api.key(shift.workspace.id))).json()
    assert [one["profile_id"] for one in view["participants"] if one["role"] == "cc"] == [None]
    assert (await api.client.get(f"/v1/conversations/{conversation}", headers=key)).status_code == 404


async def test_a_crowd_is_not_read_whole(api: Api, shift: Shift) -> None:
    def crowd(mail: int) -> str:
        to = ", ".join(f"k{mail}-{place}@ornek.com" for place in range(150))
        return f"From: ayse@ornek.com\r\nTo: {to}\r\nMessage-ID: <{mail}@ornek.com>\r\n\r\nmerhaba\r\n"

    item = await shift.mine(
        provider="smtp", who="ayse@ornek.com", subject="Sipariş", participants=on_the_mail(shift, crowd(0))[:100]
    )
    (row,) = await rows(shift.db, "select conversation_id from santral.work_item where id = $1", item)
    admin = await api.key(shift.workspace.id)
    for mail in range(1, 4):
        await shift.writes("Yine", provider="smtp", who="ayse@ornek.com", participants=on_the_mail(shift, crowd(mail))[:100])
    assert len(await taking_part(api, admin, row["conversation_id"])) == PARTICIPANTS_MAX
    for _ in range(MESSAGES_LOOKED_AT):
        await shift.writes("Bir daha", provider="smtp", who="ayse@ornek.com")
    assert await taking_part(api, admin, row["conversation_id"]) == [("customer", "ayse@ornek.com", "")]
