"""A PBX's call records, followed by the command line: joined calls, call-backs, nothing twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.support.counter import Counter
from tests.support.serving import said_by


def row(
    caller: str, call: str, *, number: int, agent: str = "", disposition: str = "NO ANSWER", answer: str = "", hour: int = 13, dst: str = "800",
    context: str = "from-trunk", channel: str = "PJSIP/trunk-00000001",
) -> str:  # fmt: skip
    fields = [
        "", caller, dst, context, f'"Ayşe Yılmaz" <{caller}>', channel, agent, "Queue", "", f"2026-03-04 {hour}:11:18",
        answer, f"2026-03-04 {hour}:12:18", 60, 0, disposition, "DOCUMENTATION", call, "", "", call, number,
    ]  # fmt: skip
    return ",".join('"{}"'.format(str(field).replace('"', '""')) for field in fields)


async def ingest(counter: Counter, file: Path, *, inbox: str = "switchboard", secret: str = "") -> str:
    words = [
        "ingest",
        "cdr",
        str(file),
        "--inbox",
        inbox,
        "--url",
        counter.facts["http"],
        "--key",
        counter.facts["api_key"],
        "--secret",
        "POST_SECRET",
    ]
    environment = {"POST_SECRET": secret or counter.facts["secrets"]["switchboard"]["post_secret"]}
    status, said = await said_by(*words, "--webhook-url", counter.facts["webhooks"], environment=environment)
    assert status == 0, said
    return said


async def test_a_missed_call_becomes_a_call_back_and_the_file_again_nothing(counter: Counter, tmp_path: Path) -> None:
    missed, taken = f"0532{uuid4().int % 10**7:07d}", f"0533{uuid4().int % 10**7:07d}"
    one, two = f"pbx-{uuid4()}", f"pbx-{uuid4()}"
    file = tmp_path / "Master.csv"
    file.write_text(
        "\n".join(
            [
                row(missed, one, number=1, agent="PJSIP/101-00000002"),
                row(taken, two, number=2, agent="PJSIP/101-00000003", disposition="BUSY"),
                row(taken, two, number=3, agent="PJSIP/102-00000004", disposition="ANSWERED", answer="2026-03-04 13:11:40"),
                '"short","row"',
                "",
            ]
        )
    )
    await ingest(counter, file)
    called = await counter.conversation_of(f"+90{missed[1:]}", kind="phone")
    assert (called["messages"][0]["kind"], called["messages"][0]["call"]["answered"]) == ("missed_call", False)
    assert called["customer"]["name"] == "Ayşe Yılmaz"
    assert called["item"]["state"] in ("queued", "offered", "assigned")
    item = (await counter.admin.get(f"/v1/items/{called['item']['id']}")).json()
    assert item["kind"] == "callback"
    answered = await counter.conversation_of(f"+90{taken[1:]}", kind="phone")
    call = answered["messages"][0]["call"]
    assert (answered["messages"][0]["kind"], call["answered"], call["agents"]) == ("call", True, ["PJSIP/102"])
    assert answered["item"]["state"] == "completed", "the work was done on the phone"
    again = tmp_path / "again.csv"
    again.write_text(file.read_text())
    await ingest(counter, again)
    await counter.post("Sıradaki", value=f"marker-{uuid4()}@ornek.com")
    assert len((await counter.conversation_of(f"+90{missed[1:]}", kind="phone"))["messages"]) == 1


async def test_a_customer_who_was_reached_is_not_called_back(counter: Counter, tmp_path: Path) -> None:
    number, withheld = f"0533{uuid4().int % 10**7:07d}", f"pbx-{uuid4()}"
    desk, trunk, answer = "PJSIP/101-00000003", "PJSIP/trunk-00000009", "2026-03-04 14:11:40"
    file = tmp_path / "Master.csv"
    file.write_text(
        "\n".join(
            [
                row(number, f"pbx-{uuid4()}", number=1),
                row("anonymous", withheld, number=2),
                row("101", f"pbx-{uuid4()}", number=3, hour=14, dst=number, context="from-internal", channel=desk, agent=trunk,
                    disposition="ANSWERED", answer=answer),
                "",
            ]
        )
    )  # fmt: skip
    await ingest(counter, file)
    called = await counter.conversation_of(f"+90{number[1:]}", kind="phone", at_least=2)
    assert [one["kind"] for one in called["messages"]] == ["missed_call", "call"]
    assert (called["messages"][1]["direction"], called["customer"]["name"]) == ("out", "Ayşe Yılmaz")
    canceled = (await counter.admin.get("/v1/items", params={"state": "canceled", "limit": 200})).json()["items"]
    ended = (
        await counter.admin.get(f"/v1/items/{next(one['id'] for one in canceled if one['conversation_id'] == called['id'])}")
    ).json()
    assert (ended["kind"], ended["state"]) == ("callback", "canceled")
    inboxes = (await counter.admin.get("/v1/inboxes")).json()["items"]
    scope = f"call:{next(one['id'] for one in inboxes if one['name'] == 'switchboard')}"
    caller = {"handles": [{"kind": "visitor", "scope": scope, "value": withheld}]}
    nobody = (await counter.admin.post("/v1/profiles/lookup", json=caller)).json()["items"][0]["profile_id"]
    (theirs,) = (await counter.admin.get(f"/v1/profiles/{nobody}/timeline")).json()["conversations"]
    assert (theirs["item"]["state"] in ("queued", "offered", "assigned"), theirs["customer"]["name"]) == (True, "")


async def test_calls_of_ours_are_the_customers_and_name_nobody(counter: Counter, tmp_path: Path) -> None:
    """A telephone that shows the company's number, one that shows its own; to whom nobody answered, and who did."""
    unanswered, reached = f"0533{uuid4().int % 10**7:07d}", f"0534{uuid4().int % 10**7:07d}"
    ours: dict[str, Any] = {"context": "from-internal", "channel": "PJSIP/101-00000001", "agent": "PJSIP/trunk-00000002"}
    taken: dict[str, Any] = {"disposition": "ANSWERED", "answer": "2026-03-04 13:11:28"}
    file = tmp_path / "Master.csv"
    file.write_text(
        "\n".join(
            [
                row("02125550000", f"pbx-{uuid4()}", number=1, dst=unanswered, **ours),
                row("101", f"pbx-{uuid4()}", number=2, dst=reached, **ours, **taken),
                "",
            ]
        )
    )
    await ingest(counter, file)
    for number, answered in ((unanswered, False), (reached, True)):
        found = await counter.conversation_of(f"+90{number[1:]}", kind="phone")
        (message,) = found["messages"]
        assert (message["direction"], message["kind"], message["call"]["answered"]) == ("out", "call", answered)
        assert (found["customer"]["name"], message["call"]["agents"]) == ("", ["PJSIP/101"])
        assert (found["item"] or {"state": "none"})["state"] in ("none", "completed"), "nothing is left to do"
    company = {"handles": [{"kind": "phone", "value": "+902125550000"}]}
    assert (await counter.admin.post("/v1/profiles/lookup", json=company)).json()["items"][0]["profile_id"] is None


async def test_a_call_in_the_hour_that_comes_twice_took_as_long_as_it_took(counter: Counter, tmp_path: Path) -> None:
    """Begun before clocks in Berlin went back, ended after: by the clock on the wall it ended before it began."""
    name, number = f"berlin-{uuid4().hex[:8]}", f"+4915112{uuid4().int % 10**6:06d}"
    inbox = {"name": name, "provider": "asterisk", "settings": {"time_zone": "Europe/Berlin", "region": "DE"}}
    made = await counter.admin.post("/v1/inboxes", json=inbox)
    assert made.status_code == 201, made.text
    file = tmp_path / "Master.csv"
    times = '"2026-10-25 02:50:00","2026-10-25 02:51:00","2026-10-25 02:10:00","1200","1140"'
    channels = '"PJSIP/trunk-00000108","PJSIP/101-00000109","Queue",""'
    call = f"pbx-{uuid4()}"
    file.write_text(
        f'"","{number}","400","from-trunk","""""","{channels[1:]},{times},"ANSWERED","DOCUMENTATION","{call}","","","{call}","5"\n'
    )
    await ingest(counter, file, inbox=name, secret=made.json()["secrets_made"]["post_secret"])
    (message,) = (await counter.conversation_of(number, kind="phone"))["messages"]
    told = message["call"]
    assert (told["talk_s"], told["wait_s"], told["answered"]) == (1140, 60, True)
    assert (told["started_at"], told["ended_at"]) == ("2026-10-25T00:50:00Z", "2026-10-25T01:10:00Z")
