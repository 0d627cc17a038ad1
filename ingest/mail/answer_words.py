"""The words by which programs begin their answers and absent people say so, in the languages they write. Pure; linear.

Source: RFC 3834 §3.1.5 (the subject of an answer), RFC 5230 §4.5, what mail programs are known to write.
"""

from __future__ import annotations

import re

from ingest.mail.machine_words import SUBJECT_CHARS_MAX, any_of, folded

_AUTOMATIC = (
    "Auto", "Automatic reply", "Automatic response", "Automated reply", "Automated response", "Auto reply", "Autoreply",
    "Auto-reply", "AutoReply", "Auto response", "Autoresponse", "Auto-response", "Auto responder", "Autoresponder",
    "Out of office autoreply", "Out of Office", "Out of office reply", "Out-of-office", "Vacation reply", "Vacation response",
    "Away from my mail", "Absence", "Otomatik yanıt", "Otomatik cevap", "Ofis dışında", "Ofis dışı", "Ofis dışı otomatik yanıtı",
    "İzindeyim", "Tatildeyim", "Otomatik ileti", "Automatische Antwort", "Abwesenheitsnotiz", "Abwesend", "Abwesenheit",
    "Automatische Rückantwort", "Abwesenheitsmeldung", "Réponse automatique", "Absence du bureau", "Réponse automatique d'absence",
    "Absent", "Message d'absence", "Respuesta automática", "Fuera de la oficina", "Fuera de oficina", "Resposta automática",
    "Fora do escritório", "Resposta automàtica", "Risposta automatica", "Fuori sede", "Fuori ufficio", "Assenza",
    "Automatisch antwoord", "Automatisch bericht", "Afwezig", "Afwezigheidsbericht", "Niet op kantoor", "Autosvar",
    "Automatiskt svar", "Automatisk svar", "Frånvaro", "Fraværende", "Ikke til stede", "Automaattinen vastaus", "Poissa",
    "Poissaoloviesti", "Automatická odpověď", "Mimo kancelář", "Automatická odpoveď", "Mimo kancelárie", "Autoodpowiedź",
    "Odpowiedź automatyczna", "Automatyczna odpowiedź", "Poza biurem", "Automatikus válasz", "Házon kívül", "Răspuns automat",
    "În afara biroului", "Автоматический ответ", "Автоответ", "Нет на месте", "Автоматична відповідь", "Автоматичен отговор",
    "Αυτόματη απάντηση", "Εκτός γραφείου", "Automatski odgovor", "Samodejni odgovor", "Automaatvastus", "Automātiska atbilde",
    "Automatinis atsakymas", "自動応答", "自動返信", "不在通知", "不在", "自动答复", "自动回复", "自動回覆", "外出", "자동 회신",
    "자동 응답", "부재 중", "رد تلقائي", "خارج المكتب", "תשובה אוטומטית", "מענה אוטומטי", "Trả lời tự động", "ตอบกลับอัตโนมัติ",
    "Balasan otomatis",
)  # fmt: skip
_AUTOMATIC_SUBJECT = re.compile(
    rf"\[?(?:{any_of(_AUTOMATIC)})(?:\]| ?[:：]| ?\Z| re: | - )|away from my (?:mail|desk|office)\b|auto: .{{1,200}} is out of the office\b"
    r"|\[[^\]]{1,100}\] autoreply: |out of (?:the )?office(?: \(\w+\))?(?: re)?: "
)
_MARKED_SUBJECT = re.compile(
    r"\s*(?:auto(?:matic|mated)?[ -]?(?:reply|response|antwort)|otomatik (?:yanit|cevap)|automatische antwort|reponse automatique"
    r"|respuesta automatica|risposta automatica|resposta automatica|automatisch antwoord|autoreply)\b"
)
_ABSENT = re.compile(
    r"\b(?:out of (?:the )?office|ooo|on (?:annual |maternity |parental |sick )?(?:vacation|leave|holiday)"
    r"|away from (?:my|the) (?:office|desk|mail)|vacation"
    r"|ofis disi|ofiste degil|izindeyim|izinliyim|izinli|yillik izin\w*|tatildeyim"
    r"|abwesend|abwesenheit\w*|nicht im (?:buro|haus)|im urlaub|absence du bureau|absent du bureau|suis absente?|en conges?"
    r"|fuera de (?:la )?oficina|de vacaciones"
    r"|fora do escritorio|de ferias|fuori (?:sede|ufficio)|in ferie|afwezig\w*|niet op kantoor|met vakantie"
    r"|inte pa kontoret|pa semester|ikke pa kontoret"
    r"|poissa|lomalla|poza biurem|nieobecn\w+|na urlopie|mimo kancelar\w*|na dovolene|hazon kivul|szabadsagon|in concediu)\b"
    rf"|{any_of(('нет в офисе', 'в отпуске', 'у відпустці', '不在', '休暇', '外出', '休假', '부재 중', '휴가', 'خارج المكتب', 'في إجازة'))}"
)


def answers_by_itself(subject: str) -> bool:
    """Whether a subject begins as programs begin their answers. People write such subjects too: it proves nothing alone."""
    return _AUTOMATIC_SUBJECT.match(folded(subject[:SUBJECT_CHARS_MAX])) is not None


def seems_automatic(subject: str) -> bool:
    """What alone kept a mail out of work in release 0.1.0; today it only forbids an automatic answer."""
    return _MARKED_SUBJECT.match(folded(subject[:SUBJECT_CHARS_MAX])) is not None


def tells_of_absence(text: str) -> bool:
    """Whether the text, or the subject, says that its writer is away."""
    return _ABSENT.search(folded(text[:2_000])[:1_000]) is not None
