"""An address field cut into pieces: quoted strings, comments, encoded words, signs, text and blanks. Pure; never raises; linear.

Source: RFC 5322 §3.2 (quoted strings, comments), RFC 2047, RFC 7103 §7.1 (what does not end).
A quote or a comment that never ends is a blank, and so are all behind it: what follows is read as if nobody had opened it.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from ingest.mail.headers import ENCODED_WORD
from ingest.steps import step

Kind = Literal["blank", "comment", "encoded", "quoted", "sign", "text"]


class Piece(NamedTuple):
    """``text``: of a quoted string or a comment what is inside, of an encoded word the word still encoded."""

    kind: Kind
    text: str


SIGNS = frozenset("<>,;:")
BRACKETS = frozenset({Piece("sign", "<"), Piece("sign", ">")})
# A domain literal is one piece with its colons; so is the bracket that some programs write around "mailto:".
_LITERAL = re.compile(r'\[[^\s\[\]<>"(),;]{1,300}\]')
_TEXT = re.compile(r'[^\s"(<>,;:=\[]+')
_BLANKS = re.compile(r"\s+")


def pieces_of(text: str) -> list[Piece]:
    """The pieces in order; neighbours are never both text."""
    pieces: list[Piece] = []
    run: list[str] = []
    at, quotes_end, comments_end = 0, True, True
    while at < len(text):
        step()
        char, piece = text[at], Piece("blank", " ")
        if char == '"':
            inner, after = _quoted(text, at) if quotes_end else ("", -1)
            quotes_end = after >= 0
            piece, at = (Piece("quoted", inner), after) if quotes_end else (piece, at + 1)
        elif char == "(":
            inner, after = _comment(text, at) if comments_end else ("", -1)
            comments_end = after >= 0
            piece, at = (Piece("comment", inner), after) if comments_end else (piece, at + 1)
        elif char in SIGNS:
            piece, at = Piece("sign", char), at + 1
        elif char == "=" and (word := ENCODED_WORD.match(text, at)):
            piece, at = Piece("encoded", word[0]), word.end()
        elif blanks := _BLANKS.match(text, at):
            at = blanks.end()
        else:
            match = _LITERAL.match(text, at) if char == "[" else _TEXT.match(text, at)
            stop = match.end() if match else at + 1
            run.append(text[at:stop])
            at = stop
            continue
        if run:
            pieces.append(Piece("text", "".join(run)))
            run = []
        pieces.append(piece)
    return [*pieces, Piece("text", "".join(run))] if run else pieces


def _quoted(text: str, at: int) -> tuple[str, int]:
    """What is inside the quotes and the offset behind them, -1 when they never close."""
    out: list[str] = []
    at += 1
    while at < len(text):
        if text[at] == '"':
            return "".join(out), at + 1
        if text[at] == "\\" and at + 1 < len(text):
            at += 1
        out.append(text[at])
        at += 1
    return "", -1


def _comment(text: str, at: int) -> tuple[str, int]:
    """What is inside the outermost parentheses and the offset behind them, -1 when they never close."""
    out, depth = [], 0
    while at < len(text):
        char = text[at]
        if char == "\\" and at + 1 < len(text):
            at += 1
            out.append(text[at])
        elif char == "(":
            depth += 1
            out.append("(" if depth > 1 else "")
        elif char == ")":
            depth -= 1
            if depth == 0:
                return "".join(out), at + 1
            out.append(")")
        else:
            out.append(char)
        at += 1
    return "", -1
