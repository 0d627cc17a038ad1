"""Which way a call went, who it is from, and what kind it is: by the channel, then by the number."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ingest.phone.cdr import BASE, Row, read_row
from ingest.phone.joined import JoinedCall, joined
from ingest.phone.switchboard import switchboard_of
from shared.callers import is_withheld

COLUMNS = (*BASE, "uniqueid", "userfield", "peeraccount", "linkedid", "sequence")
OWN = "02125550000"
TRUNK, DESK, NAMED, NAMED_DESK = "PJSIP/trunk-00000001", "PJSIP/101-00000002", "PJSIP/netgsm-00000003", "SIP/alice-00000004"
SETTINGS: dict[str, Any] = {"numbers": ["+90 212 555 00 00"]}


def row(src: str = "", dst: str = "400", channel: str = TRUNK, dst_channel: str = "", **values: Any) -> Row:
    cells = {
        "src": src, "dst": dst, "channel": channel, "dstchannel": dst_channel, "lastapp": "Queue", "dcontext": "any",
        "clid": f'"Kim" <{src}>', "start": "2026-11-27 10:00:00", "answer": "", "end": "2026-11-27 10:01:00", "duration": "60",
        "billsec": "0", "disposition": "NO ANSWER", "uniqueid": "u-1", "linkedid": "u-1", "sequence": "1", **values,
    }  # fmt: skip
    line = ",".join('"{}"'.format(cells.get(name, "").replace('"', '""')) for name in COLUMNS)
    return read_row(line, zone=ZoneInfo("Europe/Istanbul"))


def taken(**values: Any) -> dict[str, Any]:
    return {"disposition": "ANSWERED", "answer": "2026-11-27 10:00:10", "billsec": "50", **values}


def later(start: str, answer: str, duration: int, billsec: int, **values: Any) -> dict[str, Any]:
    day = "2026-11-27 10:00:"
    return taken(start=day + start, answer=day + answer, duration=str(duration), billsec=str(billsec), sequence="2", **values)


def call(*rows: Row, **settings: Any) -> JoinedCall | None:
    return joined(rows, switchboard_of({**SETTINGS, **settings}, region="TR"))


@pytest.mark.parametrize(
    "withheld", ["", "anonymous", "Restricted", "unknown", "+266696687", "P", "0", "anonymous@anonymous.invalid"]
)
@pytest.mark.parametrize("dst", ["400", OWN, "s"])
@pytest.mark.parametrize("channel", [TRUNK, NAMED, "DAHDI/i1/-2", "SIP/8508001122-00000005"])
def test_who_withholds_their_number_calls_us_and_is_nobody(withheld: str, dst: str, channel: str) -> None:
    found = call(row(withheld, dst, channel))
    assert found is not None
    assert (found.direction, found.kind, found.number, found.name) == ("in", "missed_call", "", "")


@pytest.mark.parametrize(
    ("src", "dst", "channel", "dst_channel", "settings", "direction"),
    [
        ("05334440001", "400", TRUNK, "", {}, "in"),
        ("05334440001", OWN, NAMED, DESK, {}, "in"),
        (OWN, "05334440001", DESK, TRUNK, {}, "out"),
        (OWN, "05334440001", NAMED_DESK, NAMED, {}, "out"),
        (OWN, "400", TRUNK, DESK, {}, "in"),
        (OWN, OWN, TRUNK, "", {}, "in"),
        ("101", "05334440001", DESK, NAMED, {}, "out"),
        ("anonymous", "05334440001", DESK, TRUNK, {}, "out"),
        ("anonymous", "05334440001", NAMED_DESK, TRUNK, {"agents": {"SIP/alice": "Alice"}}, "out"),
        ("", "05334440001", NAMED_DESK, TRUNK, {"agents": {"alice": "Alice"}}, "out"),
        ("100", "200", NAMED_DESK, "SIP/bob-00000005", {}, None),
        ("alice", "200", NAMED_DESK, "SIP/bob-00000005", {}, None),
        ("100", "200", NAMED_DESK, "", {"trunks": ["SIP/alice"]}, "in"),
        ("101", OWN, DESK, "PJSIP/102-00000009", {}, None),
        ("101", "02125550099", DESK, "PJSIP/102-00000009", {}, None),
        ("101", "*97", DESK, "", {}, None),
        ("101", "vmu101", DESK, "", {}, None),
        ("05334440001", "05334440002", "Local/101@queue-00000001;2", DESK, {}, "in"),
        ("101", "05334440002", "Local/101@out-00000001;2", TRUNK, {}, "out"),
        ("", "05334440001", "PJSIP/1234567-00000001", TRUNK, {"extensions": "[0-9]{7}"}, "out"),
        ("12345", "400", NAMED, "", {"extensions": "[1-4][0-9]{2}"}, "in"),
        ("101", "05334440001", DESK, TRUNK, {"inbound_contexts": ["any"]}, "in"),
    ],
)
def test_the_channel_tells_which_way_a_call_went(
    src: str, dst: str, channel: str, dst_channel: str, settings: dict[str, Any], direction: str | None
) -> None:
    found = call(row(src, dst, channel, dst_channel), **settings)
    assert (found and found.direction) == direction
    if found is not None and direction == "out":
        assert found.number == dst


@pytest.mark.parametrize("written", [OWN, "+902125550000", "00902125550000", "2125550000", "(0212) 555 00 00"])
def test_our_own_number_is_nobodys_however_it_is_written(written: str) -> None:
    found = call(row(written, "05334440001", DESK, TRUNK))
    assert found is not None
    assert (found.kind, found.direction, found.answered, found.number) == ("call", "out", False, "05334440001")
    looped = call(row(written, "400", TRUNK))
    assert looped is not None
    assert (looped.kind, looped.direction, looped.number, looped.name) == ("missed_call", "in", "", "")


def test_only_who_calls_us_is_named_and_only_by_their_own_rows() -> None:
    outgoing = call(row("101", "05334440001", DESK, TRUNK, clid='"Deniz Destek" <101>'))
    assert outgoing is not None
    assert outgoing.name == ""
    passed_on = call(
        row("05334440001", "400", TRUNK, DESK, clid="<05334440001>", **taken()),
        row("101", "102", DESK, "PJSIP/102-00000009", clid='"Deniz Destek" <101>', sequence="2", **taken()),
    )
    assert passed_on is not None
    assert (passed_on.direction, passed_on.name) == ("in", "")
    nameless = call(row("05334440001", clid='"Unknown" <05334440001>'))
    assert nameless is not None
    assert nameless.name == ""


def test_agents_are_devices_of_the_house_and_the_customers_line_answers_what_we_dial() -> None:
    out = call(row("101", "05334440001", DESK, TRUNK, **taken()))
    assert out is not None
    assert (out.answered, out.talk_s, out.wait_s, out.agents) == (True, 50, 10, ("PJSIP/101",))
    forwarded = call(row("05334440001", "400", TRUNK, "PJSIP/trunk-00000009", **taken()))
    assert forwarded is not None
    assert (forwarded.kind, forwarded.answered, forwarded.agents) == ("missed_call", False, ())
    for dialled in ("SIP/netgsm/05334440009,30", "SIP/05334440009@netgsm,30"):
        mobile = call(row("05334440001", "400", TRUNK, "SIP/netgsm-00000009", lastapp="Dial", lastdata=dialled, **taken()))
        assert mobile is not None
        assert (mobile.kind, mobile.agents) == ("missed_call", ()), "a colleague's mobile, or its mailbox"
    device = call(row("05334440001", "400", TRUNK, "SIP/bob-00000009", lastapp="Dial", lastdata="SIP/bob,,Tt", **taken()))
    assert device is not None
    assert (device.kind, device.agents) == ("call", ("SIP/bob",))
    hairpin = call(row("05334440001", "400", NAMED, "PJSIP/netgsm-00000009", **taken()))
    assert hairpin is not None
    assert (hairpin.kind, hairpin.agents) == ("missed_call", ())
    asked = call(
        row("05334440001", "400", TRUNK, DESK),
        row("101", "05334440009", DESK, NAMED, sequence="2", uniqueid="u-2", **taken()),
    )
    assert asked is not None
    assert (asked.direction, asked.kind, asked.agents) == ("in", "missed_call", ("PJSIP/101",))
    clicked = call(
        row("05334440001", "101", "Local/101@dial-00000001;1", DESK, **taken()),
        row("101", "05334440001", "Local/101@dial-00000001;2", TRUNK, sequence="2", uniqueid="u-2", lastapp="Dial"),
    )
    assert clicked is not None
    assert (clicked.direction, clicked.number, clicked.answered, clicked.agents) == ("out", "05334440001", False, ("PJSIP/101",))
    transferred = call(
        row("101", "05334440001", DESK, TRUNK, **taken(end="2026-11-27 10:00:40", duration="40", billsec="30")),
        row("05334440001", "102", TRUNK, "PJSIP/102-00000009", **later("40", "45", 20, 15)),
    )  # fmt: skip
    assert transferred is not None
    assert (transferred.direction, transferred.talk_s, transferred.agents) == ("out", 45, ("PJSIP/101", "PJSIP/102"))
    secretary = call(
        row("102", "101", "PJSIP/102-00000005", DESK, **taken()),
        row("101", "05334440001", DESK, TRUNK, sequence="2", start="2026-11-27 10:00:20", lastapp="Dial"),
    )
    assert secretary is not None
    assert (secretary.direction, secretary.number) == ("out", "05334440001")


def test_what_ends_in_a_mailbox_is_a_voicemail() -> None:
    number = "05334440001"
    voicemail = call(row(number, "400", TRUNK, DESK), row(number, "vmu101", TRUNK, sequence="2", lastapp="VoiceMail", **taken()))
    assert voicemail is not None
    assert (voicemail.kind, voicemail.answered, voicemail.agents, voicemail.talk_s) == ("voicemail", False, ("PJSIP/101",), 0)
    passed_on = call(
        row(number, "400", TRUNK, DESK, **taken()),
        row(number, "vmu102", TRUNK, lastapp="VoiceMail", **later("50", "50", 10, 10)),
    )  # fmt: skip
    assert passed_on is not None
    assert (passed_on.kind, passed_on.answered, passed_on.talk_s) == ("voicemail", True, 50)
    heard = call(
        row(number, "vmu101", TRUNK, lastapp="VoiceMail", **taken()),
        row(number, "0", TRUNK, DESK, **later("50", "55", 10, 5)),
    )  # fmt: skip
    assert heard is not None
    assert (heard.kind, heard.answered) == ("call", True)
    listens = call(
        row(number, "400", TRUNK, DESK, **taken()), row("101", "8500", DESK, lastapp="VoiceMail", **later("20", "21", 10, 9))
    )
    assert listens is not None
    assert listens.kind == "call"
    own_mailbox = call(row("101", "*97", DESK, lastapp="VoiceMailMain", **taken()))
    assert own_mailbox is None
    music = call(row(number, "400", TRUNK, lastapp="MusicOnHold", **taken()))
    assert music is not None
    assert (music.kind, music.answered) == ("missed_call", False)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"time_zone": "Europe/Nowhere"}, "time_zone"),
        ({"numbers": "0212"}, "numbers"),
        ({"trunks": [1]}, "trunks"),
        ({"agents": ["101"]}, "agents"),
        ({"columns": {"src": 1}}, "columns"),
        ({"inbound_contexts": "from-trunk"}, "inbound_contexts"),
    ],
)
def test_settings_that_are_wrong_are_named(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(ValueError, match=f"the inbox's {field}: "):
        switchboard_of(settings, region="TR")


def test_columns_without_what_a_call_needs_are_named() -> None:
    with pytest.raises(ValueError, match="the inbox's columns lack channel, disposition, dst, dstchannel"):
        read_row("1,2", zone=ZoneInfo("UTC"), columns=("src", "start"))


def test_a_number_is_withheld_or_it_is_not() -> None:
    assert not any(map(is_withheld, ["05334440001", "101", "+4915112000001", "4440333", "sip:05334440001@trunk.example"]))


@pytest.mark.parametrize(
    "rows",
    [
        [row("dial", "101", "Local/dial@any-00000001;1", DESK, lastapp="Dial", **taken()),
         row("mailbox", "", "Local/dial@any-00000001;2", lastapp="VoiceMailMain", sequence="2", **taken())],
        [row("100", "700", NAMED_DESK, "Local/one@any-00000001;1"),
         row("700", "one", "Local/one@any-00000001;2", "SIP/frank-00000008", sequence="2", **taken())],
        [row("", "s", NAMED_DESK, lastapp="AppDial")],
        [row("100", "700", NAMED_DESK, lastapp="Park", **taken())],
        [row("100", "1000", NAMED_DESK, "SIP/bob-00000008", lastapp="ConfBridge", **taken())],
    ],
)  # fmt: skip
def test_calls_inside_the_house_are_no_customers(rows: list[Row]) -> None:
    assert call(*rows) is None
