"""Which inbox an address is of, and what a stranger's address costs."""

from __future__ import annotations

from uuid import UUID

import pytest

from ingest import mailboxes
from ingest.adapter import Inbox
from ingest.mailboxes import Mailboxes, named


def inbox(address: str) -> Inbox:
    return Inbox(
        workspace_id=UUID(int=1), id=UUID(int=len(address)), name=address, channel="email", provider="smtp", address=address
    )


HELD = [inbox(address) for address in ("destek@ornek.com", "info@müşteri.örnek.com", "x@faß.example", "y@例え。テスト")]
FOUND = Mailboxes(one for held in HELD if (one := named(held, kept=None, at=None)) is not None)


@pytest.mark.parametrize(
    ("address", "whose"),
    [
        ("destek@ornek.com", "destek@ornek.com"),
        ("DESTEK+5@ORNEK.COM", "destek@ornek.com"),
        ("info@müşteri.örnek.com", "info@müşteri.örnek.com"),
        ("info+1@MÜŞTERI.ÖRNEK.com.", "info@müşteri.örnek.com"),
        ("info@xn--mteri-kva70e.xn--rnek-4qa.com", "info@müşteri.örnek.com"),
        ("x@faß.example", "x@faß.example"),
        ("x@fass.example", None),
        ("y@例え.テスト", "y@例え。テスト"),
        ("info@başka.örnek.com", None),
    ],
)
def test_an_address_is_found_in_any_spelling(address: str, whose: str | None) -> None:
    found = FOUND.at(address)
    assert (found.name if found else None) == whose


def test_a_strangers_letters_are_not_looked_up_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up: list[str] = []
    monkeypatch.setattr(mailboxes, "mailbox_of", looked_up.append)
    assert FOUND.at("a@" + "ü." * 60 + "com") is None
    assert FOUND.at("a@" + "ﷺ" * 140) is None
    assert looked_up == []
