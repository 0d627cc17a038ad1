"""A workspace's own addresses as inboxes ask for them."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from ingest.adapter import Inbox, Request, Target
from ingest.mail.own_mailboxes import own_mailboxes
from ingest.own_addresses import own_addresses_of
from ingest.parse_worker import question
from ingest.phone.own_numbers import is_own

OWN = own_addresses_of(
    [
        ("email", "Destek@Ornek.com", None), ("email", "kasa+tr@örnek.example", None), ("email", "biz@gmail.com", None),
        ("email", "no address", None), ("phone", "0850 222 33 44", None), ("phone", "030 901820", "DE"), ("phone", "anonymous", None),
    ],
    region="TR",
)  # fmt: skip


@pytest.mark.parametrize(
    ("address", "comes", "named", "domain"),
    [
        ("destek@ornek.com", True, True, True), ("DESTEK+x@ornek.com", True, True, True), ("kasa@xn--rnek-4qa.example", False, False, True),
        ("kasa@örnek.example", False, True, True), ("ali@alt.ornek.com", False, False, True), ("ali@yalniz-ornek.com", False, False, False),
        ("ali@gmail.com", False, False, False), ("com", False, False, False), ("", False, False, False),
    ],
)  # fmt: skip
def test_an_address_is_asked_for_by_itself(address: str, comes: bool, named: bool, domain: bool) -> None:
    mailboxes = OWN.mailboxes
    assert (mailboxes.has(address), mailboxes.is_named_by(address), mailboxes.is_domain(address)) == (comes, named, domain)


def test_a_number_is_read_in_its_own_inboxs_country() -> None:
    assert OWN.numbers == {"+908502223344", "+4930901820"}
    assert is_own("0049 30 901820", OWN.numbers, region="DE")
    assert not is_own("030 901820", OWN.numbers, region="TR")
    assert not own_mailboxes(()).has("a@b.c")


def test_what_inboxes_share_goes_to_a_parsing_process_once() -> None:
    def target(inboxes: int) -> Target:
        shared = [
            Inbox(workspace_id=UUID(int=1), id=UUID(int=number), name="i", channel="email", provider="smtp", own=many)
            for number in range(inboxes)
        ]
        return Target(id=UUID(int=1), workspace_id=UUID(int=1), provider="smtp", inboxes=shared)

    many = own_addresses_of([("email", f"a{number}@ornek.com", None) for number in range(1_000)], region=None)
    request = Request(method="SMTP", url="", headers={}, query={}, body=b"", received_at=datetime.now(UTC))
    one, ten = (len(question(target(inboxes), request)[1]) for inboxes in (1, 10))
    assert ten < one * 1.2
