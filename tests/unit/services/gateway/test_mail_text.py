from __future__ import annotations

from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from services.gateway.mail_text import MailText

WIRE = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"a", b"\r\n.\r\n", b"\r\n.."]), max_size=30).map(b"".join)


def by_lines(wire: bytes) -> tuple[bytes, bytes] | None:
    """What RFC 5321 §4.5.2 says, a line at a time: the mail and what follows its end."""
    lines: list[bytes] = []
    at = 0
    while (end := wire.find(b"\r\n", at)) >= 0:
        line = wire[at : end + 2]
        at = end + 2
        if line == b".\r\n":
            return b"".join(lines), wire[at:]
        lines.append(line.removeprefix(b"."))
    return None


@example(b".\r\n", [1])
@given(WIRE, st.lists(st.integers(0, 60), max_size=8))
def test_any_pieces_are_read_as_lines_would_be(wire: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(wire)) for cut in cuts), len(wire)]
    text, rest = MailText(10_000), None
    for start, end in pairwise(places):
        if rest is not None:
            rest += wire[start:end]
        elif end > start:
            rest = text.take(wire[start:end])
    expected = by_lines(wire)
    assert (None if rest is None else (text.content(), rest)) == expected
    text.close()


def test_the_bound_is_on_what_was_sent_and_the_end_is_still_found() -> None:
    for size, too_large in ((98, False), (99, True)):
        text = MailText(100)
        assert text.take(b"x" * size) is None
        assert text.take(b"\r\n.\r\nQUIT\r\n") == b"QUIT\r\n"
        assert text.too_large is too_large
        text.close()
