"""What a small mail may cost: a few bytes of much work are counted, whatever they are hidden in, and an ordinary mail is far below."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest

from ingest.adapter import Inbox, Request, Target
from ingest.adapters.smtp import ADAPTER
from ingest.parse import INLINE_BYTES_MAX, INLINE_STEPS_MAX, is_small
from ingest.steps import TooManySteps, at_most, step
from shared.ids import new_id

HEAD = b"From: ayse@ornek.net\r\nSubject: Siparis\r\nMessage-ID: <1@ornek.net>\r\n"


def filled(before: bytes, unit: bytes, after: bytes = b"") -> bytes:
    """As often as a mail parsed at once may have it."""
    return before + unit * ((INLINE_BYTES_MAX - len(before) - len(after)) // len(unit)) + after


def read(raw: bytes) -> None:
    inbox = Inbox(
        workspace_id=new_id(), id=new_id(), name="mail", channel="email", provider="smtp", address="destek@ornek.com", region="TR"
    )
    target = Target(id=inbox.id, workspace_id=inbox.workspace_id, provider="smtp", inboxes=(inbox,))
    ADAPTER.parse(target, Request(method="POST", url="", headers={}, query={}, body=raw, received_at=datetime.now(UTC)))


def page(content: bytes) -> bytes:
    encoded = base64.encodebytes(content[: (INLINE_BYTES_MAX - 400) * 3 // 4 - 100])
    return HEAD + b"Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n" + encoded


COSTLY = {
    "fields in no charset": filled(b"", b"Cc: \xb0\xe1\xfe\xe4\xd0\xf0\xe0\xe1\n", b"\nx"),
    "signs of addresses": filled(HEAD + b"To: ", b"@a,", b"\n\nx"),
    "separators": filled(HEAD + b"To: ", b";", b"\n\nx"),
    "addresses": filled(HEAD + b"To: ", b"a@b.co, ", b"\n\nx"),
    "encoded words": filled(HEAD + b"X-A: ", b"=?us-ascii?Q?a?= =?utf-8?Q?a?= ", b"\n\nx"),
    "parts in no charset": filled(
        HEAD + b"Content-Type: multipart/mixed; boundary=b\n\n",
        b"--b\nContent-Type: text/plain\n\n" + b"\xe4\xf0\xfe\xb0\xa1" * 8 + b"\n",
    ),
    "parts": filled(HEAD + b"Content-Type: multipart/mixed; boundary=b\n\n", b"--b\nContent-Type:application/pdf\n\naaaa\n"),
    "a text in no charset": filled(HEAD + b"Content-Type: text/plain; charset=x-unknown\n\n", bytes(range(128, 256))),
    "tags": page(b"<p>" * 3_000),
    "attributes": page(b"<a " + b"b " * 4_000),
    "lines of a page": page(b"a<br>" * 2_000),
    "escapes of Japanese": filled(HEAD + b"Content-Type: text/plain\n\n", b'\x1b$B$"\x1b(B'),
    "letters that are many letters": filled(HEAD + b"Content-Type: text/plain; charset=utf-8\n\n", ("ﷺ" * 9).encode() + b"\n"),
    "words of a report": filled(HEAD + b"X-Failed-Recipients: a@ornek.net\n\n", b"nobody reads this\n"),
}


@pytest.mark.parametrize("raw", COSTLY.values(), ids=COSTLY.keys())
def test_a_small_mail_of_much_work_takes_too_many_steps(raw: bytes) -> None:
    assert is_small(raw)  # neither bytes nor lines tell
    with pytest.raises(TooManySteps), at_most(INLINE_STEPS_MAX):
        read(raw)


def test_an_ordinary_mail_takes_half_of_the_steps() -> None:
    fields = b"".join(b"Received: from a%d.ornek.net by mx.ornek.com; Mon, 2 Mar 2026 10:00:00 +0300\r\n" % at for at in range(8))
    text = "Merhaba, siparişimin nerede olduğunu öğrenmek istiyorum, teşekkür ederim.\r\n".encode()
    quote = "> Sayın Ayşe Hanım,\r\n> talebiniz alındı, en kısa sürede döneceğiz.\r\n".encode()
    raw = fields + HEAD + b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + text * 25 + quote * 15
    with at_most(INLINE_STEPS_MAX // 2):
        read(raw)


def test_steps_are_counted_within_and_nowhere_else() -> None:
    step(1_000_000)
    with at_most(2):
        step()
        step()
        with pytest.raises(TooManySteps):
            step()
    step()
