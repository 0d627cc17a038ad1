"""How mail programs announce a quote, a forward and themselves, in the languages our customers write. Pure.

Source: samples of Gmail, Outlook, Apple Mail, Yandex, Thunderbird, Yahoo, GMX, Samsung and Zimbra in some forty languages.
Names and phrases stand here as programs write them; they and the lines are compared by `fold`. Patterns see lines of bounded length.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from ingest.steps import step
from shared.text import fold_turkish

LINE_CHARS_MAX = 400
_BLOCK_LINES = 12
_ATTRIBUTION_LINES = 4
_INVISIBLE = dict.fromkeys([0xAD, 0x61C, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF])
_PLAIN = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ŧ": "t", "æ": "ae", "œ": "oe", "þ": "th", "’": "'", "‘": "'"}
                       | {chr(zero + digit): str(digit) for zero in (0x660, 0x6F0) for digit in range(10)}
                       | {chr(dash): "-" for dash in (*range(0x2010, 0x2016), 0x2212, 0x2500)})  # fmt: skip


def fold(line: str) -> str:
    """The key of a line that the patterns see; longer lines announce nothing.

    `fold_turkish`, and letters with a stroke plain, digits Western, one kind of dash, marks of direction gone, Hangul in syllables.
    """
    if len(line) > LINE_CHARS_MAX:
        return ""
    step(3)
    plain = fold_turkish(line.replace("&nbsp;", " ").translate(_INVISIBLE).strip())
    if not line.isascii():
        step((len(line) + 2 * len(plain)) // 16)  # a letter may be many: U+FDFA is eighteen
    return plain if plain.isascii() else unicodedata.normalize("NFC", plain.translate(_PLAIN)).strip()


def _phrases(text: str) -> list[str]:
    """The folded phrases of a text, separated by bars; the longest first, so that a pattern of them prefers it."""
    return sorted(
        {fold(phrase) for line in text.splitlines() for phrase in line.split("|") if phrase.strip()}, key=len, reverse=True
    )


def _any(text: str) -> str:
    return "(?:" + "|".join(re.escape(phrase) for phrase in _phrases(text)) + ")"


# --- attributions: "Ali, 3 Kas 2025 14:05 tarihinde şunu yazdı:" -----------------------------------------------------------

_WROTE = r"(?:(?<!\w)" + _any(
    """yazdı|yazmış|yazıb|wrote|writes|schrieb|schrieben|geschrieben|a écrit|écrit|avez écrit|escribió|escribiu|ha scritto|scrive
    escreveu|napisał(a)|napisał|napisała|nadesłał|nadesłała|pisze|napsal(a)|napsal|napsala|napísal(a)|napísal|napísala|schreef|het volgende geschreven
    skrev|kirjoitti|va escriure|ha escrit|a scris|írta|έγραψε|έγραψαν|написал(а)|написал|написала|пишет|писал(а)|писал|пише
    написав|написала|написав(-ла)|написав(ла)|написав/ла|написа|напиша|је написао|је написала|је написао/ла|написао је|напісаў
    je napisao|je napisala|je napisao/la|napisao je|napisala je|napisao/la je|je napisal|je napisala|je napisal/-a|je napisal(a)
    rašė|rakstīja|kirjutas|skrifaði|shkroi|idatzi du|đã viết|menulis|het geskryf|نوشت|كتب|كتبت|كتب/ت|כתב|כתבה|כתב/ה|ने लिखा
    scríobh|ysgrifennodd|жазды"""
) + "|" + _any(
    "写道|寫道|님이 작성|작성|작성하였습니다|작성했습니다|쓴 글|님의 말|のメール|のメッセージ|書きました|さんは書きました|เขียนว่า|เขียน"
) + ")"  # fmt: skip
_ENDS_WROTE = re.compile(rf"{_WROTE}\s*(?:\(.{{0,120}}\))?\s*(?:[:][\s>*_-]*|-{{2,}})$")
_WROTE_WHEN = re.compile(rf"{_WROTE}\s.{{0,20}}\d.{{0,50}}:$")
_WROTE_SOMEONE = re.compile(
    r"\b(?:schrieb|schrieben|schreef|skrev|kirjutas|scriobh)\s.{1,160}:$|\b(?:wrote|schrieb)\s(?:on|am)\s.{4,160}:$"
)
# Yahoo on telephones goes on with the quoted text on the same line.
_WROTE_THEN = re.compile(rf"{_WROTE}\s?:\s{{2,}}\S")
# Programs do not say "I wrote"; The Bat! says "you wrote", but marks what it quotes.
_PERSON_WROTE = re.compile(
    r"\b(?:i|we|you|he|she|they|who|ich|wir|du|sie|er)\s(?:wrote|schrieb|schrieben|geschrieben)\b"
    r"|\b(?:schrieb|schrieben|schreef|skrev)\s(?:ich|wir|mir|uns|du|sie|er|ik|wij|we|jeg|jag|vi|du|hun|han|hon)\b"
)
_CLOCK = re.compile(r"(?<![\d.:])\d{1,2}[:.h]\d\d(?!\d|\.\d)")
_YEAR = re.compile(r"(?<!\d)(?:19|20|25)\d\d(?!\d)|(?<!\d)\d{1,2}[./-]\s?\d{1,2}[./-]\s?\d\d(?!\d)")
_ADDRESS = re.compile(r"[^\s<>@()]{1,80}@[^\s<>@()]{1,80}\.[^\s<>@()]")
_ADDRESS_BRACKETED = re.compile(r"[<\[][^\s<>@\[\]]{1,100}@[^\s<>@\[\]]{1,100}[<>\]]")
_ADDRESS_ENDS = re.compile(r"[>)\]]\s*:$")
# Above marked lines Horde says "Quoting Ali <ali@…>:", Gmail of before 2014 "2012/4/16 Ali <ali@…>".
_BARE = re.compile(r"<[^\s<>@]{1,100}@[^\s<>@]{1,100}>\s?:$|^\d{4}/\d{1,2}/\d{1,2}\s.{0,100}<[^\s<>@]{1,100}@[^\s<>@]{1,100}>$")
_LEAD_IN = re.compile(
    r"(?:on|at|am|le|el|il|em|op|den|dnia|w dniu|dne|dana|no dia|in message|tarih|pada|vao|στισ|in|la|na|kl|на|у)\b.*\d|在|于"
)
_DATE_FIRST = re.compile(r"\d{1,4}[./-]\s?\d|\d{1,2}\s\w|\d{4}年|\d{4}년")


def closes_bracket(above: str, line: str) -> bool:
    """Whether the folded line begins with the rest of an address bracket that the line above opened: ">:", "> wrote:"."""
    if not (line.startswith(">") and line.endswith(":") and _is_open(above) and "@" in above[above.rfind("<") :]):
        return False
    return line[1:].strip() == ":" or bool(_ENDS_WROTE.search(line))


def _is_open(line: str) -> bool:
    """Whether the line ends inside of an address bracket, which goes on without a blank in the next one."""
    opened = line.rfind("<")
    return opened > line.rfind(">") and " " not in line[opened:]


def is_attribution(joined: str, *, quote_follows: bool) -> bool:
    """Whether the folded text is a line like "Ali, 3 Kas 2025 14:05 tarihinde şunu yazdı:".

    The verb alone is what people write too ("geçen hafta şunu yazdı:"), and with a date as well ("3 Kasım 2025'te şunu yazdı:"): unless
    a quote follows, an address and a date must both confirm it.
    """
    if not quote_follows and ("@" not in joined or not _YEAR.search(joined)):
        return False
    wrote = _ENDS_WROTE.search(joined) or _WROTE_SOMEONE.search(joined) or _WROTE_WHEN.search(joined)
    if quote_follows and (wrote or _BARE.search(joined)):
        return True
    if not joined.endswith((":", "--", "*", "_")) or not _YEAR.search(joined):
        return False
    if wrote:
        return bool(_ADDRESS.search(joined)) and not _PERSON_WROTE.search(joined)
    if _ADDRESS_BRACKETED.search(joined):
        return bool(_ADDRESS_ENDS.search(joined) or _CLOCK.search(joined))
    return quote_follows and bool(_ADDRESS.search(joined) and _CLOCK.search(joined))


def attribution_start(folded: Sequence[str], end: int, *, quote_follows: bool) -> int | None:
    """The first line of the attribution that ends in line ``end``; None when there is none. Programs wrap it up to four lines."""
    then = _WROTE_THEN.search(folded[end]) if _ADDRESS.search(folded[end]) else None
    if then and _YEAR.search(folded[end][: then.start()]):
        return end
    if not folded[end].rstrip(" *_").endswith((":", "--", ">") if quote_follows else (":", "--")):
        return None
    joined = ""
    for start in range(end, max(-1, end - _ATTRIBUTION_LINES), -1):
        line = folded[start]
        if not line or (start < end and (line.startswith(">") or _ends_sentence(line))):
            break
        joined = line + joined if _is_open(line) else f"{line} {joined}".strip()
        if len(joined) > LINE_CHARS_MAX:
            break
        if (start == end or _may_begin(line)) and is_attribution(joined, quote_follows=False):
            return _widened(folded, start)
    return _widened(folded, end) if quote_follows and is_attribution(folded[end], quote_follows=True) else None


def _may_begin(line: str) -> bool:
    """Whether an attribution of several lines may begin with the line: with a date, words before one, or an address in its bracket."""
    if _LEAD_IN.match(line) or _DATE_FIRST.match(line) or _is_open(line) or _ADDRESS_BRACKETED.search(line):
        return True
    return bool(_YEAR.search(line) and _CLOCK.search(line))


def _ends_sentence(line: str) -> bool:
    return (
        line.endswith((".", "!", "?", "。"))
        and not _is_open(line)
        and not line[:-1].endswith(("m", "г", "р"))
        and not line[-2:-1].isdigit()
    )


def _widened(folded: Sequence[str], start: int) -> int:
    """Lines above that belong to the attribution too: "On Mon, 3 Nov 2025, Ali" above "<ali@…> wrote:"."""
    if _LEAD_IN.match(folded[start]) or _DATE_FIRST.match(folded[start]):
        return start
    for above in range(start - 1, max(-1, start - _ATTRIBUTION_LINES + 1), -1):
        line = folded[above]
        if not line or line.startswith(">") or _ends_sentence(line):
            break
        if (_LEAD_IN.match(line) and _YEAR.search(f"{line} {folded[start]}")) or (
            _YEAR.search(line) and _CLOCK.search(line) and line.endswith((",", ">", "tarihinde"))
        ):
            return above
    return start


# --- header fields that programs repeat above a quote ---------------------------------------------------------------------

_NAMES = {
    "from": """from|kimden|gönderen|kimdən|von|absender|de|expéditeur|remitente|remetente|da|mittente|van|afzender|od|od kogo|nadawca
        odesílatel|odosielateľ|från|avsändare|fra|avsender|afsender|frá|lähettäjä|от|отправитель|від|відправник|от кого|od koga|šalje
        pošiljatelj|από|feladó|de la|expeditor|saatja|nuo|siuntėjas|sūtītājs|nork|من|מאת|từ|người gửi|dari|pengirim|จาก
        发件人|發件人|寄件者|寄件人|差出人|送信者|送信元|보낸 사람|보낸사람|보낸이|발신""",
    "sent": """sent|date|gönderildi|gönderilen|gönderim|gönderilme|gönderme tarihi|gönderilme tarihi|gönderim tarihi|gönderilen tarih|tarih|tarix
        göndərilib|gesendet|gesendet am|datum|envoyé|envoyé le|date d'envoi|enviado|enviada|enviado el|enviada el|enviado em|enviada em
        fecha|fecha de envío|data|inviato|inviata|data di invio|verzonden|verzonden op|verstuurd|wysłano|wysłane|data wysłania|odesláno
        odoslané|dátum|küldve|elküldve|küldés dátuma|skickat|skickat den|sendt|dato|lähetetty|päivämäärä|päiväys|отправлено|дата
        дата отправки|надіслано|відправлено|изпратено|poslano|poslato|στάλθηκε|ημερομηνία|trimis|expediat|saadetud|kuupäev|išsiųsta
        nosūtīts|bidalia|enviat|enviat el|sent at|تاريخ الإرسال|تاريخ|التاريخ|تم الإرسال|נשלח|תאריך|נשלח בתאריך|ngày|đã gửi|ngày gửi
        tanggal|dikirim|terkirim|วันที่|ส่ง|ส่งเมื่อ|发送时间|发送日期|日期|時間|寄件日期|傳送時間|送信日時|日時|送信日|보낸 날짜|보낸날짜|보낸 시간|날짜""",
    "to": """to|kime|kimə|alıcı|alıcılar|an|empfänger|à|a|pour|destinataire|para|destinatario|destinatari|destinatário|aan|do|komu
        adresat|pro|příjemce|címzett|till|mottagare|til|mottaker|vastaanottaja|кому|получатель|до|за|prima|za|προς|către|destinatar|saaja|adressaat
        kellele|kam|gavėjas|nori|per a|إلى|אל|đến|người nhận|tới|kepada|untuk|ke|ถึง|收件人|收件者|宛先|받는 사람|받는사람|받는이|수신""",
    "subject": """subject|konu|mövzu|betreff|objet|sujet|asunto|assunto|oggetto|onderwerp|temat|předmět|predmet|tárgy|ämne|emne|efni|aihe
        тема|относно|предмет|θέμα|subiect|teema|tema|zadeva|naslov|assumpte|gaia|الموضوع|موضوع|נושא|chủ đề|tiêu đề|subjek|perihal|judul
        เรื่อง|หัวเรื่อง|主题|主 题|主題|主旨|件名|제목""",
    "other": """cc|bcc|bilgi|gizli|kopya|ek|ekler|önem|önem derecesi|yanıt adresi|copia|cópia|copie|kopie|kopia|kopi|kopio|másolat|dw
        copy to|копия|копія|抄送|抄 送|副本|참조|κοιν|κοινοποίηση|importance|priority|reply-to|attachments|anlagen|wichtigkeit|pièces jointes
        pièce jointe|importance|organization|org|cc.|mailed-by|signed-by|ответить|antwort an|répondre à""",
    "form": """mesaj|mesajınız|message|your message|nachricht|ihre nachricht|mensaje|mensagem|messaggio|bericht|wiadomość|сообщение|留言
        telefon|phone|tel|telephone|téléphone|teléfono|telefono|gsm|телефон|電話|tutar|miktar|açıklama|iban|takip no|sipariş no
        amount|betrag|montant|importe|order|ad|adı|adınız|ad soyad|name|nombre|nom|soyad|adres""",
}  # fmt: skip
_ROLES = {name: role for role, names in _NAMES.items() for name in _phrases(names)}
_NAME_CHARS_MAX = 40
_NAME_NOTE = re.compile(r"\s?\([^()]{0,12}\)$")
_RULE = re.compile(r"[\s*]*(?:[_-]{3,}|={3,})[\s*]*$")


def _field(line: str) -> tuple[str, str] | None:
    """The role and the value of a header field as programs repeat it, with marks of bold or without."""
    name, colon, value = line.partition(":")
    if not colon or len(name) > _NAME_CHARS_MAX:
        return None
    role = _ROLES.get(_NAME_NOTE.sub("", name.strip(" *_\t")))
    return (role, value) if role else None


def header_start(folded: Sequence[str], at: int) -> int | None:
    """The first line of repeated header fields that begin in line ``at``, a rule above them included.

    "From: Ankara, To: İzmir" is what people write too: an address, or a date with a subject, or a rule with a subject must confirm it.
    A field that only contact forms have, in the same run of lines, denies it.
    """
    first = _field(folded[at])
    if first is None or first[0] in ("other", "form"):
        return None
    values = {first[0]: first[1]}
    missed = 0
    for line in folded[at + 1 : at + _BLOCK_LINES]:
        found = _field(line)
        if found is None:
            missed += 1
            if missed > 2:
                break
        elif found[0] != "form":
            values.setdefault(*found)
            missed = 0
        elif not missed or (missed == 1 and "to" not in values):
            return None
    if "from" not in values or len(values) < 3:
        return None
    start = ruled_start(folded, at)
    addressed = any("@" in values.get(role, "") for role in ("from", "to"))
    dated = "subject" in values and bool(_YEAR.search(values.get("sent", "")))
    return start if addressed or dated or (start < at and "subject" in values) else None


def is_long_rule(folded: str) -> bool:
    """Whether the folded line is the rule that programs draw and people do not."""
    return len(folded) >= 20 and not folded.strip("_")


def ruled_start(folded: Sequence[str], at: int) -> int:
    """The rule above line ``at`` that belongs to what begins there, with at most one empty line between them; else ``at``."""
    above = at - 2 if at > 1 and not folded[at - 1] else at - 1
    while (
        above >= 0 and at - above < _ATTRIBUTION_LINES and _field(folded[above])
    ):  # Yandex names the recipient above its attribution
        above -= 1
    if above < 0 or not folded[above]:
        return at
    is_rule = _RULE.match(folded[above]) or (folded[above].startswith("--") and _ENDS_WROTE.search(folded[above]))
    return above if is_rule else at


# --- delimiters ------------------------------------------------------------------------------------------------------------

_ORIGINAL = _any(
    """original message|original mail|original e-mail|original email|original appointment|reply message|replied message|回复的原邮件|받은 메일 내용
    orijinal ileti|orijinal mesaj
    orijinal e-posta|özgün ileti|özgün mesaj|asıl ileti|asıl mesaj|yanıtlanan ileti|ursprüngliche nachricht|ursprüngliche mail
    original-nachricht|originalnachricht|original nachricht|ursprünglicher termin|originalmail|message d'origine|message original
    mail original|message initial|mensaje original|correo original|mensagem original|messaggio originale|messaggio originario
    oorspronkelijk bericht|origineel bericht|wiadomość oryginalna|oryginalna wiadomość|oryginalna wiadomośc|původní zpráva|pôvodná správa
    původní e-mail|ursprungligt meddelande|originalmeddelande|oprindelig meddelelse|original besked|oprindelig besked|opprinnelig melding
    original melding|alkuperäinen viesti|eredeti üzenet|mesaj original|mesajul original|αρχικό μήνυμα|исходное сообщение
    оригинальное сообщение|оригінальне повідомлення|вихідне повідомлення|первоначално съобщение|оригинално съобщение|izvorna poruka
    originalna poruka|izvirno sporočilo|originaalsõnum|algne sõnum|missatge original|jatorrizko mezua|thư gốc|tin nhắn gốc|pesan asli
    mesej asal|ข้อความต้นฉบับ|الرسالة الأصلية|رسالة أصلية|پیام اصلی|הודעה מקורית|ההודעה המקורית|原始邮件|原始郵件|原邮件|原始邮件信息
    元のメッセージ|元のメール|オリジナルメッセージ|original メッセージ|원본 메시지|원본 메일|원본메시지|orijinal məktub"""
)  # fmt: skip
_SENT_ON = _any(
    """forwarded message|forwarded mail|forwarded email|fwd|iletilen ileti|iletilen mesaj|iletilmiş ileti|iletilmiş mesaj|iletilen e-posta
    yönlendirilen ileti|yönlendirilen mesaj|yönlendirilmiş ileti|yönlendirilmiş mesaj|weitergeleitete nachricht|weitergeleitete mail
    weitergeleitete e-mail|message transféré|message réexpédié|message transmis|mail transféré|courriel transféré|mensaje reenviado
    mensaje remitido|correo reenviado|mensagem encaminhada|mensagem reencaminhada|messaggio inoltrato|doorgestuurd bericht
    doorgezonden bericht|wiadomość przekazana|przekazana wiadomość|treść przekazanej wiadomości|przesłana wiadomość|přeposlaná zpráva
    předaná zpráva|přeposlaný e-mail|preposlaná správa|vidarebefordrat meddelande|vidarebefordrat brev|vidarebefordrat mejl
    videresendt meddelelse|videresendt besked|videresendt melding|videresendt e-post|videresendt mail|välitetty viesti
    edelleenlähetetty viesti|továbbított üzenet|továbbított levél|mesaj redirecționat|mesaj transmis mai departe|προωθημένο μήνυμα
    προωθούμενο μήνυμα|пересылаемое сообщение|пересланное сообщение|пересылаемое письмо|переслане повідомлення|переадресоване повідомлення
    препратено съобщение|proslijeđena poruka|prosleđena poruka|posredovano sporočilo|edastatud kiri|edasi saadetud kiri|persiųstas laiškas
    pārsūtīta ziņa|missatge reenviat|birbidalitako mezua|thư đã chuyển tiếp|thư chuyển tiếp|tin nhắn đã chuyển tiếp|pesan terusan
    pesan yang diteruskan|ข้อความที่ส่งต่อ|رسالة معاد توجيهها|الرسالة المعاد توجيهها|رسالة محولة|پیام فوروارد شده|הודעה שהועברה
    转发的邮件|转发邮件|转发邮件信息|轉寄郵件|轉寄的郵件|已轉寄郵件|転送メッセージ|転送されたメッセージ|転送メール|전달된 메시지
    전달된 메일|전달한 메시지"""
)  # fmt: skip
_LINE_LEAD, _LINE_END = r"[\s>*]*[-_=]{2,}[\s\[]*", r"(?:\s(?:below|follows|asagida)\.?|\s*:|[\s*\]]*[-_=]{2,}.{0,40})?[\s*]*$"
_DELIMITER = re.compile(rf"{_LINE_LEAD}{_ORIGINAL}{_LINE_END}|-{{2,}}\s[^-]{{1,80}}{_WROTE}\s*:?\s*-{{2,}}$")
_FORWARD = re.compile(rf"{_LINE_LEAD}(?:{_SENT_ON}{_LINE_END}|forwarded by\b.{{0,160}}-{{2,}}$)")
_FORWARD_BEGINS = re.compile(
    r"[\s>*]*"
    + _any(
        """begin forwarded message|iletilen mesajın başlangıcı|iletilen ileti başlangıcı|iletilen iletinin başlangıcı|iletilen mesaj başlangıcı
    début du message transféré|début du message réexpédié|anfang der weitergeleiteten nachricht|anfang der weitergeleiteten e-mail
    inicio del mensaje reenviado|inizio messaggio inoltrato|inizio del messaggio inoltrato|início da mensagem encaminhada
    início da mensagem reencaminhada|begin doorgestuurd bericht|vidarebefordrat brev|vidarebefordrat mejl|vidarebefordrat meddelande
    start på videresendt besked|videresendt besked|videresendt melding|start på videresendt melding|välitetty viesti alkaa
    edelleenlähetetty viesti alkaa|początek przekazywanej wiadomości|początek przekazanej wiadomości|začátek přeposílané zprávy
    začiatok preposlanej správy|továbbított üzenet kezdete|începutul mesajului redirecționat|începutul mesajului retrimis
    αρχή προωθημένου μηνύματος|начало переадресованного сообщения|начало пересылаемого сообщения|початок листа, що пересилається
    початок переадресованого повідомлення|početak proslijeđene poruke|inici del missatge reenviat|bắt đầu thư được chuyển tiếp
    mulai pesan terusan|بداية الرسالة المعاد توجيهها|بدء الرسالة المحولة|תחילת ההודעה שהועברה|开始转发的邮件|下面是被转发的邮件|開始轉寄郵件
    以下是轉寄的郵件|転送されたメッセージ|전달된 메시지|전달된 메시지 시작"""
    )
    + r"\s*:[\s*]*$"
)
_ABOVE = re.compile(r"[\s>*]*(?:##-.{3,200}-##|-{2,}\s?(?:please )?(?:reply|write|type your reply) above this line.{0,60}"
                    r"|.{0,40}yanitinizi bu (?:cizginin|satirin) (?:ustune|uzerine) yaz.{0,60})$")  # fmt: skip
_FORWARD_SUBJECT = re.compile(
    _any("fw|fwd|ilt|iltl|ilet|wg|tr|rv|i|enc|vb|vl|pd|пересл|转发|轉寄|転送|전달|πρθ|továbbítás|הועבר|إعادة توجيه|chuyển tiếp")
    + r"\s?:"
)


@dataclass(frozen=True, slots=True)
class Block:
    """What certainly begins what is not new: its first line, and whether it is sent on rather than quoted."""

    start: int
    is_forward: bool


def block_start(folded: Sequence[str], at: int) -> Block | None:
    """What begins in line ``at``: a delimiter, or Outlook's repeated header fields."""
    line = folded[at]
    if not line:
        return None
    if is_forward(line):
        return Block(at, is_forward=True)
    if _DELIMITER.match(line) or _ABOVE.match(line):
        return Block(at, is_forward=False)
    start = header_start(folded, at)
    return None if start is None else Block(start, is_forward=False)


def is_forward(folded: str) -> bool:
    """Whether the folded line says that what is below was sent on: "---------- İletilmiş ileti ---------", quoted or not."""
    return bool(_FORWARD.match(folded) or _FORWARD_BEGINS.match(folded))


def is_forward_subject(subject: str) -> bool:
    """Whether a mail's subject says that the mail is sent on; "Re: Fwd: …" is an answer."""
    return bool(_FORWARD_SUBJECT.match(fold(subject[:LINE_CHARS_MAX])))


# --- what telephones add --------------------------------------------------------------------------------------------------

# "İstanbul'dan gönderildi" is news of a parcel: only what names a device or a mail program is a signature.
_BRAND = r"(?:samsung|huawei|xiaomi|redmi|oppo|oneplus|honor|nokia)"
_DEVICE = (
    r"(?:iphon|ipad|ipod|android|\bios\b|macbook|smart-?(?:phone|telefon)|galaxy|blackberry|outlook|gmail|yandex|proton|thunderbird|hotmail"
    r"|(?:my|mobile) phone\b|\b(?:my|meinem|mein|min|mon) mobile?\b|mobile (?:device|app|mail)\b"
    r"|mobiltelefon|mobil cihaz|telefonum|cihazim|tabletim|\bhandy\b|tablet|bluemail|\bk-9\b|\bgmx\b|web\.de"
    r"|yahoo|mail\.ru|\b(?:for|fur|pour|para|per|voor|dla) windows\b|\bwindows (?:phone|10|11|icin)\b|мобильн|мобільн|телефон|яндекс"
    r"|\b(?:meinem|mon|mi|meu|mijn|mio|min|mojego) (?:\w{3,9} )?(?:tele?f\w{2,6}|tel|movil|gsm)"
    rf"|\b{_BRAND}(?: \w{{1,12}}){{0,2}}\.?$|{_BRAND}['\w]{{2,7}} gonderildi)"
)
_SENT_FIRST = _any(
    """sent from|sent via|sent with|sent using|gesendet von|gesendet mit|gesendet aus|gesendet über|verschickt von|verschickt mit
    envoyé de|envoyé depuis|envoyé via|envoyé avec|envoyé à partir|enviado desde|enviado con|enviado do|enviado de|enviado via
    enviado a partir|enviado pelo|enviada do|inviato da|inviato dal|inviato con|inviato tramite|verzonden vanaf|verzonden met|verzonden via
    verstuurd vanaf|verstuurd met|verstuurd via|wysłane z|wysłano z|wysłane przez|odesláno z|odesláno ze|odoslané z|odoslané zo
    skickat från|skickat med|sendt fra|sendt med|lähetetty|отправлено с|отправлено из|отправлено через|отправлено со|надіслано з
    надіслано із|відправлено з|изпратено от|изпратено чрез|poslano s|poslano z|poslano iz|poslato sa|στάλθηκε από|trimis de pe|trimis din
    saadetud|išsiųsta iš|nosūtīts no|enviat des|đã gửi từ|được gửi từ|gửi từ|dikirim dari|dihantar dari|ส่งจาก|أرسلت من|أرسل من|تم الإرسال من
    مرسل من|مرسلة من|ارسال شده از|נשלח מה|נשלח מ|发自|發自|从|來自|来自|傳送自|自我的|get outlook|obtenez outlook|télécharger outlook
    obtener outlook|descargar outlook|ottieni outlook|scarica outlook|obter o outlook|obter outlook|pobierz aplikację outlook
    pobierz outlook|скачать outlook|получить outlook|získat outlook|hämta outlook|hent outlook|skaff deg outlook|hanki outlook
    holen sie sich outlook|download outlook|yahoo mail: search, organize, conquer|provenance : courrier pour windows"""
)  # fmt: skip
_GONDERILDI = r"(?:gonderildi|gonderilmistir|iletildi|gonderilib)"
_SENT_LAST = (
    rf"(?:.{{0,60}}\b(?:iphone|ipad|ipod|android|telefon|cihaz|tablet|galaxy|outlook|mail|e-posta|posta|uygulama|{_BRAND})"
    rf"[\w']{{0,9}}(?:dan|den|tan|ten| ile) {_GONDERILDI}"
    r"|(?:dies\w{1,2} (?:nachricht|mail|e-mail) wurde )?(?:von|mit|aus|uber) (?:meine[mr]|der|dem) (?!.{0,40}\bwurde).{2,60}"
    r" (?:gesendet|geschickt|verschickt|versendet)"
    r"|.{0,30}outlook.{0,30} (?:edinin|alin|indirin|beziehen|herunterladen|downloaden|ophalen)|.{0,12}iphone[\w' -]{0,12} kuldve"
    r"|.{0,30}(?:から送信|から送信されました|より送信|에서 보냄|에서 전송됨|에서 보낸 메일입니다|发送|傳送|传送|寄出))"
)
_MOBILE = re.compile(
    rf"(?=[^?]{{0,80}}{_DEVICE})[\s*]*(?:{_SENT_FIRST}[^?]{{1,90}}|{_SENT_LAST}[.。]?(?:\s?[<(]http\S{{1,100}}|<http\S{{1,100}})?)[\s*]*$"
)


def is_mobile_signature(folded: str) -> bool:
    """Whether the folded line is what a telephone adds: "iPhone'umdan gönderildi", "Sent from my iPhone"."""
    return 0 < len(folded) <= 120 and bool(_MOBILE.match(folded))
