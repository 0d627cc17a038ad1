from pathlib import Path

import pytest

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
