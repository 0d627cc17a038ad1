"""How mail programs announce a quote, in the languages our customers write. Pure; patterns see lines of bounded length only.

Source: samples of Gmail, Outlook, Apple Mail, Yandex, Thunderbird and Yahoo in Turkish and eleven other languages.
All patterns are matched on `shared.text.fold_turkish` of a line: lower case, no diacritics, one letter i.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from shared.text import fold_turkish

LINE_CHARS_MAX = 400
_WINDOW = 8

_WROTE = (
    r"(?:sunu|sunlari|asagidakini|asagidakileri)?\s?yazdi|yazmis|wrote|writes|schrieb|geschrieben|a ecrit|escribio|ha scritto|escreveu"
    r"|napisal(?:\(a\)|a)?|napsal(?:\(a\)|a)?|schreef|het volgende geschreven|skrev|написал(?:\(а\)|а)?|пише|写道|님이 작성"
)
_ENDS_WROTE = re.compile(rf"(?:{_WROTE})\s*(?:\([^()]{{0,80}}\))?\s*(?:[:：][\s>*_-]*|-{{2,}})$")
# Yahoo on telephones goes on with the quoted text on the same line.
_WROTE_THEN = re.compile(rf"(?:{_WROTE})\s?:\s{{2,}}\S")
_WROTE_SOMEONE = re.compile(r"\b(?:schrieb|schreef|skrev)\s.{1,160}:$")
_WROTE_ON = re.compile(r"\b(?:wrote|schrieb)\s(?:on|am)\s.{4,160}:$")
_DATED = re.compile(r"\b(?:19|20)\d\d\b|\b\d{1,2}[:.]\d\d\b|\b\d{1,2}[./-]\d{1,2}[./-]\d\d\b")
_YEAR = re.compile(r"\b(?:19|20)\d\d\b|\b\d{1,2}[./-]\d{1,2}[./-]\d\d\b")
_ADDRESS = re.compile(r"[^\s<>@]+@[^\s<>@]+\.[^\s<>@]+")
_ADDRESS_ENDS = re.compile(r"[<(\[][^\s<>@]+@[^\s<>@]+[>)\]]\s*:$")
_LEAD_IN = re.compile(r"(?:on|at|am|le|el|il|em|op|den|dnia|dne|in message|tarih)\b.*\d|在")

_DELIMITER = re.compile(
    r"[\s>*_]*-{2,}\s*(?:original message|forwarded message|reply message|forwarded by|orijinal (?:ileti|mesaj|e-posta)|ozgun (?:ileti|mesaj)"
    r"|asil (?:ileti|mesaj)|iletilen (?:ileti|mesaj)|iletilmis (?:ileti|mesaj)|yonlendirilen (?:ileti|mesaj)|yanitlanan ileti"
    r"|ursprungliche nachricht|weitergeleitete nachricht|message d'origine|message original|message transfere|mensaje original"
    r"|mensagem original|messaggio originale|oorspronkelijk bericht|wiadomosc oryginalna|исходное сообщение|пересылаемое сообщение"
    r"|原始邮件)\b.{0,40}$"
)
_FORWARD = re.compile(r"[\s>*]*(?:begin forwarded message|iletilen mesajin baslangici|debut du message (?:transfere|reexpedie)"
                      r"|anfang der weitergeleiteten (?:nachricht|e-mail)|inicio del mensaje reenviado)\s*:$")  # fmt: skip
_ABOVE = re.compile(r"[\s>*]*(?:##-.{3,200}-##|-{2,}\s?(?:please )?(?:reply|write|type your reply) above this line.{0,60}"
                    r"|.{0,40}yanitinizi bu (?:cizginin|satirin) (?:ustune|uzerine) yaz.{0,60})$")  # fmt: skip
_RULE = re.compile(r"[\s*]*[_-]{3,}[\s*]*$")

_FROM = re.compile(
    r"[\s*]*(?:kimden|gonderen|from|von|de|da|van|od|fran|fra|от|od kogo|lahettaja|发件人|差出人|보낸 ?사람)\s?\*{0,2}\s?[:：]"
)
_FIELD = re.compile(
    r"[\s*]*(?:gonderildi|gonderim|gonderilme|gonderme tarihi|tarih|kime|alici|bilgi|konu|ek|ekler|sent|date|to|cc|subject|gesendet|datum|an"
    r"|betreff|envoye|date|a|objet|enviado|fecha|para|asunto|inviato|data|oggetto|verzonden|aan|onderwerp|wyslano|do|temat|skickat"
    r"|till|amne|sendt|til|emne|отправлено|дата|кому|тема|发送时间|收件人|主题|送信日時|宛先|件名|importance|reply-to|organization)"
    r"\s?(?:\((?:cc|bilgi)\))?\s?\*{0,2}\s?[:：]"
)
# "İstanbul'dan gönderildi" is news of a parcel: only what names a device or a mail program is a signature.
_DEVICE = (
    r"(?=.*\b(?:iphone|ipad|ipod|android|ios|telefon|cihaz|tablet|samsung|galaxy|huawei|xiaomi|redmi|oppo|blackberry|mobil|outlook|windows|yahoo"
    r"|gmail|yandex|proton|thunderbird|mail|e-posta|my |meinem|mon |mi |meu|mijn|mio|min |mojego))"
)
_MOBILE = re.compile(
    rf"{_DEVICE}"
    r"[\s*]*(?:(?:sent|gesendet|envoye|enviado|inviato|verzonden|skickat|wyslano|отправлено)\s(?:from|via|with|von|mit|depuis|de|do|desde"
    r"|da|dal|vanaf|van|fran|z|с|из)\s.{2,60}|von meinem .{2,40} gesendet|get outlook for .{2,60}"
    r"|.{0,40}\b\S{0,30}(?:['’]?(?:umdan|imden|imdan|umden|dan|den|tan|ten))\s(?:gonderildi|gonderilmistir|iletildi)\.?"
    r"|.{0,30}(?:icin outlook|outlook for .{2,20})['’]?[a-z]{0,3} (?:edinin|alin|indirin)\.?.{0,60})$"
)


def fold(line: str) -> str:
    """The key of a line that the patterns see; longer lines announce nothing."""
    return fold_turkish(line.strip()) if len(line) <= LINE_CHARS_MAX else ""


def is_attribution(joined: str, *, quote_follows: bool) -> bool:
    """Whether the folded text is a line like "Ali, 3 Kas 2025 14:05 tarihinde şunu yazdı:".

    The verb alone is what people write too ("geçen hafta şunu yazdı:"), so a date, an address or a quote below must confirm it.
    """
    if _ENDS_WROTE.search(joined) or _WROTE_SOMEONE.search(joined) or _WROTE_ON.search(joined):
        return quote_follows or bool(_DATED.search(joined) or _ADDRESS.search(joined))
    return bool(_ADDRESS_ENDS.search(joined) and _YEAR.search(joined))


def attribution_start(folded: Sequence[str], end: int, *, quote_follows: bool) -> int | None:
    """The first line of the attribution that ends in line ``end``; None when there is none. Programs wrap it up to four lines."""
    if (then := _WROTE_THEN.search(folded[end])) and _YEAR.search(folded[end][: then.start()]) and _ADDRESS.search(folded[end]):
        return end
    if not folded[end].rstrip(" *_").endswith((":", "：", "--")):
        return None
    for start in range(end, max(-1, end - 4), -1):
        if not folded[start] or folded[start].startswith(">"):
            break
        if is_attribution(" ".join(folded[start : end + 1]), quote_follows=False):
            return _widened(folded, start)
    return end if quote_follows and is_attribution(folded[end], quote_follows=True) else None


def _widened(folded: Sequence[str], start: int) -> int:
    """Lines above that belong to the attribution too: "On Mon, 3 Nov 2025, Ali" above "<ali@…> wrote:"."""
    if _LEAD_IN.match(folded[start]):
        return start
    for above in range(start - 1, max(-1, start - 3), -1):
        line = folded[above]
        if not line or line.startswith(">") or line.endswith((".", "!", "?")):
            break
        if _LEAD_IN.match(line) or (_YEAR.search(line) and _DATED.search(line) and line.endswith((",", ">", "tarihinde"))):
            return above
    return start


def block_start(folded: Sequence[str], at: int) -> int | None:
    """The first line of what certainly begins a quote in line ``at``: a delimiter, or Outlook's repeated header fields."""
    line = folded[at]
    if not line:
        return None
    if _DELIMITER.match(line) or _FORWARD.match(line) or _ABOVE.match(line):
        return at
    if not _FROM.match(line):
        return None
    fields = sum(1 for other in folded[at + 1 : at + _WINDOW] if _FIELD.match(other))
    if fields < 2:
        return None
    above = at - 1
    while above >= 0 and not folded[above]:
        above -= 1
    return above if above >= 0 and _RULE.match(folded[above]) else at


def is_mobile_signature(folded: str) -> bool:
    """Whether the folded line is what a telephone adds: "iPhone'umdan gönderildi", "Sent from my iPhone"."""
    return 0 < len(folded) <= 120 and bool(_MOBILE.match(folded))
