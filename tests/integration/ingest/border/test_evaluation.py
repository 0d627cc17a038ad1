"""Our own mail border: what it says of a mail whose domains a played name server answers for, and what a reader believes of it."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest

from ingest.border.evaluation import Arrival, evaluated
from ingest.border.names import Names
from ingest.mail.authentication import sender_verdict
from tests.support.played_names import played_names
from tests.support.signed_mails import elliptic_record, junk, key_record, mail, sealed, signed

OURS = "mx.biz.example"
PEER = "192.0.2.10"
REJECT = {"TXT _dmarc.ornek.com": ["v=DMARC1; p=reject"]}
SENDS = {"TXT ornek.com": [f"v=spf1 ip4:{PEER} -all"]}
KEYS = {
    f"TXT s1._domainkey.{domain}": [key_record()]
    for domain in (
        "ornek.com",
        "posta.ornek.com",
        "ornek.com.tr",
        "baska.com.tr",
        "saldirgan.example",
        "saldirgan.com",
        "liste.example",
    )
}


def said(
    content: bytes, zone: Mapping[str, list[str]], *, mail_from: str = "ayse@ornek.com", helo: str = "", peer: str = PEER,
    trouble: Mapping[str, str] | None = None, seconds: float = 4.0, sealers: frozenset[str] = frozenset(),
) -> str:  # fmt: skip
    with played_names(zone, trouble) as server:
        names = Names(server.nameserver)
        names.begin(seconds)
        return evaluated(Arrival(content=content, mail_from=mail_from, helo=helo, peer=peer), names, sealers=sealers)


def result(said: str, method: str) -> str:
    return next((one.partition("=")[2].split()[0] for one in said.split("; ") if one.startswith(f"{method}=")), "")


def verdict(said: str, domain: str = "ornek.com") -> str:
    return sender_verdict([("Authentication-Results", f"{OURS}; {said}")], OURS, domain)


# --- the envelope ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "spf", "dmarc", "believed"),
    [
        (f"v=spf1 ip4:{PEER} -all", "pass", "pass", "pass"),
        ("v=spf1 ip4:192.0.2.99 -all", "fail", "fail", "fail"),
        ("v=spf1 ~all", "softfail", "fail", "fail"),
        ("v=spf1 ?all", "neutral", "fail", "fail"),
        ("v=spf1 a:mail.ornek.com -all", "pass", "pass", "pass"),
        ("v=spf1 a:adi.ornek.com -all", "pass", "pass", "pass"),
        ("v=spf1 mx -all", "pass", "pass", "pass"),
        ("v=spf1 include:spf.ornek.com -all", "pass", "pass", "pass"),
        ("v=spf1 redirect=spf.ornek.com", "pass", "pass", "pass"),
        ("v=spf1 yanlis:x -all", "permerror", "fail", "fail"),
        ("unrelated", "none", "fail", "fail"),
        ("v=spf1 include:zincir0.ornek.com -all", "permerror", "fail", "fail"),
        ("v=spf1 a:yok1.ornek.com a:yok2.ornek.com a:yok3.ornek.com -all", "permerror", "fail", "fail"),
    ],
)
def test_who_may_send_for_a_domain(record: str, spf: str, dmarc: str, believed: str) -> None:
    chained = {f"TXT zincir{n}.ornek.com": [f"v=spf1 include:zincir{n + 1}.ornek.com -all"] for n in range(15)}
    zone = {
        **REJECT, **chained, "TXT ornek.com": [record, "site-verification=abc"], "A mail.ornek.com": [PEER],
        "CNAME adi.ornek.com": ["mail.ornek.com"], "MX ornek.com": ["10 mail.ornek.com"],
        "TXT spf.ornek.com": [f"v=spf1 ip4:{PEER} -all"], "TXT zincir15.ornek.com": [f"v=spf1 ip4:{PEER} -all"],
    }  # fmt: skip
    found = said(mail(), zone)
    assert (result(found, "spf"), result(found, "dmarc"), verdict(found)) == (spf, dmarc, believed)


def test_a_record_that_udp_cuts_is_asked_by_tcp() -> None:
    record = "v=spf1 " + " ".join(f"ip4:198.51.100.{n}" for n in range(100)) + f" ip4:{PEER} -all"
    with played_names({**REJECT, "TXT ornek.com": [record]}) as server:
        names = Names(server.nameserver)
        names.begin(4.0)
        arrival = Arrival(content=mail(), mail_from="ayse@ornek.com", helo="", peer=PEER)
        assert verdict(evaluated(arrival, names, sealers=frozenset())) == "pass"
        assert server.by_tcp == ["TXT ornek.com"]


def test_an_answer_is_kept() -> None:
    with played_names({**REJECT, **SENDS}) as server:
        names = Names(server.nameserver)
        names.begin(4.0)
        arrival = Arrival(content=mail(), mail_from="ayse@ornek.com", helo="", peer=PEER)
        first, second = (evaluated(arrival, names, sealers=frozenset()) for _ in range(2))
        assert first == second
        assert len(server.asked) == len(set(server.asked))


@pytest.mark.parametrize(
    ("mail_from", "helo", "sent", "dmarc"),
    [
        ("", "mail.ornek.com", ["spf=pass smtp.helo=mail.ornek.com"], "pass"),
        ("", "[192.0.2.10]", [], "fail"),
        ("", "localhost", [], "fail"),
        ('"x@saldirgan.example"@ornek.com', "", ["spf=pass smtp.mailfrom=ornek.com"], "pass"),
        (
            "x@baska.example",
            "mail.ornek.com",
            ["spf=pass smtp.helo=mail.ornek.com", "spf=none smtp.mailfrom=baska.example"],
            "fail",
        ),
        ("x; dmarc=pass@ornek.com header.from=ornek.com", "x; dmarc=pass", [], "fail"),
    ],
    ids=["bounce", "literal", "localhost", "quoted", "name-of-another", "results-in-the-envelope"],
)
def test_whose_the_envelope_is(mail_from: str, helo: str, sent: list[str], dmarc: str) -> None:
    zone = {**REJECT, **SENDS, "TXT mail.ornek.com": [f"v=spf1 ip4:{PEER} -all"]}
    judged = f"dmarc={dmarc} header.from=ornek.com policy.dmarc=reject"
    assert said(mail(), zone, mail_from=mail_from, helo=helo) == "; ".join([*sent, judged])


# --- signatures -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "dkim", "believed"),
    [
        (signed(mail(), "ornek.com"), "pass", "pass"),
        (signed(mail(), "posta.ornek.com"), "pass", "pass"),
        (signed(mail(), "saldirgan.example"), "pass", "fail"),
        (signed(signed(mail(), "saldirgan.example"), "ornek.com"), "pass", "pass"),
        (signed(mail(), "ornek.com").replace(b"nerede", b"burada"), "fail", "fail"),
        (signed(mail(), "ornek.com").replace(b"Subject: s", b"Subject: S"), "fail", "fail"),
        (signed(mail(), "anahtarsiz.ornek.com"), "permerror", "fail"),
        (signed(mail(), "iki.ornek.com"), "permerror", "fail"),
        (signed(mail(), "geri.ornek.com"), "fail", "fail"),
        (signed(mail(), "kisa.ornek.com", bits=1024), "pass", "pass"),
        (signed(mail(), "uzun.ornek.com", bits=4096), "pass", "pass"),
        (signed(mail(), "buyuk.ornek.com", bits=4608), "fail", "fail"),
        (signed(mail(), "ornek.com", length=True), "policy", "fail"),
        (signed(mail(), "ornek.com", length=True) + b"ek", "policy", "fail"),
        (signed(mail(), "ornek.com", algorithm="rsa-sha1"), "policy", "fail"),
        (signed(mail(), "ornek.com").replace(b"from :", b"reply-to :"), "policy", "fail"),
        (b"DKIM-Signature: nothing\r\n" + mail(), "", "fail"),
        (signed(mail(), "ed.ornek.com", algorithm="ed25519-sha256"), "pass", "pass"),
        (signed(mail(), "ed.ornek.com", algorithm="ed25519-sha256").replace(b"a=ed25519-sha256", b"a=rsa-sha256"), "fail", "fail"),
        (signed(mail(), "ed.ornek.com", algorithm="ed25519-sha256").replace(b"Subject: sip", b"Subject: Sip"), "fail", "fail"),
        (signed(mail(), "ornek.com", algorithm="ed25519-sha256"), "fail", "fail"),
        (junk("ornek.com", "ed1", "ed25519-sha256") + mail(), "fail", "fail"),
        (junk("ornek.com", "s1", "ed25519-sha256") + mail(), "fail", "fail"),
    ],
    ids=["own", "below", "another", "two", "body-changed", "subject-changed", "no-key", "two-keys", "revoked", "1024", "4096", "4608", "length",
         "appended", "sha1", "from-unsigned", "unreadable", "ed25519", "ed25519-as-rsa", "ed25519-subject-changed",
         "rsa-as-ed25519", "ed25519-of-nobody",
         "ed25519-without-a-key"],
)  # fmt: skip
def test_whose_key_signed(content: bytes, dkim: str, believed: str) -> None:
    zone = {
        **REJECT, **KEYS, "TXT s1._domainkey.iki.ornek.com": [key_record(), "v=DKIM1; p="],
        "TXT s1._domainkey.geri.ornek.com": ["v=DKIM1; p="], "TXT s1._domainkey.kisa.ornek.com": [key_record(1024)],
        "TXT s1._domainkey.uzun.ornek.com": [key_record(4096)], "TXT s1._domainkey.buyuk.ornek.com": [key_record(4608)],
        "TXT ed1._domainkey.ornek.com": [elliptic_record()], "TXT s1._domainkey.ed.ornek.com": [elliptic_record()],
    }  # fmt: skip
    found = said(content, zone, mail_from="")
    assert (result(found, "dkim"), verdict(found)) == (dkim, believed)


def test_of_many_signatures_those_of_the_author_are_looked_at_first() -> None:
    content = b"".join([junk("saldirgan.example")] * 6) + signed(mail(), "ornek.com")
    found = said(content, {**REJECT, **KEYS}, mail_from="")
    assert found.count("dkim=") == 5
    assert (result(found, "dmarc"), verdict(found)) == ("pass", "pass")


def test_a_mail_too_large_to_be_hashed_is_neither_believed_nor_denied_where_its_author_signed() -> None:
    large = mail(body=b"satir\r\n" * 1_500_000)
    assert verdict(said(signed(large, "ornek.com"), {**REJECT, **KEYS}, mail_from="")) == "none"
    assert verdict(said(signed(large, "ornek.com"), {**REJECT, **KEYS, **SENDS})) == "pass"
    assert verdict(said(large, {**REJECT, **KEYS}, mail_from="")) == "fail"
    assert verdict(said(signed(large, "saldirgan.example"), {**REJECT, **KEYS}, mail_from="")) == "fail"


@pytest.mark.parametrize(("blanks", "believed"), [(1_000, "pass"), (20_000, "fail")])
def test_who_signs_rows_of_blanks_without_end_signs_nothing(blanks: int, believed: str) -> None:
    content = signed(mail(body=b"x" + b" " * blanks + b"y\r\n"), "ornek.com")
    assert verdict(said(content, {**REJECT, **KEYS, "TXT ornek.com": ["v=spf1 -all"]})) == believed
    assert verdict(said(content, {**REJECT, **KEYS, **SENDS})) == "pass"


# --- who would rather be doubted than denied ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "mail_from", "silent"),
    [
        (junk("saldirgan.example") + mail(), "", "s1._domainkey.saldirgan.example"),
        (mail(), "x@saldirgan.example", "saldirgan.example"),
        (signed(mail(), "saldirgan.com"), "", "_dmarc.saldirgan.com"),
        (junk("saldirgan.example", "s1", "ed25519-sha256") + mail(), "", ""),
        (b"".join(junk("saldirgan.example", f"s{n}") for n in range(20)) + mail(), "", ""),
        (b"".join(junk("ornek.com", f"yok{n}") for n in range(20)) + mail(), "", ""),
        (sealed(mail(), "saldirgan.example", "dmarc=pass header.from=ornek.com"), "", "s1._domainkey.saldirgan.example"),
    ],
    ids=["key-silent", "envelope-silent", "policy-silent", "ed25519", "many-of-theirs", "many-in-the-name", "seal-silent"],
)  # fmt: skip
def test_nothing_of_a_strangers_keeps_a_false_author_from_being_denied(content: bytes, mail_from: str, silent: str) -> None:
    zone = {**REJECT, **KEYS, "TXT ornek.com": ["v=spf1 -all"]}
    found = said(content, zone, mail_from=mail_from, trouble={silent: "silence"}, seconds=2.0, sealers=frozenset({"liste.example"}))
    assert (result(found, "dmarc"), verdict(found)) == ("fail", "fail")


def test_a_strangers_silent_names_use_up_no_time_of_the_authors() -> None:
    silent = {f"s{n}._domainkey.saldirgan.example": "silence" for n in range(5)}
    theirs = b"".join(junk("saldirgan.example", f"s{n}") for n in range(5))
    zone = {**REJECT, **KEYS, **SENDS}
    assert verdict(said(theirs + signed(mail(), "ornek.com"), zone, mail_from="", trouble=silent, seconds=2.0)) == "pass"
    assert verdict(said(theirs + mail(), zone, trouble=silent, seconds=2.0)) == "pass"


def test_a_believed_sealer_whose_key_cannot_be_asked_leaves_it_open() -> None:
    trouble = {"s1._domainkey.liste.example": "servfail"}
    found = said(LIST, {**REJECT, **KEYS}, mail_from="bounce@liste.example", trouble=trouble, sealers=frozenset({"liste.example"}))
    assert (result(found, "arc"), result(found, "dmarc"), verdict(found)) == ("temperror", "temperror", "none")


REVERSE = ".".join(reversed(PEER.split("."))) + ".in-addr.arpa"
THEIR_NAMES = [f"h{n}.saldirgan.example" for n in range(10)]


@pytest.mark.parametrize(
    ("record", "silent"),
    [
        ("v=spf1 ptr -all", [REVERSE]),
        ("v=spf1 ptr -all", THEIR_NAMES),
        ("v=spf1 ptr ptr:ornek.com include:spf.ornek.com -all", THEIR_NAMES),
        ("v=spf1 exists:%{p}.izin.ornek.com -all", [REVERSE]),
    ],
    ids=["reverse-zone", "names-in-it", "names-and-more-to-ask", "macro"],
)
def test_who_sends_keeps_nothing_open_by_the_names_of_their_own_server(record: str, silent: list[str]) -> None:
    zone = {
        **REJECT, "TXT ornek.com": [record], f"PTR {REVERSE}": THEIR_NAMES, "TXT spf.ornek.com": ["v=spf1 ip4:198.51.100.1 -all"],
        "A bir.izin.ornek.com": ["127.0.0.2"],
    }  # fmt: skip
    found = said(mail(), zone, mail_from="ayse@ornek.com", trouble=dict.fromkeys(silent, "silence"), seconds=2.0)
    assert (result(found, "spf"), result(found, "dmarc"), verdict(found)) == ("fail", "fail", "fail")


def test_a_server_that_its_name_speaks_for_still_passes() -> None:
    zone = {
        **REJECT, "TXT ornek.com": ["v=spf1 ptr -all"], f"PTR {REVERSE}": ["h0.saldirgan.example", "mail.ornek.com"],
        "A mail.ornek.com": [PEER],
    }  # fmt: skip
    found = said(mail(), zone, trouble={"h0.saldirgan.example": "silence"}, seconds=2.0)
    assert (result(found, "spf"), result(found, "dmarc"), verdict(found)) == ("pass", "pass", "pass")


def test_a_stranger_who_writes_a_believed_sealers_name_keeps_nothing_open_by_their_own() -> None:
    head, sign, rest = LIST.partition(b"ARC-Message-Signature:")
    forged = head + sign + rest.replace(b"d=liste.example", b"d=saldirgan.example", 1)
    assert forged.count(b"d=saldirgan.example") == 1
    believed = frozenset({"liste.example"})
    for silent in ({"s1._domainkey.saldirgan.example": "silence"}, {"s1._domainkey.saldirgan.example": "servfail"}):
        found = said(forged, {**REJECT, **KEYS}, mail_from="bounce@liste.example", trouble=silent, seconds=2.0, sealers=believed)
        assert (result(found, "dmarc"), verdict(found)) == ("fail", "fail")


def test_a_verdict_does_not_wait_for_strangers_signatures_when_its_time_is_over() -> None:
    class Late(Names):
        """Whose time is over once the author's names were asked."""

        @property
        def in_time(self) -> bool:
            return False

    content = sealed(junk("saldirgan.example") + mail(), "saldirgan.example", "dmarc=pass header.from=ornek.com")
    for kind, looked_at in ((Names, True), (Late, False)):
        with played_names({**REJECT, **KEYS, "TXT ornek.com": ["v=spf1 -all"]}) as server:
            names = kind(server.nameserver)
            names.begin(4.0)
            arrival = Arrival(content=content, mail_from="x@saldirgan.example", helo="", peer=PEER)
            found = evaluated(arrival, names, sealers=frozenset())
            assert (result(found, "dmarc"), verdict(found)) == ("fail", "fail")
            assert bool(result(found, "dkim")) == bool(result(found, "arc")) == looked_at
            assert ("TXT s1._domainkey.saldirgan.example" in server.asked) == looked_at


def test_a_chain_over_many_bytes_is_not_looked_at() -> None:
    content = mail(body=b"Merhaba\r\n" * 800_000)
    for number in range(3):
        content = sealed(content, "liste.example", "arc=pass" if number else "dmarc=pass header.from=ornek.com")
    found = said(content, {**REJECT, **KEYS}, sealers=frozenset({"liste.example"}))
    assert (result(found, "arc"), verdict(found)) == ("", "fail")


# --- alignment and policies -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("author", "signer", "records", "dmarc", "policy"),
    [
        ("ornek.com", "posta.ornek.com", {"ornek.com": "v=DMARC1; p=reject; adkim=s"}, "fail", "reject"),
        ("ornek.com", "ornek.com", {"ornek.com": "v=DMARC1; p=reject; adkim=s"}, "pass", "reject"),
        ("posta.ornek.com", "ornek.com", {"ornek.com": "v=DMARC1; p=reject; sp=none"}, "pass", "none"),
        ("yok.ornek.com", "ornek.com", {"ornek.com": "v=DMARC1; p=none; sp=quarantine; np=reject"}, "pass", "reject"),
        ("ornek.com.tr", "baska.com.tr", {"com.tr": "v=DMARC1; p=reject; psd=y"}, "fail", "reject"),
        ("posta.ornek.com.tr", "ornek.com.tr", {"com.tr": "v=DMARC1; p=reject; psd=y"}, "pass", "reject"),
        ("a.ornek.com", "posta.ornek.com", {"ornek.com": "v=DMARC1; p=reject"}, "pass", "reject"),
        (
            "a.ornek.com",
            "posta.ornek.com",
            {"a.ornek.com": "v=DMARC1; p=reject; psd=n", "ornek.com": "v=DMARC1; p=none"},
            "fail",
            "reject",
        ),
        ("a.b.c.d.e.f.g.h.ornek.com", "ornek.com", {"ornek.com": "v=DMARC1; p=reject"}, "pass", "reject"),
        ("ornek.com", "ornek.com", {}, "none", ""),
        ("ornek.com", "ornek.com", {"ornek.com": "v=DMARC1; p=yanlis"}, "none", ""),
        ("ornek.com", "saldirgan.example", {"ornek.com": "v=DMARC1; p=reject; pct=0"}, "fail", "reject"),
        ("ornek.com", "saldirgan.example", {"ornek.com": "v=DMARC1; rua=mailto:a@ornek.com"}, "fail", "none"),
    ],
)
def test_who_speaks_for_a_domain(author: str, signer: str, records: dict[str, str], dmarc: str, policy: str) -> None:
    zone = {**KEYS, **{f"TXT _dmarc.{name}": [record] for name, record in records.items()}, "A posta.ornek.com": [PEER]}
    found = said(signed(mail(f"ayse@{author}"), signer), zone, mail_from="")
    assert result(found, "dmarc") == dmarc
    assert (f"policy.dmarc={policy}" in found) == bool(policy)


def test_two_records_are_none() -> None:
    zone = {**KEYS, "TXT _dmarc.ornek.com": ["v=DMARC1; p=reject", "v=DMARC1; p=none"]}
    assert result(said(signed(mail(), "saldirgan.example"), zone), "dmarc") == "none"


@pytest.mark.parametrize(
    ("content", "dmarc", "believed"),
    [
        (b"From: genel.mudur@ornek.com\r\n" + signed(mail(), "ornek.com"), "fail", "fail"),
        (signed(mail(), "ornek.com").replace(b"\r\n\r\n", b"\r\nfrom : genel.mudur@ornek.com\r\n\r\n", 1), "fail", "fail"),
        (signed(mail("ayse@ornek.com, ali@saldirgan.example"), "ornek.com"), "fail", "fail"),
        (signed(mail("ayse@ornek.com, ali@ornek.com"), "ornek.com"), "fail", "fail"),
        (signed(mail("ornek.com"), "ornek.com"), "permerror", "none"),
        (mail().replace(b"From:", b"X-From:"), "permerror", "none"),
    ],
    ids=["one-more-on-top", "one-more-below", "two-mailboxes", "two-of-one-domain", "none", "no-field"],
)
def test_without_exactly_one_author_nobody_is_believed(content: bytes, dmarc: str, believed: str) -> None:
    found = said(content, {**REJECT, **KEYS, **SENDS})
    assert found == f"dmarc={dmarc}"
    assert verdict(found) == verdict(found, "saldirgan.example") == believed


# --- who passed it on -----------------------------------------------------------------------------------------------------

LIST = sealed(mail(body=b"[liste] Merhaba\r\n"), "liste.example", "dmarc=pass header.from=ornek.com")


@pytest.mark.parametrize(
    ("content", "sealers", "arc", "believed"),
    [
        (LIST, {"liste.example"}, "pass", "pass"),
        (LIST, set(), "pass", "fail"),
        (LIST, {"baska.example"}, "pass", "fail"),
        (LIST.replace(b"Merhaba", b"Elveda!"), {"liste.example"}, "fail", "fail"),
        (sealed(mail(), "liste.example", "dmarc=fail header.from=ornek.com"), {"liste.example"}, "pass", "fail"),
        (sealed(mail(), "liste.example", "dmarc=pass header.from=saldirgan.example"), {"liste.example"}, "pass", "fail"),
        (sealed(LIST, "saldirgan.example", "arc=pass"), {"liste.example"}, "pass", "fail"),
    ],
    ids=["trusted", "recorded-only", "another", "changed", "found-false", "found-another", "passed-on-again"],
)
def test_a_seal_counts_only_of_those_who_are_believed(content: bytes, sealers: set[str], arc: str, believed: str) -> None:
    found = said(content, {**REJECT, **KEYS}, mail_from="bounce@liste.example", sealers=frozenset(sealers))
    assert (result(found, "arc"), verdict(found)) == (arc, believed)


# --- a name server in trouble ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", ["servfail", "silence"])
@pytest.mark.parametrize("name", ["_dmarc.ornek.com", "ornek.com", "s1._domainkey.ornek.com"])
def test_what_cannot_be_asked_denies_nobody_and_ends_in_time(name: str, trouble: str) -> None:
    content = signed(mail(), "ornek.com").replace(b"nerede", b"burada") if name == "ornek.com" else signed(mail(), "ornek.com")
    began = time.monotonic()
    found = said(content, {**REJECT, **KEYS}, trouble={name: trouble}, seconds=2.0)
    assert time.monotonic() - began < 4.0
    assert result(found, "dmarc") == "temperror"
    assert verdict(found) == ("pass" if name == "_dmarc.ornek.com" else "none")
