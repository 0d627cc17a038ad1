"""Who may say of every mail that its sender is proven: one's own machine alone. What settings of a mail border mean, and what is refused."""

from __future__ import annotations

import pytest

from services.frame.mail_border import MailBorder
from services.frame.settings import read_settings
from shared.errors import InputRejected

TRUST = {"SANTRAL_TRUST_ALL_MAIL_AS": "mx.ornek.com"}
EVALUATE = {"SANTRAL_BORDER_EVALUATE_AS": "MX.ornek.com"}


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.53", "::1", "[::1]", "localhost"])
def test_ones_own_machine_may_trust_all_mail(host: str) -> None:
    found = read_settings({**TRUST, "SANTRAL_HOST": host}).mail_border()
    assert found == MailBorder(authserv_id="mx.ornek.com", evaluates=False)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"SANTRAL_HOST": "0.0.0.0"}, "lets other machines in"),
        ({"SANTRAL_HOST": "::"}, "lets other machines in"),
        ({"SANTRAL_HOST": "10.0.0.7"}, "lets other machines in"),
        ({"SANTRAL_HOST": "mail.ornek.com"}, "lets other machines in"),
        ({"SANTRAL_PRODUCTION": "true"}, "SANTRAL_PRODUCTION"),
        (EVALUATE, "keep one of the two"),
    ],
)
def test_nobody_else_trusts_all_mail(more: dict[str, str], reason: str) -> None:
    with pytest.raises(InputRejected, match=reason) as caught:
        read_settings({**TRUST, **more}).mail_border()
    assert caught.value.field == "SANTRAL_TRUST_ALL_MAIL_AS"


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_the_setting_of_before_is_refused_with_what_to_do(host: str) -> None:
    settings = read_settings({"SANTRAL_BORDER_ID": "mx.ornek.com", "SANTRAL_HOST": host})
    with pytest.raises(InputRejected) as caught:
        settings.mail_border()
    assert caught.value.field == "SANTRAL_BORDER_ID"
    assert "SANTRAL_BORDER_EVALUATE_AS=mx.ornek.com" in str(caught.value.remedy)
    assert "SANTRAL_TRUST_ALL_MAIL_AS=mx.ornek.com" in str(caught.value.remedy)


def test_without_settings_nothing_is_said() -> None:
    assert read_settings({}).mail_border() is None


def test_an_evaluating_border_may_listen_anywhere() -> None:
    more = {"SANTRAL_HOST": "::", "SANTRAL_PRODUCTION": "true", "SANTRAL_BORDER_TRUSTED_SEALERS": "Liste.example, örnek.com"}
    assert read_settings({**EVALUATE, **more}).mail_border() == MailBorder(
        authserv_id="mx.ornek.com", evaluates=True, sealers=frozenset({"liste.example", "xn--rnek-4qa.com"})
    )


@pytest.mark.parametrize(
    ("given", "nameserver"),
    [
        ("10.0.0.2", ("10.0.0.2", 53)),
        ("10.0.0.2:5353", ("10.0.0.2", 5353)),
        ("fd00::2", ("fd00::2", 53)),
        ("[fd00::2]", ("fd00::2", 53)),
        ("[fd00::2]:5353", ("fd00::2", 5353)),
    ],
)
def test_a_name_server_is_an_address(given: str, nameserver: tuple[str, int]) -> None:
    found = read_settings({**EVALUATE, "SANTRAL_NAMESERVER": given}).mail_border()
    assert found is not None
    assert found.nameserver == nameserver


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("SANTRAL_NAMESERVER", "ns.ornek.com"),
        ("SANTRAL_NAMESERVER", "10.0.0.2:"),
        ("SANTRAL_NAMESERVER", "10.0.0.2:dns"),
        ("SANTRAL_NAMESERVER", "10.0.0.2:70000"),
        ("SANTRAL_BORDER_TRUSTED_SEALERS", "liste example"),
        ("SANTRAL_BORDER_EVALUATE_AS", "mx.ornek.com; dmarc=pass"),
        ("SANTRAL_BORDER_EVALUATE_AS", "mx.ornek.com\r\nX: y"),
        ("SANTRAL_TRUST_ALL_MAIL_AS", "mx ornek"),
    ],
)
def test_what_cannot_be_used_is_named(field: str, value: str) -> None:
    environment = {field: value} if field == "SANTRAL_TRUST_ALL_MAIL_AS" else {**EVALUATE, field: value}
    with pytest.raises(InputRejected) as caught:
        read_settings(environment).mail_border()
    assert caught.value.field == field
    assert caught.value.remedy
