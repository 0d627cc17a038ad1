"""Plain text as its writer saw it: paragraphs that a program broke for the wire, and the lines of a cleartext signature. Pure.

Source: RFC 3676 §4 (format=flowed, DelSp, space-stuffing, quote depth, signatures), RFC 9580 §7 (cleartext signatures).
"""

from __future__ import annotations

import re

SIGNATURE_LINE = "-- "
_SIGNED = "-----BEGIN PGP SIGNED MESSAGE-----"
_SIGNATURE = "-----BEGIN PGP SIGNATURE-----"
_END = "-----END PGP SIGNATURE-----"
_ARMOR_FIELD = re.compile(r"[A-Za-z-]{1,30}: ")


def join_flowed(text: str, *, delete_space: bool) -> str:
    """The text with its soft breaks joined. A change of depth, an empty line and a signature line end a paragraph.

    ``delete_space``: the blank before a soft break was added by the program (DelSp=yes).
    """
    out: list[str] = []
    paragraph: list[str] = []
    depth = 0

    def end() -> None:
        if paragraph:
            out.append(_quoted("".join(paragraph), depth))
            paragraph.clear()

    for line in text.split("\n"):
        rest = line.lstrip(">")
        level = len(line) - len(rest)
        rest = rest.removeprefix(" ")
        if paragraph and (level != depth or not rest.strip() or rest == SIGNATURE_LINE):
            end()
        depth = level
        soft = rest.endswith(" ") and rest != SIGNATURE_LINE
        paragraph.append(rest[:-1] if soft and delete_space else rest)
        if not soft:
            end()
    end()
    return "\n".join(out)


def _quoted(line: str, depth: int) -> str:
    return ">" * depth + (" " if depth and line else "") + line


def without_cleartext_signature(text: str) -> str:
    """The signed words without the lines of the signature around them; a text without a whole signature as it is."""
    if _SIGNED not in text or _SIGNATURE not in text:
        return text
    out: list[str] = []
    state = "outside"
    for line in text.split("\n"):
        mark = line.rstrip()
        if state == "outside" and mark == _SIGNED:
            state = "fields"
        elif state == "fields" and (not mark or _ARMOR_FIELD.match(line)):
            state = "words" if not mark else state
        elif state in ("fields", "words") and mark == _SIGNATURE:
            state = "signature"
        elif state == "signature":
            state = "outside" if mark == _END else state
        else:
            state = "words" if state == "fields" else state
            out.append(line[2:] if state == "words" and line.startswith("- ") else line)
    return "\n".join(out)
