"""Where somebody is written to."""

from __future__ import annotations

import pytest

from router.views.answered import address_of


@pytest.mark.parametrize(
    ("value", "raw", "address"),
    [
        ("ayse@ornek.com", "Ayse@Ornek.com", "ayse@ornek.com"),
        ("zeynep@fass.example", "zeynep@faß.example", "zeynep@xn--fa-hia.example"),  # stored by a release that took ß for ss
        ("zeynep@fass.example", "zeynep@fass.example", "zeynep@fass.example"),
    ],
)
def test_a_conversation_of_an_earlier_release_is_answered_at_the_address_that_wrote(value: str, raw: str, address: str) -> None:
    assert address_of({"kind": "email", "scope": "", "value": value, "raw": raw}) == address
