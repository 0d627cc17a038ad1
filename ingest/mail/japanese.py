"""Japanese as mail programs write it: every row of JIS that Windows and the iPhone have. Pure; never raises; linear.

Source: RFC 1468 and ISO/IEC 2022 (escapes), WHATWG Encoding §12 (iso-2022-jp and euc-jp hold the rows of windows-31j: NEC row 13 with
its ring digits, rows 89 to 92 with IBM's names), Microsoft code pages 50220 to 50222 (half-width kana by escape or shift),
RFC 2237 (JIS X 0212). Python's own codecs of these names stop at the rows of 1990.
"""

from __future__ import annotations

import re

from ingest.steps import step

ESCAPE = re.compile(rb"\x1b(?:\$[@AB]|\$\([@BCDOPQ]|\([BHIJ])")
"""What shows that bytes are ISO-2022-JP, whatever their label says. An escape back to ASCII alone shows it, too."""

_SWITCH = re.compile(rb"\x1b(?:\$[@AB]|\$\([@BCDOPQ]|\([BHIJ])|[\x0e\x0f\n]")
_PRINTED = re.compile(rb"[!-~]+")
_EUC = re.compile(rb"[\x00-\x7f]+|(?:[\xa1-\xfe]{2})+|\x8e[\xa1-\xdf]|\x8f[\xa1-\xfe]{2}|.", re.DOTALL)
_SETS = {
    b"\x1b(B": "ascii", b"\x1b(J": "ascii", b"\x1b(H": "ascii", b"\x1b(I": "kana", b"\x1b$@": "jis", b"\x1b$B": "jis", b"\x1b$(@": "jis",
    b"\x1b$(B": "jis", b"\x1b$A": "gb2312", b"\x1b$(C": "euc_kr", b"\x1b$(D": "jis_x_0212", b"\x1b$(O": "euc_jis_2004",
    b"\x1b$(Q": "euc_jis_2004", b"\x1b$(P": "jis_x_0213_2",
}  # fmt: skip
_LOW = bytes(byte & 0x7F for byte in range(256))
_HIGH = bytes(byte | 0x80 for byte in range(256))
_HALF_WIDTH = re.compile("[\uff61-\uff9f]")


def decode_iso2022(data: bytes) -> str:
    """The text of ISO-2022-JP with its extensions. A line that does not return to ASCII ends its own kanji (RFC 1468)."""
    out: list[str] = []
    charset, shifted, at = "ascii", False, 0
    for switch in _SWITCH.finditer(data):
        out.append(_run(data[at : switch.start()], charset, shifted=shifted))
        at = switch.end()
        mark = switch[0]
        if mark in (b"\x0e", b"\x0f"):
            shifted = mark == b"\x0e"
        elif mark == b"\n":
            charset, shifted = "ascii", False
            out.append("\n")
        else:
            charset, shifted = _SETS[mark], False
    out.append(_run(data[at:], charset, shifted=shifted))
    return "".join(out)


def _run(run: bytes, charset: str, *, shifted: bool) -> str:
    if not run:
        return ""
    step(2 + len(run) // 8)
    if charset == "kana" or shifted:
        return "".join(_kana(byte & 0x7F) for byte in run)
    if charset == "ascii":
        return run.decode("cp932", "replace")
    out, at = [], 0
    for printed in _PRINTED.finditer(run):
        out.append(run[at : printed.start()].decode("ascii", "replace"))
        out.append(_pairs(printed[0], charset))
        at = printed.end()
    out.append(run[at:].decode("ascii", "replace"))
    return "".join(out)


def _kana(byte: int) -> str:
    return chr(0xFF61 + byte - 0x21) if 0x21 <= byte <= 0x5F else chr(byte)


def _pairs(run: bytes, charset: str) -> str:
    """The letters of two bytes each; a lone byte at the end is half a letter."""
    whole = run[: len(run) & ~1]
    half = "\ufffd" if len(run) & 1 else ""
    if charset == "jis":
        return _windows(whole).decode("cp932", "replace") + half
    if charset in ("jis_x_0212", "jis_x_0213_2"):
        marked = b"".join(b"\x8f" + whole[at : at + 2] for at in range(0, len(whole), 2)).translate(_HIGH)
        return marked.decode("euc_jp" if charset == "jis_x_0212" else "euc_jis_2004", "replace") + half
    return whole.translate(_HIGH).decode(charset, "replace") + half


def _windows(pairs: bytes) -> bytes:
    """The same cells of JIS, written as Shift_JIS: two rows in each lead byte."""
    out = bytearray()
    for row, cell in zip(pairs[::2], pairs[1::2], strict=True):
        lead = ((row - 0x21) >> 1) + 0x81
        out.append(lead if lead <= 0x9F else lead + 0x40)
        out.append(cell + 0x7E if not row & 1 else cell + (0x1F if cell < 0x60 else 0x20))
    return bytes(out)


def decode_euc(data: bytes) -> str:
    """The text of EUC-JP with the rows of windows-31j; U+FFFD for what is none."""
    out: list[str] = []
    for token in _EUC.findall(data):
        first = token[0]
        if first < 0x80:
            out.append(token.decode("ascii"))
        elif first == 0x8E and len(token) == 2:
            out.append(_kana(token[1] & 0x7F))
        elif first == 0x8F and len(token) == 3:
            out.append(token.decode("euc_jp", "replace"))
        elif len(token) > 1:
            out.append(_windows(token.translate(_LOW)).decode("cp932", "replace"))
        else:
            out.append("\ufffd")
    return "".join(out)


def decode_eight_bit(data: bytes) -> str | None:
    """The text of bytes without escapes that are Shift_JIS or EUC-JP; None when they are neither.

    EUC-JP taken for Shift_JIS is a row of half-width kana, which nobody writes.
    """
    euc: str | None = decode_euc(data)
    if euc is not None and "\ufffd" in euc:
        euc = None
    try:
        shifted = data.decode("cp932")
    except UnicodeDecodeError:
        return euc
    return euc if euc is not None and _HALF_WIDTH.search(shifted) else shifted
