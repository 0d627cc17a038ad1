"""Mails of people, made from the same pieces every time: none of them may be taken for a machine's.

Every language's subjects (many sound like bounces, notices of absence or filters) with every way that people's mail comes, each with a
text and a mail program of its own turn. Names and domains are made up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.header import Header
from itertools import cycle
from typing import Final

OURS: Final = "destek@bizim.example"
"""The inbox that these mails are written to."""
FIELDS = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonsMail:
    """``name`` tells its pieces: way, language, subject's and text's number."""

    name: str
    content: bytes


SUBJECTS: Final[Mapping[str, Sequence[str]]] = {
    "en": (
        "Where is my order 4711?", "Undelivered parcel", "Return to sender", "Vacation rental in Bodrum", "Delivery failure of my order",
        "Delivery failed", "Mail delivery failed", "Mail delivery failed again?", "Undeliverable address?", "Out of office message does not work",
        "Automatic reply: please switch it off", "Failure notice from my bank", "Returned mail", "Bounced cheque", "Virus warning in your app",
        "Your message to me of yesterday", "I am on vacation until Monday", "Mailbox full?", "User unknown when I log in", "Warning: message lost",
        "Delivery delayed", "Spam or not?", "Out of office: who answers?", "Auto reply", "Rejected payment", "Re: Automatic reply: Invoice 12",
        "FW: Undelivered Mail Returned to Sender", "Fwd: Delivery Status Notification (Failure)", "Blocked account", "Unsubscribe me",
    ),
    "tr": (
        "Siparişim nerede?", "Teslim edilemeyen kargo", "Kargom teslim edilemedi",
        "Teslim edilemedi", "Tatil evi kiralama", "İzindeyim, kim bakacak?",
        "Otomatik yanıt: kapatabilir misiniz?", "Otomatik yanıt ayarı",
        "Ofis dışında çalışmıyor", "Teslimat başarısız", "İade: göndericiye geri döndü",
        "Mesajınız iletilemedi mi?", "Mailim size iletilemedi",
        "YNT: Otomatik yanıt: Fatura", "İLT: İletiniz teslim edilemedi", "Postam geri dönüyor",
        "Fatura gönderilemedi", "Kullanıcı bulunamadı hatası", "Posta kutum doldu", "Acil: yıllık izin talebi",
    ),
    "de": (
        "Wo bleibt meine Bestellung?", "Paket unzustellbar", "Unzustellbar",
        "Zustellung fehlgeschlagen", "Abwesenheitsnotiz einrichten", "Im Urlaub",
        "Automatische Antwort: bitte abstellen", "AW: Automatische Antwort: Rechnung", "WG: Unzustellbar: Rechnung", "Fehler bei der Zustellung",
        "Nachricht konnte nicht zugestellt werden?", "Rücksendung an Absender",
    ),
    "fr": (
        "Où est ma commande ?", "Colis non remis", "Non remis",
        "Échec de la livraison", "Absence du bureau", "Réponse automatique : merci de l'arrêter",
        "RE: Réponse automatique : Facture", "TR : Non remis : Facture", "Retour à l'expéditeur", "Location de vacances",
    ),
    "es": (
        "¿Dónde está mi pedido?", "Paquete no entregado", "No entregado", "Error de entrega", "Fuera de la oficina", "Devuelto al remitente",
        "Respuesta automática: quítenla", "RV: No se puede entregar: Factura", "Alquiler de vacaciones",
    ),
    "it": (
        "Dov'è il mio ordine?", "Pacco non consegnato", "Mancata consegna", "Impossibile recapitare il pacco", "Fuori sede", "Casa vacanze",
        "Risposta automatica: toglietela", "R: Risposta automatica: Fattura", "I: Non recapitabile: Fattura",
    ),
    "nl": ("Waar is mijn bestelling?", "Onbestelbaar pakket", "Onbestelbaar", "Afwezig", "Automatisch antwoord: uitzetten", "Vakantiehuis huren"),
    "pl": (
        "Gdzie jest moje zamówienie?", "Niedostarczone", "Zwrot wiadomości", "Odpowiedź automatyczna: wyłączyć",
        "Odp: Odpowiedź automatyczna: Faktura",
    ),
    "ru": (
        "Где мой заказ?", "Не доставлено", "Посылка не доставлена", "Автоматический ответ: отключите", "Ошибка доставки", "Я в отпуске",
        "Отв: Автоматический ответ: Счёт", "Не удалось доставить посылку",
    ),
    "ja": ("注文はどこですか", "配信不能", "宛先不明で戻ってきました", "自動返信を止めてください", "不在通知", "RE: 自動応答: 請求書"),
    "zh": ("我的订单在哪里", "退信", "投递失败", "自动回复: 请关闭", "回复: 自动答复: 发票", "包裹无法送达"),
    "ar": ("أين طلبي؟", "تعذر التسليم", "لم يتم التسليم", "رد تلقائي: أوقفوه", "خارج المكتب"),
}  # fmt: skip

SIGNED: Final = "\n\n-- \n{name}\n{address}\n+90 532 000 00 00\n"
TEXTS: Final[Mapping[str, Sequence[str]]] = {
    "en": (
        "Hello, my parcel 550 123 could not be delivered to the following address:\nAtatürk Cad. 5, Izmir\nPlease try again.",
        "Hi,\n\nmy mail could not be delivered to you yesterday, I got an error. Is your mailbox full?",
        "I am out of the office next week. Who can take the delivery for me?",
        "This is a permanent error in your app. I have given up. Please call me.",
        "Message could not be delivered is all I see in the app, error 554. What now?",
        "My bank said the payment was rejected because the user is unknown. Please check.",
        "The following is wrong with my order: two lamps instead of one, and the third is broken.",
        "Your automatic reply says you are on vacation. My order 4711 costs 550 euros and I want it now.",
    ),
    "tr": (
        "Merhaba, kargom aşağıdaki adrese teslim edilemedi:\nAtatürk Cad. 5, İzmir\nTekrar gönderir misiniz?",
        "Size yazdığım posta bana geri döndü, kullanıcı bulunamadı diyor. Siparişim hâlâ gelmedi.",
        "Yıllık izindeyim, pazartesi dönüyorum. Kargoyu o gün teslim edin lütfen.",
        "550 TL tutarındaki faturam iletilemedi. Bakar mısınız?", "Kime yazdıysam otomatik yanıt geliyor. Bir insan yok mu?",
    ),
    "de": (
        "Guten Tag, mein Paket konnte nicht zugestellt werden. Bitte noch einmal senden.",
        "Ich bin bis Montag im Urlaub, liefern Sie bitte erst am Dienstag.", "Meine Mail an Sie kam zurück: unzustellbar. Stimmt die Adresse noch?",
    ),
    "fr": ("Bonjour, mon colis n'a pas pu être livré. Pouvez-vous réessayer ?", "Je suis absent jusqu'à lundi, livrez mardi s'il vous plaît."),
    "es": ("Hola, mi pedido no ha sido entregado. ¿Pueden revisarlo?", "Estoy fuera de la oficina hasta el lunes, entréguenlo el martes."),
    "it": ("Buongiorno, il pacco non è stato consegnato. Potete riprovare?", "Sono fuori ufficio fino a lunedì, consegnate martedì."),
    "nl": ("Goedendag, mijn pakket kon niet worden bezorgd. Kunt u het opnieuw proberen?", "Ik ben tot maandag afwezig."),
    "pl": ("Dzień dobry, moja paczka nie została dostarczona. Proszę o pomoc.", "Jestem na urlopie do poniedziałku."),
    "ru": ("Здравствуйте, моя посылка не доставлена. Проверьте, пожалуйста.", "Я в отпуске до понедельника, доставьте во вторник."),
    "ja": ("荷物が届きません。確認してください。", "月曜日まで不在です。火曜日に届けてください。"),
    "zh": ("您好，我的包裹无法送达，请帮忙查一下。", "我外出，周一回来，请周二送货。"),
    "ar": ("مرحبا، لم يتم تسليم الطرد. هل يمكنكم التحقق؟", "أنا في إجازة حتى الاثنين."),
}  # fmt: skip

PROGRAMS: Final[Sequence[FIELDS]] = (
    ("X-Mailer: Microsoft Outlook 16.0", "Thread-Index: AdZ1", "X-MS-Has-Attach:", "x-ms-exchange-messagesentrepresentingtype: 1"),
    ("X-Mailer: Apple Mail (2.3774.300)", "Mime-Version: 1.0 (Mac OS X Mail 16.0)"), ("X-Mailer: iPhone Mail (21F90)",),
    ("User-Agent: Mozilla Thunderbird",), ("X-Gm-Message-State: AOJu0Yx", "X-Google-Smtp-Source: AGHT+IE"), ("User-Agent: K-9 Mail for Android",),
    ("X-Mailer: YahooMailWebMail",), ("User-Agent: Roundcube Webmail/1.6.6",), ("X-Mailer: Zimbra 9.0.0 (ZimbraWebClient)",),
    ("X-Mailer: Mail.Ru Mailer 1.0",), ("X-Mailer: Yamail [ http://yandex.example ] 5.0",), ("X-Mailer: Foxmail 7.2.25[tr]", "X-Priority: 3"),
    ("X-Mailer: HCL Notes Release 12.0.2", "X-MIMETrack: Serialize by Router on MX1"), ("X-Mailer: Novell GroupWise 18",),
    ("X-Mailer: PHPMailer 6.9.1 (https://forms.example)",), ("X-Mailer: eM Client/9.2", "Importance: high"), (),
)  # fmt: skip

SUPPRESSED: Final = "X-Auto-Response-Suppress: All"
WAYS: Final[Mapping[str, FIELDS]] = {
    "direct": ("Return-Path: <{address}>",),
    "answer": ("Return-Path: <{address}>", "In-Reply-To: <giden-1@bizim.example>", "References: <giden-1@bizim.example>"),
    "null-path": ("Return-Path: <>",),
    "null-path-loop": ("Return-Path: <>", "X-Loop: {address}", "Resent-From: {address}"),
    "null-path-list": ("Return-Path: <>", "Precedence: list", "List-Id: <musteri.liste.example>"),
    "suppressed": (SUPPRESSED,),
    "suppressed-null": ("Return-Path: <>", "X-Auto-Response-Suppress: DR, NDR, RN, NRN"),
    "generated": ("Auto-Submitted: auto-generated", "X-ServiceNow-Generated: true"),
    "submitted-no": ("Auto-Submitted: no", SUPPRESSED, "X-Autoreply: no"),
    "mailman": (
        "Precedence: list", "List-Id: Destek <destek.liste.example>", "List-Post: <mailto:destek@liste.example>",
        "Errors-To: d@liste.example",
    ),
    "google-group": ("Precedence: list", "List-ID: <destek.gruplar.example>", "Mailing-list: list destek@gruplar.example", "X-Google-Group-Id: 1"),
    "amazon": ("Return-Path: <0102@eu.amazonses.example>", "Feedback-ID: ::1.eu-central-1.abc=:AmazonSES"),
    "crm": ("List-Unsubscribe: <https://crm.example/u/1>", "List-Unsubscribe-Post: List-Unsubscribe=One-Click", "Feedback-ID: a:b:c:crm"),
    "bulk": ("Precedence: bulk", "X-JIRA-FingerPrint: 1"),
    "old-mailman": ("To: destek@liste.example", "Precedence: bulk", "X-BeenThere: destek@liste.example", "List-Post: <mailto:destek@liste.example>"),
    "ezmlm": ("To: destek@liste.example", "Precedence: bulk", "Mailing-List: contact destek-help@liste.example; run by ezmlm"),
    "exchange-rule": ("X-MS-Exchange-Generated-Message-Source: Mailbox Rules Agent", "X-MS-Exchange-Inbox-Rules-Loop: {address}"),
    "rewritten": ("Return-Path: <SRS0=x=y=musteri.example=ali@yonlendirici.example>", "X-Forwarded-To: destek@bizim.example"),
    "qmail": ("Received: (qmail 4711 invoked by uid 89); 24 Nov 2025 07:00:00 -0000", "Received: (qmail 12 invoked from network); 24 Nov 2025"),
    "filtered": ("X-Spam-Flag: YES", "X-Spam-Status: Yes, score=6.1 required=5.0", "X-Failed: no"),
    "salesforce": ("X-SFDC-LK: 00D", "X-SFDC-User: 005", "X-Sender: postmaster@salesforce.example", "Feedback-ID: x:y:salesforce"),
    "calendar": ("Content-Class: urn:content-classes:calendarmessage", "X-MS-Exchange-Calendar-Originator-Id: 1", "Auto-Submitted: no"),
    "auto-notified": ("Auto-Submitted: auto-notified", "X-GitHub-Reason: mention", "List-ID: <a.x.example>"),
    "null-path-answer": ("Return-Path: <>", "X-Forwarded-For: {address} destek@bizim.example", "Resent-From: {address}"),
    "campaign-to-us": ("X-Campaign-Id: 7", "Feedback-ID: 1:2:3:esp", "List-Unsubscribe: <https://esp.example/u>", "Precedence: bulk"),
    "x-loop-list": ("X-Loop: destek@liste.example", "X-BeenThere: destek@liste.example", "Precedence: list", "Sender: destek-bounces@liste.example"),
    "wants-receipts": ("Disposition-Notification-To: {address}", "Return-Receipt-To: {address}"),
}  # fmt: skip
SENDERS: Final = (
    ("Ayşe Yılmaz", "ayse@musteri.example"), ("Delia Very", "delivery@musteri.example"), ("Postacı Ali", "posta@musteri.example"),
    ("", "maileri@musteri.example"), ("Mailer Dämonisch", "daemon@musteri.example"), ("Info", "info@musteri.example"),
    ("İade Masası", "bounce@musteri.example"), ("Web Formu", "noreply@form.example"), ("Ali Can", "postmaster@musteri.example"),
    ("Express Mail Delivery", "mail.delivery@kurye.example"), ("Administrator", "admin@musteri.example"),
)  # fmt: skip

BOUNCE: Final = (
    "From: MAILER-DAEMON@mx.example\nTo: {address}\nSubject: Undelivered Mail Returned to Sender\nAuto-Submitted: auto-replied\n\n"
    "This is the mail system at host mx.example.\n\n<yok@hedef.example>: 550 5.1.1 User unknown\n"
)
REPORT: Final = "Reporting-MTA: dns; mx.example\n\nFinal-Recipient: rfc822; yok@hedef.example\nAction: failed\nStatus: 5.1.1\n"
PASTED: Final = (
    "\n\nThis is what I got:\n\nThis message was created automatically by mail delivery software.\n\n"
    "A message that you sent could not be delivered to one or more of its recipients. The following address(es) failed:\n\n"
    "  yok@hedef.example\n    550 5.1.1 User unknown\n"
)
BODIES: Final = ("plain", "plain", "html", "signed", "plain", "attached", "pasted", "reported")
"""How a text comes: alone, as a page, over a signature, with a bounce attached, with one pasted below, with one's parts."""


def people_mails() -> Iterator[PersonsMail]:
    """All of them, some 3,000, in the same order with the same bytes each time."""
    programs, senders, bodies = cycle(PROGRAMS), cycle(SENDERS), cycle(BODIES)
    texts = {language: cycle(enumerate(found)) for language, found in TEXTS.items()}
    for way, fields in WAYS.items():
        for language, subjects in SUBJECTS.items():
            for index, subject in enumerate(subjects):
                number, text = next(texts[language])
                body = next(bodies)
                name, address = next(senders)
                content = _mail(
                    sender=(name, address), subject=subject, text=text, body=body, program=next(programs),
                    way=tuple(field.format(address=address) for field in fields),
                )  # fmt: skip
                yield PersonsMail(name=f"{way} {language} subject {index} text {number} {body} {address}", content=content)


def _mail(*, sender: tuple[str, str], subject: str, text: str, body: str, program: FIELDS, way: FIELDS) -> bytes:
    name, address = sender
    shown = f"{_word(name)} <{address}>" if name else address
    if body == "pasted":
        text = f"{text}{' Please help me with this as soon as you can, I have tried everything that I could think of.' * 4}{PASTED}"
    if body == "signed":
        text += SIGNED.format(name=name, address=address)
    fields = [
        *way, "Received: from mx.musteri.example ([192.0.2.1]) by mx.bizim.example; Mon, 24 Nov 2025 10:00:00 +0300", f"From: {shown}",
        *(() if any(field.startswith("To: ") for field in way) else (f"To: Destek <{OURS}>",)),
        f"Subject: {_word(subject)}", "Date: Mon, 24 Nov 2025 10:00:00 +0300", "Message-ID: <c1@musteri.example>",
        *program, "MIME-Version: 1.0",
    ]  # fmt: skip
    kind = "text/html" if body == "html" else "text/plain"
    words = f"<p>{text.replace(chr(10), '<br>')}</p>" if body == "html" else text
    part = f"Content-Type: {kind}; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n{words}\n"
    if body not in ("attached", "reported"):
        return ("\n".join(fields) + "\n" + part).encode()
    parts = [part, f"Content-Type: message/rfc822\n\n{BOUNCE.format(address=address)}"]
    if body == "reported":
        parts.insert(1, f"Content-Type: message/delivery-status\n\n{REPORT}")
        fields = [one if not one.startswith("Subject: ") else f"Subject: {_word('Fwd: ' + subject)}" for one in fields]
    joined = "".join(f"--b\n{one}\n" for one in parts)
    return ("\n".join(fields) + f"\nContent-Type: multipart/mixed; boundary=b\n\n{joined}--b--\n").encode()


def _word(text: str) -> str:
    return text if text.isascii() else Header(text, "utf-8", maxlinelen=900).encode()
