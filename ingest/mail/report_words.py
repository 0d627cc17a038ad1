"""The words by which mail servers tell of failed and late deliveries, in the languages they write. Pure; linear.

Source: what mail servers are known to write beside or instead of a report (RFC 3464); phrases stand here as a person would read them.
Identity: a subject that begins with a sign of an answer or of forwarding is a person's about such a mail, never such a mail itself.
"""

from __future__ import annotations

import re
from typing import Literal

from ingest.mail.machine_words import SUBJECT_CHARS_MAX, any_of, folded
from ingest.steps import step

_TEXT_CHARS_MAX = 6_000
_PHRASES_STEPS = 8

FailureSubject = Literal["unmistakable", "program", "words", ""]
"""``unmistakable``: only programs begin so; ``program``: as programs write it, word by word; ``words``: it speaks of a failed or late
delivery, as people do too."""

# Whole subjects, or what stands before a colon.
_WHOLE = (
    "Undelivered Mail Returned to Sender", "Undelivered Mail", "Undelivered Message", "Undeliverable", "Undeliverable Mail",
    "Undeliverable Message", "Undeliverable Email", "Mail undeliverable", "Message undeliverable", "Message status - undeliverable",
    "Mail delivery failed", "Mail delivery failed: returning message to sender", "Mail delivery failure", "Mail delivery problem",
    "Mail delivery error", "Mail delivery notification", "Mail delivery system", "Mail delivery subsystem", "Mail delivery warning",
    "Mail System Error - Returned Mail", "Mail Failure", "Mail Error", "Mail failed, returning to sender", "Mail not delivered",
    "Mail could not be delivered", "Message could not be delivered", "Message not delivered", "Message delivery failure",
    "Message delivery has failed", "Message delivery failed", "Message delivery delayed", "Message delayed", "Message Undelivered",
    "Email delivery failure", "Email delivery failed", "Failed to deliver mail", "Failed mail", "Failure notice",
    "Failure delivery", "Failure to deliver", "Delivery failure", "Delivery failure report", "Delivery failure notification",
    "Delivery failed", "Delivery has failed", "Delivery error", "Delivery error report", "Delivery report", "Delivery delayed",
    "Delivery problem", "Delivery notification", "Delivery notification: Delivery has failed", "Delivery unsuccessful",
    "Permanent delivery failure", "Returned mail", "Returned mail - error during delivery", "Returned to sender", "Returned email",
    "Returned message", "Returning message to sender", "Return mail", "Nondeliverable mail", "Non-delivery", "Non delivery",
    "Non-delivery report", "Non-delivery notification", "Notice: mail delivery status.", "Warning: delayed mail.",
    "Warning - delayed mail", "Delayed mail", "Processing error", "Bounced mail", "Bounced message", "User unknown",
    "Unknown recipient", "Undeliverable recipient", "Automatically rejected mail", "Rejected mail", "Rejected message",
    "Mailbox unavailable", "Recipient unknown", "Message rejected", "Mail rejected", "Message blocked",
    "There was an error sending your mail", "Mail returned",
    # Turkish
    "Teslim edilemedi", "Teslim edilemeyen", "Teslim edilemez", "Teslim edilemiyor", "İletilemedi", "İletilemeyen", "İletilemiyor",
    "İletiniz teslim edilemedi", "İletiniz iletilemedi", "İleti teslim edilemedi", "Mesajınız iletilemedi", "Mesaj iletilemedi",
    "E-postanız teslim edilemedi", "E-posta teslim edilemedi", "E-posta iletilemedi", "Posta teslim edilemedi", "Teslim hatası",
    "Teslimat başarısız", "Teslim edilemeyen posta", "Teslim edilemeyen ileti", "Teslim edilemeyen e-posta", "Teslim gecikti",
    "Teslim durumu bildirimi", "Teslimat durumu bildirimi", "Teslim geciktirildi",
    # German
    "Unzustellbar", "Nicht zustellbar", "Nachricht unzustellbar", "Unzustellbare Nachricht", "Nicht zugestellt",
    "Zustellung verzögert", "Fehler bei der Zustellung", "Zustellung fehlgeschlagen", "Zustellungsfehler",
    "Nachricht konnte nicht zugestellt werden",
    # French
    "Non remis", "Non distribuable", "Non distribué", "Non délivré", "Échec de la remise", "Échec de remise", "Remise retardée",
    "Échec de la livraison", "Message non remis", "Message non délivré", "Notification d'état de remise", "Courrier non délivré",
    # Spanish, Portuguese, Italian
    "No se puede entregar", "No entregado", "No se pudo entregar", "Entrega fallida", "Error de entrega", "Correo no entregado",
    "Mensaje no entregado", "Entrega retrasada", "Correo devuelto", "Devuelto al remitente", "Não é possível entregar",
    "Não entregue", "Não foi possível entregar", "Falha na entrega", "Mensagem não entregue", "Falha na entrega da mensagem",
    "Entrega atrasada", "Mensagem devolvida", "Non recapitabile", "Mancato recapito", "Mancata consegna", "Impossibile recapitare",
    "Non consegnato", "Recapito in ritardo", "Messaggio non recapitabile", "Messaggio non consegnato",
    "Notifica di mancata consegna", "Notifica di mancato recapito",
    # Dutch, Swedish, Danish, Norwegian, Finnish
    "Onbestelbaar", "Niet bestelbaar", "Kan niet worden bezorgd", "Kan niet bezorgen", "Niet afgeleverd", "Bezorging vertraagd",
    "Olevererbart", "Går inte att leverera", "Kunde inte levereras", "Ej levererat", "Leverans misslyckades", "Kan ikke leveres",
    "Kunne ikke leveres", "Ikke leveret", "Ikke levert", "Kan ikke leveres til", "Toimittaminen ei onnistu", "Toimitus epäonnistui",
    "Ei toimitettavissa", "Perille toimittamaton",
    # Polish, Czech, Slovak, Hungarian, Romanian, Croatian
    "Niedostarczalne", "Niedostarczone", "Nie można dostarczyć", "Wiadomość niedostarczona", "Zwrot wiadomości", "Nedoručitelné",
    "Nedoručeno", "Nelze doručit", "Nedoručená zpráva", "Nedoručiteľné", "Nedoručené", "Kézbesíthetetlen", "Sikertelen kézbesítés",
    "Kézbesítési hiba", "Nelivrabil", "Nelivrat", "Nu se poate livra", "Imposibil de livrat", "Nije isporučeno", "Neisporučivo",
    # Russian, Ukrainian, Bulgarian, Greek
    "Не удается доставить", "Не удалось доставить", "Недоставлено", "Не доставлено", "Недоставленное сообщение",
    "Сообщение не доставлено", "Ваше сообщение не доставлено", "Ваше сообщение не доставлено. Mail failure",
    "Недоставленное письмо", "Письмо не доставлено", "Ошибка доставки", "Доставка задерживается", "Не вдається доставити",
    "Не доставлено", "Недоставлене повідомлення", "Недоставено", "Не може да бъде доставено", "Δεν ήταν δυνατή η παράδοση",
    "Δεν παραδόθηκε", "Αδύνατη η παράδοση", "Ανεπίδοτο",
    # Japanese, Chinese, Korean, Arabic, Hebrew
    "配信不能", "配信できません", "配信エラー", "メール配信エラー", "送信エラー", "メッセージを配信できません",
    "メール配信に失敗しました", "宛先不明", "配達不能", "未送达", "无法送达", "未传递", "系统退信", "退信", "退信通知",
    "邮件传输失败", "邮件投递失败", "投递失败", "邮件被退回", "无法投递", "投递状态通知", "未傳遞", "無法傳遞", "傳送失敗",
    "退信通知", "배달되지 않음", "전달할 수 없음", "배달할 수 없음", "반송", "메일 반송", "메일이 반송되었습니다", "배달 실패",
    "لم يتم التسليم", "تعذر التسليم", "غير قابل للتسليم", "فشل التسليم", "לא ניתן למסירה", "לא נמסר",
)  # fmt: skip
# Beginnings that no person chooses, whatever follows.
_BEGINNINGS = (
    "delivery status notification", "undelivered mail returned to sender", "mail delivery failed: returning", "[bounce]",
    "[postmaster] email delivery failure", "warning: could not send message for", "undeliverable mail:", "returned mail:",
    "delivery notification:", "failure notice:", "mail system error", "fml status report", "not member article from",
    "fml system error message", "spam mail from a spammer is rejected", "message you sent blocked by",
    "sorry, your message could not be delivered",
)  # fmt: skip
_UNMISTAKABLE = re.compile(any_of(_BEGINNINGS))
_LABELLED = re.compile(r"\A(?:\[[^\]]{1,40}\] ?)?(?:\*{1,3} ?)?")
_PROGRAM = re.compile(
    rf"(?:{any_of(_WHOLE)})[ ]?(?:[.!。！]?\Z|[:：(\[])"
    r"|warning: message (?:\S{1,100} )?(?:delayed|has not yet been delivered)"
    r"|your message to \S{1,300} could not be delivered|undeliver(?:able|ed)[ :]{1,3}\S{1,300}@"
    r"|delivery failure: user \S{1,300} \(|user unknown:|failed mail to"
)
_WORDS = re.compile(
    r"undeliver|deliver\w*[^.]{0,30}(?:fail|problem|error|delay|warning|impossible|unsuccessful|status)"
    r"|fail\w*[^.]{0,30}(?:deliver|mail|message|notice)|(?:mail|message)[^.]{0,30}(?:fail|error|reject|return|block|bounce|delay|unsuccessful)"
    r"|not (?:be |yet been |been )?delivered|return(?:ed|ing)? (?:to sender|mail|message)|(?:unknown|invalid) (?:user|recipient|address|mailbox)"
    r"|(?:user|recipient|address|mailbox) (?:unknown|not found|invalid|is full|full|unavailable)"
    r"|bounce|over quota|reject|virus|blocked|\bndr\b|\bdsn\b"
    r"|teslim edil[ei]?m|iletilem|ulastirilama|gonderileme|geri don|basarisiz|teslimat"
    r"|unzustellbar|nicht zu(?:ge)?stell|zustell\w*[^.]{0,20}(?:fehl|verzog)|fehler"
    r"|non (?:remis|delivr|distribu|recapit|consegn)|echec|mancat[ao] (?:consegna|recapito)"
    r"|no (?:se )?(?:pud|pued|ha |fue )?\w* ?\w* ?entreg|nao (?:foi |pode ser )?entreg|falha|fallo|devuelto|devolvid"
    r"|onbestelbaar|niet (?:af)?(?:geleverd|bezorgd)|niedostarcz|zwrot|nedoruc|kezbesit"
    rf"|{any_of(('не доставлен', 'недоставлен', 'не удалось доставить', 'ошибка', 'недоставлене'))}"
    rf"|{any_of(('退信', '失败', '失敗', 'エラー', '配信', '戻り', '반송', '실패', 'تعذر', 'לא נמסר'))}"
)
_ANSWERED = re.compile(
    rf"(?:{any_of(('re', 'fw', 'fwd', 'wg', 'aw', 'antw', 'sv', 'vs', 'vl', 'tr', 'rv', 'enc', 'res', 'ynt', 'ilt', 'cvp', 'yan', 'i', 'r', 'rif'))}"
    rf"|{any_of(('odp', 'pd', 'doorst', 'videresend', 'fyi', '回复', '答复', '转发', '返信', '転送', '回覆', '轉寄', 'отв', 'пересл', 'απ', 'πρθ'))}"
    r")(?:\[\d{1,3}\]|\(\d{1,3}\))? ?[:：]"
)


def is_about_a_mail(subject: str) -> bool:
    """Whether a subject begins with a sign of an answer or of forwarding, in any language."""
    return _ANSWERED.match(folded(subject[:SUBJECT_CHARS_MAX])) is not None


def failure_subject(subject: str) -> FailureSubject:
    """How a subject speaks of a delivery that failed or is late."""
    plain = folded(subject[:SUBJECT_CHARS_MAX])
    if _ANSWERED.match(plain):
        return ""
    for subject in (plain, _LABELLED.sub("", plain)):
        if _UNMISTAKABLE.match(subject):
            return "unmistakable"
        if _PROGRAM.match(subject):
            return "program"
    return "words" if _WORDS.search(plain) else ""


# --- texts of reports ----------------------------------------------------------------------------------------------------

# Sentences about a mail.
_FAILED = (
    "This is the mail system at host", "This is the qmail-send program", "This is the mail delivery agent",
    "This is the deliver program at", "This is the machine generated message from mail service", "this is the email server at",
    "This is the MAILER-DAEMON", "This is the James mail server", "This is the DragonFly Mail Agent",
    "This is the Postfix program at host", "This message was created automatically by",
    "This is an automatically generated Delivery Status Notification", "This is an automatically generated message",
    "This report relates to a message you sent", "This is a delivery failure notification",
    "This is a delivery status notification", "This is an advisory-only email",
    "This is an automated message created by mail delivery", "This is an informative message sent by",
    "A message that you sent could not be delivered", "A message that you sent was rejected",
    "A message that you sent has not yet been delivered", "A message that you sent contained",
    "A message could not be delivered to", "Delivery to the following recipient", "Delivery to the following address",
    "Delivery has failed to these recipients", "Delivery of the following message failed",
    "Delivery has failed on the enclosed message", "The following address had", "The following addresses had",
    "The following address(es) failed", "The following address failed", "The following recipient(s) could not be reached",
    "The following recipients did not receive this message", "The following recipient(s) cannot be reached",
    "The following mail could not be delivered", "The following mail has been returned", "Did not reach the following recipient",
    "did not reach some or all of the intended recipients", "message that you sent was undeliverable",
    "An error was detected while processing the enclosed message", "Delivery of email to this address",
    "could not deliver message to the following", "could not deliver your message", "couldn't deliver your message", "unable to deliver your message",
    "unable to deliver the following message", "wasn't able to deliver your message",
    "wasn't able to deliver the following message", "failed to deliver your message", "has encountered delivery problems",
    "encountered an error during delivery", "your message couldn't be delivered", "your message wasn't delivered",
    "your message was rejected", "your mail was rejected", "your message has been rejected", "your email has been rejected",
    "was automatically rejected", "Your mail message to", "your message has been blocked", "your message was blocked",
    "your email was blocked", "Your message did not reach", "The original message was received at",
    "The attached message had permanent fatal delivery errors", "Message delivery has failed", "Failed addresses follow",
    "Invalid final delivery userid", "RCPT TO generated following response", "Your mail sent on",
    "Your mail attempted to be delivered on", "Message could not be delivered to mobile", "Your message could not be sent",
    "Could not be delivered because of", "Requested action not taken", "You are not a member of this mailing list",
    "Original message follows", "undeliverable to", "Unknown user:", "could not be delivered to the following recipient",
    "Failed Recipients", "Non-Delivery Report", "Unrouteable address", "Message from InterScan",
    "MailEnable: Message could not be delivered", "Transcript of session follows", "the group you tried to contact",
    "We're writing to let you know that the group", "there was an error sending your mail", "has reached our server but",
    "Message not delivered to the following addresses", "found a virus in", "bulk email filter", "Failure reasons",
    "Diagnostic information for administrators", "Generating server", "The e-mail system was unable to deliver",
    "The email account that you tried to reach", "You do not have permission to send to this recipient",
    "Your mail to the following recipients could not be delivered", "Your message could not be delivered",
    "Your mail could not be delivered", "Your email could not be delivered", "Your message cannot be delivered",
    "Your mail cannot be delivered", "Your message was not delivered", "Your mail was not delivered",
    "Your message has not been delivered", "Your message has not yet been delivered", "Unable to deliver message to the following",
    "The following message could not be delivered", "Your message was identified as spam",
    "The user(s)", "Each of the following recipients was rejected", "User mailbox exceeds allowed size", "Sent <<< RCPT TO",
    "Body of message generated response", "We had trouble delivering your message",
    # Turkish
    "adresine gönderdiğiniz ileti", "adresine gönderdiğiniz e-posta", "adresine gönderdiğiniz mesaj", "Göndermiş olduğunuz e-posta",
    "Göndermiş olduğunuz ileti", "gönderdiğiniz ileti teslim edilem", "gönderdiğiniz e-posta teslim edilem",
    "ileti aşağıdaki alıcıya", "ileti aşağıdaki alıcılara", "iletiniz aşağıdaki", "iletiniz teslim edilemedi",
    "mesajınız iletilemedi", "e-postanız teslim edilemedi", "e-postanız iletilemedi", "mesajınız teslim edilemedi",
    "alıcılara teslim başarısız oldu", "iletinize ulaşılamadı", "Teslim bu alıcılara veya gruplara başarısız oldu",
    "bu alıcılara veya gruplara teslim edilemedi", "iletiniz ulaştırılamadı", "İleti teslim edilemedi",
    # German
    "Fehler bei der Nachrichtenzustellung", "Ihre Nachricht wurde nicht zugestellt", "Diese Nachricht wurde automatisch",
    "Ihre E-Mail konnte nicht", "nicht alle Empfänger", "hat einige oder alle Empfänger nicht erreicht",
    # French
    "Ceci est un message automatique de", "n'a pas pu atteindre",
    # Spanish, Portuguese, Italian
    "Error en la entrega a los siguientes", "no llegó a algunos", "Se produjo un error en la entrega", "destinatários a seguir",
    # Russian, Ukrainian, Greek
    "Это письмо создано автоматически", "Сообщение не было доставлено", "К сожалению, Ваше письмо",
    # Japanese, Chinese, Korean, Arabic
    "送信できませんでした", "配信できませんでした", "配信に失敗しました", "メールを送信できません", "メッセージは配信できません",
    "メッセージを配信できません", "无法发送到", "发送失败",
    "无法将邮件", "無法傳遞", "很抱歉,您发送的邮件", "전달되지 못했습니다", "전송하지 못했습니다",
)  # fmt: skip
# Sentences that are about parcels as well.
_HINTS = (
    "message could not be delivered", "messages could not be delivered", "mail could not be delivered",
    "email could not be delivered", "message cannot be delivered", "mail cannot be delivered", "message can't be delivered",
    "message was not delivered", "mail was not delivered", "message wasn't delivered", "message has not been delivered",
    "message has not yet been delivered", "message is undeliverable", "message was undeliverable", "could not deliver message to",
    "unable to deliver message", "unable to deliver mail", "was identified as spam", "contained a virus", "The message you sent to",
    "Your message to", "The following message", "The message that you sent", "User unknown", "mailbox is full",
    "Intended recipient", "Returned mail", "Undeliverable mail", "Undeliverable message", "Could not be delivered to",
    "because of the following reason", "was not delivered to", "Gönderdiğiniz e-posta", "Gönderdiğiniz ileti",
    "Gönderdiğiniz mesaj", "Unable to deliver to", "We were unable to deliver", "We weren't able to deliver", "not able to deliver",
    "kullanıcı bulunamadı", "alıcı bulunamadı", "destinataires suivants", "non ha raggiunto", "n'a pas pu être livré",
    "no ha sido entregado", "non è stato consegnato", "non può essere consegnato", "nie została dostarczona",
    "nie mogła zostać dostarczona", "nie udało się dostarczyć", "nie można było dostarczyć", "konnte nicht zugestellt werden",
    "konnten nicht zugestellt werden", "konnte leider nicht zugestellt werden", "nicht zugestellt werden konnte",
    "kon niet worden afgeleverd", "kon niet worden bezorgd", "is niet bezorgd", "не было доставлено", "не может быть доставлено",
    "не удалось доставить", "не доставлено", "kunde inte levereras", "kunne ikke leveres", "blev ikke leveret", "ble ikke levert",
    "ei voitu toimittaa", "toimittaminen epäonnistui", "nebylo možné doručit", "nemohla být doručena", "se nepodařilo doručit",
    "nem sikerült kézbesíteni", "nem kézbesíthető", "nu a putut fi livrat", "nu a fost livrat", "no pudo ser entregado",
    "no se pudo entregar", "no se ha podido entregar", "no ha podido ser entregado", "No se puede entregar",
    "não pôde ser entregue", "não foi possível entregar", "não pode ser entregue", "não foi entregue", "Falha na entrega",
    "non è stato recapitato", "non è stato possibile recapitare", "Impossibile recapitare", "mancata consegna",
    "Recapito non riuscito", "n'a pas pu être délivré", "n'a pas pu être remis", "n'a pu être remis", "n'ont pas pu être remis",
    "n'a pas été remis", "n'a pas été délivré", "n'a pas pu être acheminé", "Échec de la remise", "Échec de remise",
    "alıcıya ulaştırılamadı", "alıcılara ulaştırılamadı", "alıcıya teslim edilemedi", "alıcılara teslim edilemedi",
    "не вдалося доставити", "не було доставлено", "δεν ήταν δυνατή η παράδοση", "δεν παραδόθηκε", "お届けできませんでした",
    "配送できませんでした", "无法送达", "未能送达", "投递失败", "被退回", "无法投递", "無法送達", "未能投递", "배달할 수 없습니다",
    "전달할 수 없습니다", "반송되었습니다", "تعذر تسليم", "لم يتم تسليم", "فشل تسليم", "Error for:",
    "Here is your list of failed recipients", "no such user here", "not a valid user here", "wasn't found at",
    "Mail delivery failed", "Zustellung an folgende Empfänger", "Folgende Empfänger", "Bezorging aan de volgende",
    "Levering til disse", "Det gick inte att leverera", "could not be delivered because", "no valid recipients were",
)  # fmt: skip
_DELAYED = (
    "has not yet been delivered", "not yet been delivered", "has been delayed", "was delayed", "is delayed", "will be retried",
    "still being retried", "still trying", "will continue to be made", "will continue to try", "will keep trying",
    "will continue for some", "Delivery attempts will continue", "No action is required on your part", "do not need to resend",
    "could not send message for past", "has been postponed", "temporary failure, will", "we'll try to deliver",
    "This is a warning message only", "This is a warning only", "This is just a warning", "delivery is delayed",
    "yeniden denenecek", "denemeye devam", "henüz teslim edilemedi", "henüz iletilemedi", "tekrar denenecek", "geciktirildi",
    "gecikti", "noch nicht zugestellt", "wird weiterhin versucht", "verzögert", "pas encore été remis", "pas encore été délivré",
    "a été retardé", "aún no se ha entregado", "todavía no se ha entregado", "se seguirá intentando", "si è verificato un ritardo",
    "non è ancora stato", "verrà ritentato", "ainda não foi entregue", "nog niet bezorgd", "vertraagd", "jeszcze nie",
    "ещё не доставлено", "ещё не было доставлено", "попытки доставки будут", "自動的に再送", "再送を試み", "遅延", "尚未送达",
    "延迟", "지연",
)  # fmt: skip
_GIVEN_UP = re.compile(
    r"permanent|failed after|given up|giving up|gave up|no further attempt|has failed|could not be delivered for|was returned|expired|undeliverable"
    r"|couldn't be delivered|kalici|endgultig"
)
_FAILED_FOLDED = tuple(folded(phrase) for phrase in _FAILED)
_HINTS_FOLDED = tuple(folded(phrase) for phrase in _HINTS)
_DELAYED_FOLDED = tuple(folded(phrase) for phrase in _DELAYED)
_THEIR_SUBJECT = re.compile(
    r"^[ \t>*]{0,20}(?:subject|konu|betreff|objet|asunto|oggetto|assunto|onderwerp|temat|тема|主题|主旨|件名)[ \t]{0,8}[:：].{0,1000}$",
    re.IGNORECASE | re.MULTILINE,
)
_DELAYED_SUBJECT = re.compile(
    r"warning: (?:message|could not send)|delay|still being retried|gecik|verzoger|retard|vertraag|ritardo|atrasad|задерж|遅延|延迟|지연"
)


def tells_of_failure(text: str, *, chars: int, hints: bool = False) -> bool:
    """Whether the first ``chars`` characters have a sentence by which mail servers tell of a failed or late delivery.

    ``hints``: also sentences that people write about parcels; for mail that a server's daemon sent.
    """
    head = folded(text[: 2 * chars])[:chars]
    step(_PHRASES_STEPS + len(head) // 50)
    return any(phrase in head for phrase in _FAILED_FOLDED) or (hints and any(phrase in head for phrase in _HINTS_FOLDED))


def tells_of_delay(subject: str, text: str) -> bool:
    """Whether a report without fields says that somebody still tries. The subject of the mail that it is about does not count."""
    own, sign, _ = folded(subject[:SUBJECT_CHARS_MAX]).partition(":")
    if _DELAYED_SUBJECT.search(folded(subject[:SUBJECT_CHARS_MAX]) if own == "warning" else own + sign):
        return True
    head = folded(_THEIR_SUBJECT.sub("", text[:_TEXT_CHARS_MAX]))[:2_000]
    return any(phrase in head for phrase in _DELAYED_FOLDED) and _GIVEN_UP.search(head) is None
