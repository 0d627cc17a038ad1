"""Address fields as people and programs really write them. Pure; never raises; linear in its input.

Source: RFC 5322 §3.4 (mailboxes, groups), §4.4 (routes), RFC 7103 §7.
Read beyond the standard: a comment as name, unquoted commas and non-ASCII in names, semicolons between addresses, ``mailto:``,
missing and doubled brackets, several addresses in one pair of brackets, a whole mailbox inside an encoded word.
Never read: an address inside quotes or an encoded word while the field gives another one; there it is a name, and anybody's to choose.
Identity: the address, as `mailbox_address.py` writes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ingest.mail.address_pieces import BRACKETS, Piece, pieces_of
from ingest.mail.headers import decode_words
from ingest.mail.mailbox_address import address_of
from ingest.steps import step
from shared.text import clean_line

MAILBOXES_MAX = 1_000
_TRIES_MAX = 20
_NAME_CHARS_MAX = 500
_UNBALANCED = re.compile(r'["()]')
_QUOTES = {"'": "'", '"': '"', "“": "”", "‘": "’", "«": "»"}
_ESCAPED = re.compile(r'\\(["\\])')


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    """One correspondent. ``name`` None: the mail gives none. ``address`` is ``local@domain``, or a bare local name."""

    name: str | None
    address: str


@dataclass(slots=True)
class _Segment:
    """What stands between two separators: the phrase outside brackets, and what is inside them."""

    phrase: list[Piece]
    angle: list[Piece] | None = None
    address_seen: bool = False
    last_text: str = ""

    def add(self, piece: Piece) -> None:
        """One piece more of the phrase. What was seen is kept, because a field may ask it at each of ten thousand colons."""
        self.phrase.append(piece)
        if piece.kind == "text":
            self.address_seen = self.address_seen or "@" in piece.text
            self.last_text = piece.text

    def comments(self) -> str:
        return " ".join(one.text for one in (*self.phrase, *(self.angle or ())) if one.kind == "comment")


def parse_mailboxes(text: str, hint: str | None = None) -> tuple[Mailbox, ...]:
    """The mailboxes of one unfolded address field (encoded words still encoded), groups flattened, in order.

    ``hint``: the charset the mail speaks for elsewhere; names are read by it, addresses never.
    """
    step(8)
    found = _mailboxes(text, hint)
    if found or "@" not in (decoded := clean_line(decode_words(text)).replace("=?", "")):
        return found
    # Nothing was found: the whole mailbox is inside an encoded word, or inside quotes or a comment.
    return (decoded != text and _mailboxes(decoded, hint)) or _mailboxes(_UNBALANCED.sub(" ", decoded), hint)


def _mailboxes(text: str, hint: str | None) -> tuple[Mailbox, ...]:
    found: list[Mailbox] = []
    carried = ""
    for segment in _segments(pieces_of(text)):
        step(2)
        addresses, rest = _addresses(segment)
        name = _name(rest, hint)
        if not addresses and segment.angle is None:
            # "Yılmaz, Ayşe <ayse@…>" without quotes: a piece without address belongs to the name that follows.
            carried = f"{carried}, {name}" if carried and name else carried or name
            continue
        if segment.angle is not None:
            name = f"{carried}, {name}" if carried and name else carried or name
        carried = ""
        name = name or _plain_name(segment.comments(), hint)
        found += [Mailbox(name=(name or None) if index == 0 else None, address=one) for index, one in enumerate(addresses)]
        if len(found) >= MAILBOXES_MAX:
            break
    return tuple(found[:MAILBOXES_MAX])


# --- segments ------------------------------------------------------------------------------------------------------------


def _segments(pieces: Sequence[Piece]) -> Iterator[_Segment]:
    current, at, grouped = _Segment(phrase=[]), 0, False
    brackets = _brackets(pieces)
    while at < len(pieces):
        piece = pieces[at]
        at += 1
        if piece.kind != "sign":
            current.add(piece)
        elif piece.text in ",;":
            yield current
            current, grouped = _Segment(phrase=[]), grouped and piece.text == ","
        elif piece.text == "<":
            inner, at = _angle(pieces, at, brackets)
            if current.angle is None or not _has_at(current.angle):
                current.phrase += current.angle or []
                current.angle = inner
        elif piece.text == ":" and not grouped and _opens_group(current):
            current, grouped = _Segment(phrase=[]), True
        elif current.angle is None:
            current.add(piece)
    yield current


def _brackets(pieces: Sequence[Piece]) -> list[int]:
    """For each offset the next bracket of either kind at or behind it; the length when there is none."""
    following, out = len(pieces), [0] * (len(pieces) + 1)
    out[-1] = following
    for at in range(len(pieces) - 1, -1, -1):
        following = at if pieces[at].kind == "sign" and pieces[at].text in "<>" else following
        out[at] = following
    return out


def _angle(pieces: Sequence[Piece], at: int, brackets: list[int]) -> tuple[list[Piece], int]:
    """What the bracket before ``at`` holds, and where to go on. Without its partner it ends where an address does."""
    stop = brackets[at]
    if stop < len(pieces) and pieces[stop].text == ">":
        return list(pieces[at:stop]), stop + 1
    stop = at
    while stop < len(pieces) and not (pieces[stop].kind == "sign" and pieces[stop].text in "<,;"):
        if pieces[stop].kind == "blank" and stop > at:
            break
        stop += 1
    return list(pieces[at:stop]), stop


def _has_at(pieces: Sequence[Piece]) -> bool:
    return any("@" in one.text for one in pieces if one.kind != "comment")


def _opens_group(current: _Segment) -> bool:
    return current.angle is None and not current.address_seen and current.last_text[-len("mailto") :].lower() != "mailto"


# --- what a segment says -------------------------------------------------------------------------------------------------


def _addresses(segment: _Segment) -> tuple[list[str], list[Piece]]:
    """The addresses of a segment, and the pieces that are left for the name."""
    inside = [one for one in map(address_of, _lists(segment.angle or [])) if one]
    proper = [one for one in inside if "@" in one]
    if proper:
        return proper, segment.phrase
    bare, rest = _bare(segment.phrase)
    return ([bare], rest) if bare else (inside[:1], segment.phrase)


def _lists(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    """Brackets cut at commas and semicolons; of a route its hosts fall away so, as none of them has a local part."""
    current: list[Piece] = []
    for one in pieces:
        if one.kind == "sign" and one.text in ",;":
            yield current
            current = []
        else:
            current.append(one)
    yield current


_RUN = re.compile(r"[^\s<>()\[\],;:]+(?:(?<=@)\[[^\s\[\]]+\])?")
_MAILTO = re.compile(r"mailto:", re.IGNORECASE)


def _bare(phrase: Sequence[Piece]) -> tuple[str, list[Piece]]:
    """``ayse@ornek.com (Ayşe)``, ``Ayşe ayse@ornek.com``, ``Ayşe [mailto:ayse@ornek.com]``, ``"ayse y"@ornek.com``."""
    tries = 0
    for index, piece in enumerate(phrase):
        for run in _RUN.finditer(piece.text) if piece.kind == "text" and "@" in piece.text else ():
            if "@" not in run[0]:
                continue
            tries += 1
            if tries > _TRIES_MAX:
                return "", list(phrase)
            touches = run.start() == 0 and run[0][0] in "@."
            before, local = _local_part(phrase[:index]) if touches else (list(phrase[:index]), [])
            domain = _domain_end(phrase[index + 1 :], run[0]) if run.end() == len(piece.text) else []
            address = address_of([*local, Piece("text", run[0]), *domain])
            if "@" in address:
                head = Piece("text", _MAILTO.sub("", piece.text[: run.start()]).rstrip("["))
                tail = Piece("text", piece.text[run.end() :].lstrip("]"))
                rest = [*before, head, Piece("blank", " "), tail, *phrase[index + 1 + len(domain) :]]
                return address, [one for one in rest if one not in BRACKETS]
    return "", list(phrase)


def _local_part(before: Sequence[Piece]) -> tuple[list[Piece], list[Piece]]:
    """What precedes an at sign or a dot, cut in two: the name, and the quoted strings, words and comments that touch the sign."""
    start, wanted = len(before), True
    while wanted and start > 0 and before[start - 1].kind not in ("blank", "sign"):
        start -= 1
        piece = before[start]
        if piece.kind == "text":
            run = max(piece.text.rfind(one) for one in "[]()") + 1
            name, local = piece.text[:run], piece.text[run:]
            if not local:
                return list(before[: start + 1]), list(before[start + 1 :])
            if name or not local.startswith("."):
                return [*before[:start], Piece("text", name)], [Piece("text", local), *before[start + 1 :]]
        elif piece.kind != "comment":
            wanted = start > 0 and before[start - 1].text.endswith(".")
    return list(before[:start]), list(before[start:])


def _domain_end(after: Sequence[Piece], run: str) -> list[Piece]:
    """The comments, words and text that go on with a domain which ends at a sign, or with a dot."""
    at = 0
    while at < len(after) and after[at].kind == "comment":
        at += 1
    goes_on = at < len(after) and after[at].kind in ("text", "encoded")
    if goes_on and (run[-1] in "@." or (at and after[at].text.startswith("."))):
        return list(after[: at + 1])
    return []


# --- names ---------------------------------------------------------------------------------------------------------------


def _name(pieces: Sequence[Piece], hint: str | None) -> str:
    return _plain_name(_MAILTO.sub(" ", "".join(one.text for one in pieces if one.kind != "comment")), hint)


def _plain_name(text: str, hint: str | None) -> str:
    name = " ".join(clean_line(decode_words(text, hint)).split())[: _NAME_CHARS_MAX + 100]
    while len(name) > 1 and _QUOTES.get(name[0]) == name[-1] and name[0] not in _ESCAPED.sub("", name[1:-1]).strip(name[0]):
        name = _ESCAPED.sub(r"\1", name[1:-1]).strip() if name[0] == '"' else name[1:-1].strip()
    return name[:_NAME_CHARS_MAX]
