"""Which charset bytes are in when no label says so, or one that cannot be right. Pure; never raises; linear.

Source: RFC 7103 §7.6 (8-bit text without or with a wrong label); the letters that texts of a language are made of.
Units: judged by the first 20,000 bytes that are no ASCII.
"""

from __future__ import annotations

import re
from itertools import pairwise

from charset_normalizer import from_bytes

from ingest.mail.japanese import decode_eight_bit
from ingest.steps import step

_GUESS_BYTES_MIN = 32
_GUESS_BYTES_MAX = 20_000
_HIGH_RUN = re.compile(rb"[\x80-\xff]+")
_SHIFT_JIS_KANA = re.compile(rb"\x82[\x9f-\xf1]|\x83[\x40-\x7e\x80-\x96]|\x81[\x41\x42\x5b]")
_MIXED_WORD = re.compile(rb"[A-Za-z][\x80-\xff]|[\x80-\xff][A-Za-z]")
_DENSE_BYTES_MIN = 5
# The letters of an alphabet from the most to the least frequent; the rarest (ъ, ΐ, points) are left out and count against it.
_CYRILLIC = "оеаинтсрвлкмдпуяыьгзбчйіхжшюцєїщэфё"
_GREEK = "αοιετσνηυρπκμλωςόγάέίήδθχύφβξζώψ"
_HEBREW = "יוהלאתרמבשנםעדחקפגטצסכזןךץף"
_ARABIC = "اليمنترهبوكدعسفقحجةشصىطخضأزذثإئءآغظؤ"
_THAI = "านรอกเงคมยลวดทส่ต้ะปบิีัหแจพชขใไ็ุูำโึผถซศณธภษฐฉฎ์ืฟ"
_ALPHABETS = (
    ("cp1251", _CYRILLIC), ("koi8_u", _CYRILLIC), ("iso8859_5", _CYRILLIC), ("cp1253", _GREEK), ("iso8859_7", _GREEK),
    ("cp1255", _HEBREW), ("cp1256", _ARABIC), ("cp874", _THAI),
)  # fmt: skip
# What no word has: final letters inside, points without a letter, marks that begin it.
_ODD = re.compile("[ךםןףץ][א-ת]|[\u05b0-\u05c7]|[ةى][ء-ي]|(?:^| )[\u0e31\u0e34-\u0e3a\u0e47-\u0e4e]")
_DOS = ("cp866", _CYRILLIC)
_WEIGHTS = {letters: {letter: 1 - at / len(letters) for at, letter in enumerate(letters)} for _, letters in (*_ALPHABETS, _DOS)}
_SCRIPTS_STEPS, _STATISTICS_STEPS = 60, 300
_FIT_MIN = 0.55
_DIFFERENT_MIN = 4


def strict(data: bytes, codec: str) -> str | None:
    """The text, or None when some byte has no meaning in that codec."""
    try:
        return data.decode(codec)
    except (UnicodeError, LookupError, ValueError):
        return None


def guess(data: bytes) -> str:
    """The text in the likeliest charset; something for any bytes."""
    text = strict(data, "utf-8") or other_script(data, labelled=False) or _double_byte(data)
    if text is not None:
        return text
    high = [byte for byte in data[:_GUESS_BYTES_MAX] if byte >= 0x80]
    # Few high bytes among ASCII are the accents of a Latin script. windows-1254 differs from 1252 in six letters only,
    # which are Turkish in one and Icelandic in the other.
    if len(high) * 3 < min(len(data), _GUESS_BYTES_MAX):
        return data.decode("cp1254", "replace")
    if len(data) < _GUESS_BYTES_MIN:
        latin = min(high) < 0xC0 or _MIXED_WORD.search(data)
        return data.decode("cp1254" if latin else "cp1251", "replace")
    step(_STATISTICS_STEPS + min(len(data), _GUESS_BYTES_MAX) // 4)
    best = from_bytes(data[:_GUESS_BYTES_MAX]).best()
    return data.decode(best.encoding if best is not None else "cp1254", "replace")


def other_script(data: bytes, *, labelled: bool = True) -> str | None:
    """The text when the bytes are certainly no Latin script: whole words of high bytes that make sense in another.

    In Latin scripts high bytes are accents and stand alone; blanks and signs that come in rows are letters of no alphabet but
    that of DOS, which is thought of only when there is no label.
    """
    runs: list[bytes] = []
    size = long = 0
    for match in _HIGH_RUN.finditer(data):
        runs.append(match[0][:_GUESS_BYTES_MAX])
        size += len(runs[-1])
        long += len(runs[-1]) if len(runs[-1]) > 2 else 0
        if size >= _GUESS_BYTES_MAX:
            break
    kana = sum(len(one) for one in _SHIFT_JIS_KANA.findall(data[: 4 * _GUESS_BYTES_MAX]))
    if kana >= 4 and kana * 3 >= size and (text := strict(data, "cp932")) is not None:
        return text
    if size < _DENSE_BYTES_MIN or long * 10 < size * 7:
        return None
    sample = b" ".join(runs)
    step(_SCRIPTS_STEPS + size // 2)
    alphabets = _ALPHABETS if labelled else (*_ALPHABETS, _DOS)
    fit, codec = max((_fit(sample, codec, letters), codec) for codec, letters in alphabets)
    if fit >= _FIT_MIN:
        return data.decode(codec, "replace")
    return _double_byte(data) if size >= 8 else None


def _fit(sample: bytes, codec: str, letters: str) -> float:
    """How frequent the letters of a sample are in its language, less what has capitals or ends in the middle of words."""
    text = sample.decode(codec, "replace")
    lowered = text.lower()
    if len(set(letters).intersection(lowered)) < _DIFFERENT_MIN:
        return 0.0
    weights = _WEIGHTS[letters]
    written = [char for char in lowered if char != " "]
    odd = sum(one.islower() and other.isupper() for one, other in pairwise(text)) + len(_ODD.findall(text))
    # Words of capitals are rarer than others: KOI8 has the small letters where the rest has the capitals.
    capitals = sum(char.isupper() for char in text)
    return (sum(weights.get(char, -1) for char in written) - 2 * odd - 0.1 * capitals) / len(written)


def _double_byte(data: bytes) -> str | None:
    """Chinese, Japanese or Korean in a double-byte charset, told apart by the rows their common characters stand in."""
    pairs = _pairs(data[:_GUESS_BYTES_MAX])
    if len(pairs) < 2 or len(pairs) * 4 < sum(byte >= 0x80 for byte in data[:_GUESS_BYTES_MAX]):
        return None
    leads = [lead for lead, _ in pairs]
    trails_high = all(trail >= 0xA1 for _, trail in pairs)
    if (
        trails_high
        and all(lead in (0xA4, 0xA5) or 0xB0 <= lead <= 0xF4 or lead in (0xA1, 0xAD) for lead in leads)
        and any(lead in (0xA4, 0xA5) for lead in leads)
    ):
        return decode_eight_bit(data)
    if trails_high and b" " in data and all(0xB0 <= lead <= 0xC8 for lead in leads):
        return strict(data, "cp949")
    if trails_high and all(0xA1 <= lead <= 0xA9 or 0xB0 <= lead <= 0xF7 for lead in leads):
        common = sum(0xB0 <= lead <= 0xD7 or lead <= 0xA3 for lead in leads)
        if common * 10 >= len(leads) * 8:
            return strict(data, "gb18030")
    if all(0xA1 <= lead <= 0xF9 and (0x40 <= trail <= 0x7E or trail >= 0xA1) for lead, trail in pairs):
        common = sum(0xA1 <= lead <= 0xC6 for lead in leads)
        if common * 10 >= len(leads) * 8:
            return strict(data, "cp950")
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
