"""Bytes to text, whatever the label says. Pure; never raises.

Source: WHATWG Encoding (labels that mean a superset: a mail that says ISO-8859-1 means windows-1252), RFC 2045 §2.2, RFC 7103
§7 (8-bit bytes without a label).
Order: a byte order mark, the declared charset, UTF-8, a hint from elsewhere in the mail, then a guess. UTF-8 that validates with
multi-byte sequences beats a declared single-byte charset: real text in those charsets practically never forms valid UTF-8.
"""

from __future__ import annotations

import codecs
import re

from charset_normalizer import from_bytes

_ALIASES = {
    "ascii": "cp1252", "us-ascii": "cp1252", "ansi": "cp1252", "iso-8859-1": "cp1252", "latin1": "cp1252", "latin-1": "cp1252",
    "iso8859-1": "cp1252", "iso_8859-1": "cp1252", "iso-8859-9": "cp1254", "iso8859-9": "cp1254", "iso_8859-9": "cp1254",
    "latin5": "cp1254", "latin-5": "cp1254", "turkish": "cp1254", "windows1254": "cp1254", "x-mac-turkish": "mac_turkish",
    "gb2312": "gb18030", "gbk": "gb18030", "x-gbk": "gb18030", "gb_2312-80": "gb18030", "hz-gb-2312": "hz", "cp936": "gb18030",
    "big5": "cp950", "x-x-big5": "cp950", "big5-eten": "cp950", "shift_jis": "cp932", "shift-jis": "cp932", "sjis": "cp932",
    "x-sjis": "cp932", "windows-31j": "cp932", "iso-2022-jp": "iso2022_jp_3", "ks_c_5601-1987": "cp949", "euc-kr": "cp949",
    "ks_c_5601": "cp949", "ksc5601": "cp949", "unicode-1-1-utf-7": "utf-7", "unicode-1-1-utf-8": "utf-8", "utf8mb4": "utf-8",
    "utf": "utf-8", "unicode": "utf-8", "iso-8859-8-i": "iso8859_8", "iso-8859-8-e": "iso8859_8", "iso-8859-6-i": "iso8859_6",
    "x-mac-roman": "mac_roman", "macintosh": "mac_roman", "tis-620": "cp874", "iso-8859-11": "cp874",
}  # fmt: skip
_UNLABELLED = {"", "unknown", "x-unknown", "unknown-8bit", "x-user-defined", "default", "binary", "_autodetect", "8bit", "none"}
# Codecs that are no charset of text, or that cost quadratic time.
_REFUSED = {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"}
_SINGLE_BYTE = {"cp1252", "cp1254", "cp1250", "iso8859-15", "iso8859-2"}
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_GUESS_BYTES_MIN = 32
_GUESS_BYTES_MAX = 20_000


def codec_of(label: str | None) -> str | None:
    """The codec's name in Python for a charset label of a mail; None when it says nothing or nobody knows it."""
    name = (label or "").strip().strip("\"'").strip().lower()
    if name in _UNLABELLED or len(name) > 40:
        return None
    name = _ALIASES.get(name, name)
    name = re.sub(r"^(?:cp|windows|ibm)[-_ ]?(\d+)$", r"cp\1", name)
    try:
        info = codecs.lookup(name)
    except (LookupError, ValueError):  # ValueError: a NUL or a surrogate in the label
        return None
    # Bytes-to-bytes codecs (hex, zlib) carry this mark; decoding text with them would raise.
    if info.name in _REFUSED or not getattr(info, "_is_text_encoding", True):
        return None
    return _ALIASES.get(info.name, info.name)


def decode_text(data: bytes, label: str | None = None, *, hint: str | None = None) -> tuple[str, bool]:
    """The text of ``data`` and whether something had to be guessed or replaced. Line ends and NUL are left as they are."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace").lstrip("\ufeff"), False
    codec = codec_of(label)
    guessed = codec is None and bool((label or "").strip()) and (label or "").strip().lower() not in _UNLABELLED
    if data.isascii() and (codec is None or codec in _SINGLE_BYTE or codec == "utf-8") and b"\x1b" not in data:
        return data.decode("ascii"), guessed
    if codec is None or codec in _SINGLE_BYTE:
        text = _strict(data, "utf-8") if b"\x1b$" not in data else None
        if text is not None:
            return text, guessed or codec is not None
    if codec is not None:
        text = _strict(data, codec)
        if text is not None:
            return text, guessed
        text = _paired(data) if codec == "utf-8" else None
        if text is not None:
            return text, True
        damaged = data.decode(codec, "replace")
        bad = damaged.count("\ufffd")
        # A stray byte or a cut letter in declared text: the label is right, the byte is not.
        if bad * 20 <= len(damaged) or bad <= sum(char > "\x7f" and char != "\ufffd" for char in damaged):
            return damaged, True
    hinted = codec_of(hint)
    text = _strict(data, hinted) if hinted and hinted != codec else None
    return (text, True) if text is not None else (_guess(data), True)


def _strict(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except (UnicodeError, LookupError, ValueError):
        # windows-125x leave a few bytes undefined that their ISO ancestors define as control characters.
        if codec in {"cp1252", "cp1254"}:
            return data.decode("latin-1" if codec == "cp1252" else "iso8859-9")
        return None


def _paired(data: bytes) -> str | None:
    """UTF-8 in which a program wrote each half of a surrogate pair as three bytes; a half alone becomes U+FFFD."""
    try:
        halves = data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return None
    return halves.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _guess(data: bytes) -> str:
    if b"\x1b$" in data:
        text = _strict(data, "iso2022_jp_3") or _strict(data, "iso2022_kr")
        if text is not None:
            return text
    text = _strict(data, "utf-8") or _guess_double_byte(data)
    if text is not None:
        return text
    high = [byte for byte in data[:_GUESS_BYTES_MAX] if byte >= 0x80]
    # Few high bytes among ASCII are the accents of a Latin script. windows-1254 differs from 1252 in six letters only,
    # which are Turkish in one and Icelandic in the other.
    if len(high) * 3 < min(len(data), _GUESS_BYTES_MAX):
        return data.decode("cp1254", "replace")
    if len(data) < _GUESS_BYTES_MIN:
        return data.decode("cp1251" if min(high) >= 0xC0 else "cp1254", "replace")
    best = from_bytes(data[:_GUESS_BYTES_MAX]).best()
    return data.decode(best.encoding if best is not None else "cp1254", "replace")


def _guess_double_byte(data: bytes) -> str | None:
    """Chinese, Japanese or Korean in a double-byte charset, told apart by the rows their common characters stand in."""
    pairs = _pairs(data[:_GUESS_BYTES_MAX])
    if len(pairs) < 2 or len(pairs) * 4 < sum(byte >= 0x80 for byte in data[:_GUESS_BYTES_MAX]):
        return None
    leads = [lead for lead, _ in pairs]
    trails_high = all(trail >= 0xA1 for _, trail in pairs)
    if (
        trails_high
        and all(lead in (0xA4, 0xA5) or 0xB0 <= lead <= 0xF4 or lead == 0xA1 for lead in leads)
        and any(lead in (0xA4, 0xA5) for lead in leads)
    ):
        return _strict(data, "euc_jp")
    if trails_high and b" " in data and all(0xB0 <= lead <= 0xC8 for lead in leads):
        return _strict(data, "cp949")
    if trails_high and all(0xA1 <= lead <= 0xA9 or 0xB0 <= lead <= 0xF7 for lead in leads):
        common = sum(0xB0 <= lead <= 0xD7 or lead <= 0xA3 for lead in leads)
        if common * 10 >= len(leads) * 8:
            return _strict(data, "gb18030")
    if all(0xA1 <= lead <= 0xF9 and (0x40 <= trail <= 0x7E or trail >= 0xA1) for lead, trail in pairs):
        common = sum(0xA1 <= lead <= 0xC6 for lead in leads)
        if common * 10 >= len(leads) * 8:
            return _strict(data, "cp950")
    return None


def _pairs(data: bytes) -> list[tuple[int, int]]:
    """Lead and trail bytes as a double-byte charset would read them; empty when a lead has no possible trail."""
    pairs, at = [], 0
    while at < len(data):
        if data[at] < 0x80:
            at += 1
            continue
        if at + 1 >= len(data) or data[at + 1] < 0x40:
            return []
        pairs.append((data[at], data[at + 1]))
        at += 2
    return pairs
