"""Letters that were read in a neighbour's charset on their way, put right where nothing else can have been meant. Pure; linear.

Source: ISO/IEC 8859-9 (Latin-1 with ğ ı ş Ğ İ Ş in the six places of ð ý þ Ð Ý Þ), the Unicode FAQ on UTF-8 encoded twice.
Turkish mail with a Latin-1 label is everyday; Icelandic with the same label is right, and has to stay.
"""

from __future__ import annotations

import re

from shared.text import fold_turkish

_TURKISH = str.maketrans("ðýþÐÝÞ", "ğışĞİŞ")
_TELLING = re.compile("[ðýþÐÝÞ]")
_NORDIC = re.compile("[áéíóúæåøÁÉÍÓÚÆÅØ]")
_WORD = re.compile(r"[^\W\d_]{1,40}")
# No Nordic word ends in þ or has it before a consonant but j, v and r; none has ý beside ð or þ, or a vowel harmony of ü and ý.
_NOT_NORDIC = re.compile("þ(?:$|[bcçdfgklmnpstyz])|ýð|ðý|ýþ|þý|[aeiouöü][^aeiouöüýðþ]{1,3}ý[a-z]{0,3}$|ðü|[çğ]", re.IGNORECASE)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TURKISH_WORDS = _words(
    "ve bir bu icin cok merhaba lutfen sayin ile kadar daha degil yok nasil gunaydin iyi tesekkur tesekkurler siparis siparisim siparisi"
    " siparisiniz kargo iade fatura yardim musteri hakkinda urun urunu talep talebi numarali numarasi konu ilgili rica ederim"
    " saygilarimla selam sikayet sikayetim istiyorum degisim degisiklik islem sube sifre satis alis baska tarihli istanbul izmir"
)
_NORDIC_WORDS = _words("og að ekki ég þú það þetta með við fyrir þið þeir þær þau til þegar hvað eða skal sé tað ikki")
_SAMPLE_CHARS = 20_000

# A byte as windows-1252 or 1254 reads it, back to the byte; the five that mean nothing there stay controls.
_BYTES = {byte: byte for byte in range(256)}
_BYTES.update(
    {
        ord(char): byte
        for codec in ("cp1254", "cp1252")
        for byte in range(128, 256)
        if (char := bytes([byte]).decode(codec, "ignore"))
    }
)
_NOT_A_BYTE = re.compile("[^{}]".format("".join(re.escape(chr(code)) for code in sorted(_BYTES))))
_CONTROLS = re.compile("[\x80-\x9f]")


def turkish(text: str, *, told: bool) -> str:
    """A text read as Latin-1, with its Turkish letters when it is Turkish. ``told``: the mail says elsewhere that it is."""
    if not _TELLING.search(text):
        return text
    sample = text[:_SAMPLE_CHARS] if _TELLING.search(text, 0, _SAMPLE_CHARS) else text[-_SAMPLE_CHARS:]
    if len(_NORDIC.findall(sample)) * 4 > len(_TELLING.findall(sample)):
        return text
    words = set(_WORD.findall(sample))
    if any(word.lower() in _NORDIC_WORDS for word in words):
        return text
    return text.translate(_TURKISH) if told or _speaks_turkish(sample, words) else text


def _speaks_turkish(sample: str, words: set[str]) -> bool:
    shapes = sum(bool(_TELLING.search(word) and _NOT_NORDIC.search(word)) for word in words)
    known = sum(2 if _TELLING.search(word) else 1 for word in words if fold_turkish(word.translate(_TURKISH)) in _TURKISH_WORDS)
    return shapes + known + (1 if re.search("[çüÇÜ]", sample) else 0) >= 2


def once(text: str) -> str:
    """A text whose UTF-8 was taken for windows-1252 or 1254 and encoded again, as it was. Only when every letter of it says so,
    and more than one does: a text that cites such letters stays as it is."""
    if text.isascii() or _NOT_A_BYTE.search(text):
        return text
    try:
        repaired = bytes(_BYTES[ord(char)] for char in text).decode("utf-8")
    except UnicodeDecodeError:
        return text
    letters = sum(char > "\x7f" for char in repaired)
    return repaired if letters > 1 and not _CONTROLS.search(repaired) else text
