import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.mail.authentication import SenderVerdict, sender_verdict
from ingest.mail.mime import read_mail

FIXTURES = Path(__file__).parents[3] / "fixtures" / "mail"
OURS = "mx.ornek.com"


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        ("mx.ornek.com; dmarc=pass header.from=banka.example", "pass"),
        ("MX.Ornek.com 1; dmarc=pass (p=none) header.from=Banka.Example", "pass"),
        ("mx.ornek.com; dmarc=pass header.from=baska.example", "none"),
        ("mx.ornek.com; dmarc=fail header.from=banka.example; dkim=pass header.d=banka.example", "fail"),
        ("mx.ornek.com; dkim=pass header.d=banka.example header.s=k1", "pass"),
        ("mx.ornek.com; dkim=pass header.d=posta.banka.example", "pass"),
        ("mx.ornek.com; dkim=pass header.d=kotubanka.example", "none"),
        ("mx.ornek.com; dkim=pass header.d=example", "none"),
        ("mx.ornek.com; dkim=fail header.d=banka.example", "none"),
        ("mx.ornek.com; spf=pass smtp.mailfrom=x@banka.example", "pass"),
        ("mx.ornek.com; spf=pass smtp.mailfrom=x@dagitici.example", "none"),
        ("mx.ornek.com; spf=fail smtp.mailfrom=banka.example", "fail"),
        ("mx.ornek.com; spf=softfail smtp.mailfrom=banka.example", "none"),
        ("mx.ornek.com; none", "none"),
        ("mx.ornek.com.kotu.example; dmarc=pass header.from=banka.example", "none"),
        ("(mx.ornek.com) kotu.example; dmarc=pass header.from=banka.example", "none"),
        ("mx.ornek.com; dmarc=pass header.from=banka.example; ((((", "none"),
        ("mx.ornek.com; " + "(" * 3_000, "none"),
        ("", "none"),
    ],
)
def test_verdict(value: str, verdict: SenderVerdict) -> None:
    assert sender_verdict([("Authentication-Results", value)], OURS, "banka.example") == verdict


def test_only_the_topmost_of_ours_counts() -> None:
    mail = read_mail((FIXTURES / "forged_authentication.eml").read_bytes())
    assert sender_verdict(mail.headers, OURS, "banka.example") == "fail"
    only_forged = [header for header in mail.headers if "dmarc=fail" not in header[1]]
    assert sender_verdict([("Authentication-Results", f"{OURS}; none"), *only_forged], OURS, "banka.example") == "none"


def test_without_an_own_server_nothing_is_believed() -> None:
    headers = [("Authentication-Results", "; dmarc=pass header.from=banka.example")]
    assert sender_verdict(headers, "", "banka.example") == "none"
    assert sender_verdict([], OURS, "banka.example") == "none"


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        # Microsoft 365 behind a gateway that writes its id, and without one
        ("mx.ornek.com; spf=pass (sender IP is 2001:db8::7) smtp.mailfrom=banka.example; dkim=none header.d=none;dmarc=pass "
         "action=none header.from=banka.example;compauth=pass reason=100", "pass"),
        ("spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=banka.example; dmarc=pass action=none header.from=banka.example", "none"),
        # Amazon SES: properties without a type, an IPv6 address, results that are none, a semicolon at the end
        ("mx.ornek.com; spf=pass (spfCheck: ok) client-ip=2001:db8::25; envelope-from=x@banka.example; helo=a.banka.example; "
         "dmarc=pass header.from=banka.example;", "pass"),
        # Exim, Fastmail, Yahoo, rspamd, Gmail
        ("mx.ornek.com; iprev=pass (a.banka.example) smtp.remote-ip=2001:db8::25; auth=none; spf=pass smtp.mailfrom=banka.example", "pass"),
        ("mx.ornek.com; x-csa=none; bimi=skipped (a;b); arc=none (no (really) none); dkim=pass x-bits=2048 header.d=banka.example", "pass"),
        ("mx.ornek.com; dkim=unknown; spf=pass smtp.mailfrom=banka.example; dmarc=unknown header.from=banka.example;", "pass"),
        ("mx.ornek.com;dkim=pass header.i=@banka.example header.b=Ab+/==;dmarc=pass(policy=reject)header.from=banka.example", "pass"),
        ("mx.ornek.com; spf=softfail smtp.mailfrom=x@banka.example; dmarc=fail (p=NONE sp=NONE dis=NONE) header.from=banka.example", "fail"),
        # what the grammar allows
        ("(a) \"mx.ornek.com\" (b) 1 (c); DMARC / 1 (d) = (e) PASS header (f) . from = \"banka.example\"", "pass"),
        ("mx.ornek.com. ; spf=pass smtp.mailfrom=\"x; y\"@banka.example", "pass"),
        ("mx.ornek.com; spf=pass smtp.mailfrom=geri+ali=ornek.com@banka.example", "pass"),
        ("mx.ornek.com; spf=pass smtp.mailfrom= smtp.helo=a.banka.example", "none"),
        ("mx.ornek.com; dkim=pass header.b= header.d=banka.example", "pass"),
        ("mx.ornek.com; dmarc=pass header.from=banka.example; spf", "pass"),
        ("mx.ornek.com; =pass; spf=; ; dkim==; dmarc=pass header.from=banka.example", "pass"),
        ("mx.ornek.com 2; dmarc=pass header.from=banka.example", "none"),
        ("mx.ornek.com; dmarc/2=pass header.from=banka.example", "none"),
        ("", "none"),
        (";;;", "none"),
        ("mx.ornek.com", "none"),
    ],
)  # fmt: skip
def test_what_borders_write(value: str, verdict: SenderVerdict) -> None:
    assert sender_verdict([("Authentication-Results", value)], OURS, "banka.example") == verdict


@pytest.mark.parametrize(
    "value",
    [
        # our id where it is not the id
        "kotu.example (mx.ornek.com); dmarc=pass header.from=banka.example",
        'kotu.example "mx.ornek.com"; dmarc=pass header.from=banka.example',
        '"kotu.example; mx.ornek.com"; dmarc=pass header.from=banka.example',
        '"mx.ornek.com; dmarc=pass header.from=banka.example',
        "(\\) mx.ornek.com; dmarc=pass header.from=banka.example",
        "(kotu) (mx.ornek.com; dmarc=pass header.from=banka.example) x; y=z",
        "mx(.kotu.example).ornek.com; dmarc=pass header.from=banka.example",
        '"mx".ornek.com; dmarc=pass header.from=banka.example',
        "mx.ornek.com.kotu.example; dmarc=pass header.from=banka.example",
        "mx.ornek.com kotu.example; dmarc=pass header.from=banka.example",
        "\uff4dx.ornek.com; dmarc=pass header.from=banka.example",
        "mx\u3002ornek.com; dmarc=pass header.from=banka.example",
        "i=1; mx.ornek.com; dmarc=pass header.from=banka.example",
        "mx.ornek.com=1; dmarc=pass header.from=banka.example",
        # a pass where nobody says one
        "mx.ornek.com; spf=none (dmarc=pass header.from=banka.example) smtp.mailfrom=kotu.example",
        "mx.ornek.com; spf=none (a (b) dmarc=pass header.from=banka.example; \\) c) smtp.mailfrom=kotu.example",
        'mx.ornek.com; dkim=neutral reason="x; dmarc=pass header.from=banka.example" header.d=kotu.example',
        'mx.ornek.com; spf=none smtp.mailfrom="x; dmarc=pass header.from=banka.example; y"@kotu.example',
        'mx.ornek.com; spf=none smtp.mailfrom="x\\"; dmarc=pass header.from=banka.example; y"@kotu.example',
        "mx.ornek.com; spf=none smtp.mailfrom=dmarc=pass@kotu.example",
        "mx.ornek.com; spf=pass smtp.mailfrom=header.from=banka.example@kotu.example",
        # a stranger's local part that ends the border's comment, or begins one
        'mx.ornek.com; spf=none (domain of "a); dkim=pass header.d=banka.example; x=(b"@kotu.example) smtp.mailfrom=kotu.example',
        'mx.ornek.com; spf=none (domain of "a)"@kotu.example); dkim=pass header.d=banka.example',
        "mx.ornek.com; spf=none smtp.helo=kotu); dkim=pass header.d=banka.example",
        "mx.ornek.com; dkim=pass header.d=banka.example; spf=none (",
        'mx.ornek.com; dkim=pass header.d=banka.example; spf=none smtp.mailfrom="',
        # a pass of somebody else
        "mx.ornek.com; dmarc=pass header.from=kotu.example; dkim=pass header.d=banka.example",
        "mx.ornek.com; dmarc=pass header.from=banka.example; dmarc=pass header.from=kotu.example",
        "mx.ornek.com; dmarc=pass header.from=kotu.example header.from=banka.example",
        "mx.ornek.com; dmarc=pass policy.from=banka.example header.to=banka.example",
        "mx.ornek.com; dmarc=pass",
        "mx.ornek.com; dkim=pass header.d=kotu.example header.i=@banka.example",
        "mx.ornek.com; dkim=pass header.d=kotu.example header.d=banka.example",
        'mx.ornek.com; dkim=pass header.i="@banka.example"@kotu.example',
        "mx.ornek.com; dkim=pass header.d=banka.example (x) .kotu.example",
        "mx.ornek.com; dkim=pass header.d=banka.example @kotu.example",
        'mx.ornek.com; spf=pass smtp.mailfrom="x@banka.example"@kotu.example',
        'mx.ornek.com; spf=pass smtp.mailfrom="x@banka.example" @kotu.example',
        "mx.ornek.com; spf=pass smtp.mailfrom=kotu.example/x.banka.example",
        "mx.ornek.com; spf=pass smtp.helo=banka.example",
        "mx.ornek.com; spf=neutral smtp.mailfrom=banka.example; spf=pass smtp.mailfrom=banka.example",
        "mx.ornek.com; auth=pass smtp.auth=x@banka.example; x-dmarc=pass header.from=banka.example; iprev=pass policy.iprev=banka.example",
        "mx.ornek.com; arc=pass header.d=banka.example; sender-id=pass header.from=banka.example; dmarc.arc=pass header.from=banka.example",
        "mx.ornek.com; dmarc=passed header.from=banka.example; dkim=pass1 header.d=banka.example",
        "mx.ornek.com; dkim=pass header.d=banka.example;" + " " * 20_000,
    ],
)
def test_a_forger_is_not_believed(value: str) -> None:
    assert sender_verdict([("Authentication-Results", value)], OURS, "banka.example") == "none"


@pytest.mark.parametrize(
    "value",
    [
        "mx.ornek.com; dmarc=pass header.from=banka.example; dmarc=fail header.from=banka.example",
        "mx.ornek.com; dmarc=fail header.from=banka.example; dmarc=pass header.from=banka.example",
        "mx.ornek.com; dmarc=fail header.from=banka.example; spf=none (",
        'mx.ornek.com; spf=pass smtp.mailfrom="a" b dmarc=pass; dmarc=fail junk; dkim=pass header.d=banka.example',
        "mx.ornek.com; spf=pass smtp.mailfrom=banka.example; spf=fail smtp.mailfrom=banka.example",
    ],
)
def test_of_two_results_the_worst_counts(value: str) -> None:
    assert sender_verdict([("Authentication-Results", value)], OURS, "banka.example") == "fail"


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        (["kotu.example; dmarc=pass header.from=banka.example", "mx.ornek.com; dmarc=fail"], "fail"),
        (["mx.ornek.com", "mx.ornek.com; dmarc=pass header.from=banka.example"], "none"),
        (["mx.ornek.com 9; dmarc=fail", "mx.ornek.com; dmarc=pass header.from=banka.example"], "none"),
        (["mx.ornek.com (", "mx.ornek.com; dmarc=pass header.from=banka.example"], "none"),
        (["mx.ornek.com x; dmarc=fail", "mx.ornek.com; dmarc=pass header.from=banka.example"], "none"),
        (["dmarc=fail", "", '"', "mx.ornek.com; dmarc=pass header.from=banka.example"], "pass"),
    ],
)
def test_nothing_below_the_topmost_of_ours(values: list[str], verdict: SenderVerdict) -> None:
    headers = [("ARC-Authentication-Results", "i=1; mx.ornek.com; dmarc=pass header.from=banka.example")]
    headers += [("AUTHENTICATION-RESULTS", value) for value in values]
    assert sender_verdict(headers, OURS, "banka.example") == verdict


@pytest.mark.parametrize(
    ("from_domain", "named", "verdict"),
    [
        ("çiçek.example", "xn--iek-1lab.example", "pass"),
        ("xn--iek-1lab.example", "ÇiçEK.example", "pass"),
        ("ÇiÇek.Example.", "çiçek.example", "pass"),
        ("alt_yapi.banka.example", "Alt_Yapi.banka.example", "pass"),
        ("cicek.example", "çiçek.example", "none"),
        ("çiçek.example", "cicek.example", "none"),
        ("banka.example", "bank\u0430.example", "none"),
        # IDNA 2008: the owner of one is not the owner of the other
        ("straße.example", "strasse.example", "none"),
        ("straße.example", "xn--strae-oqa.example", "pass"),
        ("xn--strae-oqa.example", "STRAẞE.example", "pass"),
        ("strasse.example", "straße.example", "none"),
        ("\u2603.example", "\u2603.example", "none"),
        ("ö" * 300, "ö" * 300, "none"),
        ("", "", "none"),
        (".", ".", "none"),
    ],
)
def test_domains_are_compared_as_a_labels(from_domain: str, named: str, verdict: SenderVerdict) -> None:
    headers = [("Authentication-Results", f"{OURS}; dmarc=pass header.from={named}")]
    assert sender_verdict(headers, OURS, from_domain) == verdict


@pytest.mark.parametrize(
    ("ours", "written"),
    [
        ("mx.örnek.com", "mx.xn--rnek-4qa.com"),
        ("mx.xn--rnek-4qa.com", "MX.örnek.com"),
        (" MX.Örnek.com. ", "mx.örnek.com."),
        ("posta_1", "posta_1"),
    ],
)
def test_our_id_in_either_form(ours: str, written: str) -> None:
    headers = [("Authentication-Results", f"{written}; dmarc=pass header.from=banka.example")]
    assert sender_verdict(headers, ours, "banka.example") == "pass"
    assert sender_verdict(headers, "mx.baska.com", "banka.example") == "none"


ODD = [
    "(",
    ")",
    '"',
    "\\",
    ";",
    "=",
    ".",
    "/",
    "@",
    " ",
    "<",
    ">",
    "pass",
    "fail",
    "dmarc",
    "header.from",
    OURS,
    "banka.example",
    "ß",
]


@given(st.lists(st.sampled_from(ODD), max_size=40).map("".join), st.text(max_size=20))
def test_any_value_gives_a_verdict(value: str, domain: str) -> None:
    headers = [("Authentication-Results", value), ("Authentication-Results", f"{OURS}; {value}")]
    assert sender_verdict(headers, OURS, domain) in {"pass", "fail", "none"}
    assert sender_verdict(headers, domain, "banka.example") in {"pass", "fail", "none"}


@given(st.lists(st.sampled_from([*ODD, "dkim=pass header.d=banka.example"]), max_size=12).map("".join))
def test_no_local_part_in_a_value_or_a_comment_passes(text: str) -> None:
    local = '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'
    for echo in (f"smtp.mailfrom={local}@kotu.example", f"(domain of {local}@kotu.example) smtp.mailfrom=kotu.example"):
        value = f"{OURS}; spf=pass {echo}; dmarc=none"
        assert sender_verdict([("Authentication-Results", value)], OURS, "banka.example") == "none"


@pytest.mark.parametrize(
    "value", ["(" * 60_000, '"' * 60_000, "\\" * 60_000, "a=" * 30_000, "=;" * 30_000, '""' * 30_000, "a. " * 20_000]
)
def test_long_values_take_no_long_time(value: str) -> None:
    began = time.process_time()
    assert sender_verdict([("Authentication-Results", f"{OURS}; {value}")], OURS, "banka.example") == "none"
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    "written",
    [
        "spf=pass smtp.mailfrom==?us-ascii?q?a=3B_dkim=3Dpass_header.d=3Dbanka.example=3B_x=3Dy?=@kotu.example",
        "spf=pass (domain of =?us-ascii?q?a=29=3B_dkim=3Dpass_header.d=3Dbanka.example=3B_x=28?=@kotu.example) smtp.mailfrom=kotu.example",
        "spf=pass smtp.mailfrom=ş+ADs-dkim+AD0-pass+ACA-header.d+AD0-banka.example+ADs-x+AD0-y@kotu.example",
    ],
)
def test_a_local_part_in_an_encoding_is_no_result(written: str) -> None:
    raw = f"Authentication-Results: {OURS}; {written}; dmarc=none\nFrom: a@banka.example\nContent-Type: text/plain; charset=utf-7\n\nx\n"
    assert sender_verdict(read_mail(raw.encode()).headers, OURS, "banka.example") == "none"
