"""Bytes to text, whatever the label says. Pure; never raises.

Source: WHATWG Encoding (labels that mean a superset: a mail that says ISO-8859-1 means windows-1252), RFC 2045 §2.2, RFC 7103
§7 (8-bit bytes without a label).
Order: a byte order mark, the declared charset, UTF-8, a hint from elsewhere in the mail, then a guess. UTF-8 that validates with
multi-byte sequences beats a declared single-byte charset: real text in those charsets practically never forms valid UTF-8.
"""

from __future__ import annotations

import codecs
import re

from ingest.mail.charset_guess import guess, other_script, strict
from ingest.mail.charset_repair import once, turkish
from ingest.mail.japanese import ESCAPE, decode_eight_bit, decode_euc, decode_iso2022

_ALIASES = {
    "ascii": "cp1252", "us-ascii": "cp1252", "ansi": "cp1252", "iso-8859-1": "cp1252", "latin1": "cp1252", "latin-1": "cp1252",
    "iso8859-1": "cp1252", "iso_8859-1": "cp1252", "iso-8859-9": "cp1254", "iso8859-9": "cp1254", "iso_8859-9": "cp1254",
    "latin5": "cp1254", "latin-5": "cp1254", "turkish": "cp1254", "windows1254": "cp1254", "x-mac-turkish": "mac_turkish",
    "gb2312": "gb18030", "gbk": "gb18030", "x-gbk": "gb18030", "gb_2312-80": "gb18030", "hz-gb-2312": "hz", "cp936": "gb18030",
    "big5": "cp950", "x-x-big5": "cp950", "big5-eten": "cp950", "shift_jis": "cp932", "shift-jis": "cp932", "sjis": "cp932",
    "x-sjis": "cp932", "windows-31j": "cp932", "x-ms-cp932": "cp932", "ms_kanji": "cp932", "iso-2022-jp": "iso2022_jp",
    "iso-2022-jp-ms": "iso2022_jp", "cp50220": "iso2022_jp", "cp50221": "iso2022_jp", "cp50222": "iso2022_jp", "csiso2022jp": "iso2022_jp",
    "jis": "iso2022_jp", "x-euc-jp": "euc_jp", "x-euc": "euc_jp", "eucjp-ms": "euc_jp", "eucjp-win": "euc_jp", "cp51932": "euc_jp",
    "big5-hkscs": "big5hkscs", "x-big5": "cp950", "cn-big5": "cp950", "cn-gb": "gb18030", "x-euc-cn": "gb18030", "ucs-2": "utf-16",
    "iso-10646-ucs-2": "utf-16", "utf16": "utf-16", "x-koi8-r": "koi8_r", "koi": "koi8_r", "koi8": "koi8_r",
    "x-cp1251": "cp1251", "win-1251": "cp1251",
     "ks_c_5601-1987": "cp949", "euc-kr": "cp949",
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
_ISO_2022 = {"iso2022_jp", "iso2022_jp_1", "iso2022_jp_2", "iso2022_jp_2004", "iso2022_jp_3", "iso2022_jp_ext"}
_EUC_JP = {"euc_jp", "euc_jis_2004", "euc_jisx0213"}
_SIXTEEN = {"utf-16", "utf-16-le", "utf-16-be"}
_GBK = re.compile(rb"[\x81-\xfe][\x30-\x39][\x81-\xfe][\x30-\x39]|[\x81-\xfe][\x40-\xfe]|\x80")
_SAMPLE_BYTES = 4_096


def codec_of(label: str | None) -> str | None:
    """The codec's name in Python for a charset label of a mail; None when it says nothing or nobody knows it."""
    name = (label or "").strip().strip("\"';,").strip().lower().removeprefix("3d").lstrip("\"'")
    if name in _UNLABELLED or len(name) > 40:
        return None
    name = _ALIASES.get(name, name)
    name = re.sub(r"^(?:cp|windows|ibm)[-_ ]?(\d+)$", r"cp\1", name)
    try:
        info = codecs.lookup(name)
    except (LookupError, ValueError):  # ValueError: a NUL or a surrogate in the label
        return None
    # Bytes-to-bytes codecs (hex, zlib) carry this mark; decoding text with them would raise.
    if info.name.replace("-", "_") in _REFUSED or not getattr(info, "_is_text_encoding", True):
        return None
    return _ALIASES.get(info.name, info.name)


def decode_text(data: bytes, label: str | None = None, *, hint: str | None = None) -> tuple[str, bool]:
    """The text of ``data`` and whether something had to be guessed or replaced. Line ends and NUL are left as they are.

    ``hint``: a label from elsewhere in the mail. One of a Turkish charset says that the mail is Turkish.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace").lstrip("\ufeff"), False
    codec = codec_of(label)
    guessed = codec is None and bool((label or "").strip()) and (label or "").strip().lower() not in _UNLABELLED
    if b"\x1b" in data and codec not in _ISO_2022 and data.isascii() and ESCAPE.search(data):
        return decode_iso2022(data), codec is not None
    if (
        data.isascii()
        and b"\x1b" not in data
        and (codec is None or codec in _SINGLE_BYTE or codec == "utf-8")
        and b"\x00" not in data
    ):
        return data.decode("ascii"), guessed
    sixteen = _utf_16(data, codec)
    if sixteen is not None:
        return sixteen, guessed
    if codec is None or codec in _SINGLE_BYTE:
        text = strict(data, "utf-8") if b"\x1b$" not in data else None
        if text is not None:
            return once(text), guessed or codec is not None
    if codec is not None and (read := _as_declared(data, codec, hint)) is not None:
        return read[0], read[1] or guessed
    hinted = codec_of(hint)
    if hinted and hinted != codec:
        text = (other_script(data) if hinted == "cp1252" else None) or _strict(data, hinted)
        if text is not None:
            return (turkish(text, told=False) if hinted == "cp1252" else text), True
    return guess(data), True


def _as_declared(data: bytes, codec: str, hint: str | None) -> tuple[str, bool] | None:
    """The text in the declared charset or in what its label is known to be written for; None when neither fits."""
    if codec == "cp1252" and (text := other_script(data)) is not None:
        return text, True
    if codec in _ISO_2022 and (b"\x1b" in data or data.isascii()):
        text = decode_iso2022(data)
        return text, "\ufffd" in text
    if codec in _ISO_2022 or codec in _EUC_JP:
        text = strict(data, "utf-8") or (decode_euc(data) if codec in _EUC_JP else "\ufffd")
        if "\ufffd" not in text:
            return text, codec in _ISO_2022
        other = decode_eight_bit(data)
        return (other, True) if other is not None else (text, True) if codec in _EUC_JP and _is_mostly(text) else None
    read = _strict(data, codec)
    if read is not None:
        if codec == "cp1252":
            return turkish(read, told=codec_of(hint) == "cp1254"), False
        return (once(read) if codec == "utf-8" else read), False
    read = _paired(data) if codec == "utf-8" else None
    if read is not None:
        return read, True
    damaged = data.decode(codec, "replace")
    return (damaged, True) if _is_mostly(damaged) else None


def _is_mostly(damaged: str) -> bool:
    """A stray byte or a cut letter in declared text: the label is right, the byte is not."""
    bad = damaged.count("\ufffd")
    return bad * 20 <= len(damaged) or bad <= sum(char > "\x7f" and char != "\ufffd" for char in damaged)


def _utf_16(data: bytes, codec: str | None) -> str | None:
    """Sixteen bits a letter, as the zeros of its ASCII show; None when the bytes are something else.

    A label of UTF-16 on bytes without any zero is wrong when they are UTF-8: gateways recode a text and leave its label.
    """
    labelled = codec in _SIXTEEN
    if not labelled and b"\x00" not in data[:_SAMPLE_BYTES]:
        return None
    sample = data[:_SAMPLE_BYTES]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if labelled and not even and not odd and (text := strict(data, "utf-8")) is not None:
        return text
    many = max(even, odd) * 5 >= len(sample)
    if not labelled and (not many or min(even, odd) * 20 > len(sample)):
        return None
    order = {"utf-16-be": "utf-16-be", "utf-16-le": "utf-16-le"}.get(codec or "", "utf-16-be" if even > odd else "utf-16-le")
    if many:
        order = "utf-16-be" if even > odd else "utf-16-le"
    return data[: len(data) & ~1].decode(order, "replace")


def _strict(data: bytes, codec: str) -> str | None:
    text = strict(data, codec)
    if text is not None:
        return text
    # windows-125x leave a few bytes undefined that their ISO ancestors define as control characters.
    if codec in {"cp1252", "cp1254"}:
        return data.decode("latin-1" if codec == "cp1252" else "iso8859-9")
    if codec == "gb18030":
        return strict(_GBK.sub(_euro, data), codec) if b"\x80" in data else None
    return strict(data, "big5hkscs") if codec == "cp950" else None


def _euro(letter: re.Match[bytes]) -> bytes:
    # WHATWG Encoding §10.1.1: a lone 0x80 is the euro sign, as Windows writes it in GBK.
    return b"\xa2\xe3" if letter[0] == b"\x80" else letter[0]


def _paired(data: bytes) -> str | None:
    """UTF-8 in which a program wrote each half of a surrogate pair as three bytes; a half alone becomes U+FFFD."""
    try:
        halves = data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return None
    return halves.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
