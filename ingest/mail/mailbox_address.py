"""One address from its pieces, as ``local@domain`` in one form for one mailbox. Pure; never raises; linear in its input.

Source: RFC 5321 §4.1.2 (a local part is quoted only where it must be), RFC 5322 §3.4.1 and §4.4 (comments, blanks, routes).
Identity: the local part keeps its case and what its quotes hold, the domain is lower-cased. Quotes go where they change nothing;
odd dots stay as they are written, ``taro..y@`` and ``"taro..y"@`` alike.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ingest.mail.address_pieces import BRACKETS, Piece, pieces_of
from ingest.mail.headers import decode_words
from ingest.steps import step
from shared.mailbox import local_part
from shared.text import clean_line

ADDRESS_CHARS_MAX = 2_000
_IN_NO_DOMAIN = frozenset(",;<>")
_AROUND_DOTS = re.compile(r" ?\. ?")


def address_of(pieces: Sequence[Piece]) -> str:
    """The address that these pieces are, without what stands around it; a bare local name when there is no at sign.

    Empty when there is no address: no local part, no domain, or too long. Reading the result again gives the result.
    """
    return _read(pieces, again=True)


def _read(pieces: Sequence[Piece], *, again: bool) -> str:
    step(3)
    inner = _without_prefix([one for one in pieces if one.kind != "comment" and one not in BRACKETS])
    if sum(len(one.text) for one in inner) > ADDRESS_CHARS_MAX:
        return ""
    last = max((index for index, one in enumerate(inner) if one.kind == "text" and "@" in one.text), default=-1)
    if last < 0:
        # The whole address may be inside the quotes or the encoded word.
        text = clean_line(_joined(inner))
        return _read(pieces_of(text), again=False) if again and "@" in text else _name_only(text)
    before, _, after = inner[last].text.rpartition("@")
    domain = _AROUND_DOTS.sub(".", clean_line(_joined([Piece("text", after), *inner[last + 1 :]])))
    enclosed = domain.endswith("'")
    domain = domain.strip("'\" ").rstrip(".").lower()
    local = _local([*inner[:last], Piece("text", before)], enclosed=enclosed)
    return f"{local}@{domain}" if local and domain and _IN_NO_DOMAIN.isdisjoint(domain) else ""


def _without_prefix(pieces: list[Piece]) -> list[Piece]:
    """Past ``mailto:`` and a source route."""
    start = next((index for index, one in enumerate(pieces) if one.kind != "blank"), 0)
    rest = pieces[start:]
    colon = next((index for index, one in enumerate(rest) if one == Piece("sign", ":")), -1)
    is_prefix = colon > 0 and (rest[0].text.startswith("@") or (colon == 1 and rest[0].text.lower() == "mailto"))
    return rest[colon + 1 :] if is_prefix and rest[0].kind == "text" else rest


def _joined(pieces: Sequence[Piece]) -> str:
    return decode_words("".join(one.text for one in pieces)).strip()


def _name_only(text: str) -> str:
    """``<MAILER-DAEMON>``: a name that no domain follows."""
    return "" if "@" in text else "".join(text.split()).strip("<>'\"")


def _local(pieces: Sequence[Piece], *, enclosed: bool) -> str:
    words = [_decoded(one) for one in pieces]
    quoted = any(one.kind == "quoted" for one in words)
    if quoted:
        text = "".join(one.text for one in _last_words(words))
    else:
        text = _AROUND_DOTS.sub(".", " ".join(_joined(pieces).split()))
        text = text.removeprefix("'") if enclosed else text
    text = clean_line(f'"{text}"')[1:-1]
    return local_part(text, quoted=quoted) if text.strip() else ""


def _decoded(piece: Piece) -> Piece:
    """An encoded word that holds a quoted string is one."""
    if piece.kind != "encoded":
        return piece
    inner = pieces_of(decode_words(piece.text))
    return inner[0] if len(inner) == 1 and inner[0].kind == "quoted" else Piece("text", decode_words(piece.text))


def _last_words(pieces: Sequence[Piece]) -> list[Piece]:
    """The words that belong to the local part: blanks stand only around its dots, what is before another blank is a name."""
    words: list[Piece] = []
    blank = False
    for one in pieces:
        if one.kind != "blank" and one.text:
            if blank and words and not (words[-1].text.endswith(".") or one.text.startswith(".")):
                words = []
            words.append(one)
        blank = one.kind == "blank" or (blank and not one.text)
    return words
