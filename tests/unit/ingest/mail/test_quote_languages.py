"""How programs announce a quote in each language: a table per shape, and people's words that only look like one."""

import pytest

from ingest.mail.quote_marks import fold, is_forward, is_forward_subject, is_mobile_signature
from ingest.mail.quotes import split_reply

ATTRIBUTIONS = {
    "ar": "في الثلاثاء، ٤ مارس ٢٠٢٥ في ٩:٠٥ ص تمت كتابة ما يلي بواسطة Shop <s@x.example>:",
    "bg": "На вт, 4.03.2025 г. в 9:05 Shop <s@x.example> написа:",
    "ca": "El dia 4 març 2025, a les 9:05, Shop <s@x.example> va escriure:",
    "cs": "út 4. 3. 2025 v 9:05 odesílatel Shop <s@x.example> napsal:",
    "da": "Den tirs. 4. mar. 2025 kl. 09.05 skrev Shop <s@x.example>:",
    "el": "Στις Τρί 4 Μαρ 2025 στις 9:05 μ.μ., ο χρήστης Shop <s@x.example> έγραψε:",
    "et": "Shop <s@x.example> kirjutas kuupäeval T, 4. märts 2025 kell 09:05:",
    "eu": "Shop igorleak (<s@x.example>) hau idatzi du (2025 mar. 4, ar. (09:05)):",
    "fa": "در تاریخ سه‌شنبه ۴ مارس ۲۰۲۵ ۹:۰۵ Shop <s@x.example> نوشت:",
    "fi": "ti 4. maalisk. 2025 klo 9.05 Shop (s@x.example) kirjoitti:",
    "gl": "O mar, 4 mar 2025 ás 9:05, Shop (<s@x.example>) escribiu:",
    "he": "\u202bבתאריך יום ג׳, 4 במרץ 2025 ב-9:05 מאת \u202aShop\u202c\u200f <\u202as@x.example\u202c\u200f>:\u202c",
    "hr": "uto, 4. ožu 2025. u 09:05 Shop <s@x.example> napisao je:",
    "hu": "Shop <s@x.example> ezt írta (időpont: 2025. márc. 4., K, 9:05):",
    "id": "Pada Sel, 4 Mar 2025 pukul 09.05 Shop <s@x.example> menulis:",
    "ja": "2025年3月4日(火) 9:05 Shop <s@x.example>:",
    "ja apple": "2025/03/04 9:05、Shop <s@x.example>のメール:",
    "ko": "2025년 3월 4일 (화) 오전 9:05, Shop <s@x.example>님이 작성:",
    "ko apple": "2025. 3. 4. 오전 9:05, Shop <s@x.example> 작성:",
    "lt": "2025-03-04, an, 09:05 Shop <s@x.example> rašė:",
    "lv": "otrd., 2025. g. 4. marts, plkst. 09:05 — lietotājs Shop (<s@x.example>) rakstīja:",
    "no": "tir. 4. mars 2025 kl. 09:05 skrev Shop <s@x.example>:",
    "pl": "wt., 4 mar 2025 o 09:05 Shop <s@x.example> napisał(a):",
    "pl wp": "Dnia 4 marca 2025 09:05 Shop <s@x.example> napisała:",
    "pt": "Shop <s@x.example> escreveu (terça, 4/03/2025 à(s) 09:05):",
    "ro": "În mar., 4 mar. 2025 la 09:05, Shop <s@x.example> a scris:",
    "sk": "ut 4. 3. 2025 o 9:05 Shop <s@x.example> napísal(a):",
    "sl": "V V tor., 4. mar. 2025 ob 09:05 je oseba Shop <s@x.example> napisala:",
    "sr": "уто, 4. мар 2025. у 09:05 Shop <s@x.example> је написао/ла:",
    "sv": "Den tis 4 mars 2025 kl 09:05 skrev Shop <s@x.example>:",
    "th": "เมื่อ อ. 4 มี.ค. 2025 เวลา 09:05 Shop <s@x.example> เขียนว่า:",
    "uk": "вт, 4 бер. 2025 р. о 09:05 Shop <s@x.example> пише:",
    "uk thunderbird": "04.03.25 09:05, Shop <s@x.example> написав(ла):",
    "vi": "Vào Th 3, 4 thg 3, 2025 vào lúc 09:05 Shop <s@x.example> đã viết:",
    "zh": "Shop <s@x.example> 于2025年3月4日周二 09:05写道：",
    "zh taiwan": "Shop <s@x.example> 於 2025年3月4日週二 上午9:05寫道：",
    "en aol": "In a message dated 3/4/2025 9:05:00 A.M. Eastern Standard Time, s@x.example writes:",
    "en spark": "On 4 Mar 2025, 09:05 +0300, Shop <s@x.example>, wrote:",
    "en becky": "On Tue, 4 Mar 2025 09:05:00 +0900\nShop <s@x.example> wrote:",
    "en edison": "On Mar 4, 2025 at 9:05 AM, <Shop (mailto:s@x.example)> wrote:",
    "en zoho": "---- On Tue, 04 Mar 2025 09:05:00 +0300 Shop <s@x.example> wrote ----",
    "es gmail of before 2014": "El 4 de marzo de 2025 09:05, Shop <s@x.example>escribió:",
    "hu apple": "2025. márc. 4. dátummal, 9:05 időpontban Shop <s@x.example> írta:",
    "ja outlook": '2025/03/04 9:05 に、"Shop" <s@x.example> を書き込みました:',
    "ko gmail of before 2014": "2025년 3월 4일 오전 9:05, Shop <s@x.example>님이 작성하였습니다:",
    "th apple": "ในวันที่ 4 มี.ค. 2568 เวลา 09:05 Shop <s@x.example> เขียนว่า:",
    "tr outlook": '4.03.2025 09:05 tarihinde "Shop" <s@x.example> yazdı:',
    "zh xiaomi": "Shop <s@x.example>于2025年3月4日周二09:05写道：",
    "in no listed language": "Ku 4 Werurwe 2025 09:05, Shop <s@x.example> yaranditse ati:",
}

MARKED_ATTRIBUTIONS = {
    "da": "Den 04.03.2025 kl. 09.05 skrev Shop:",
    "el": "Στις 4/3/2025 9:05 π.μ., ο Shop έγραψε:",
    "fi": "Shop kirjoitti 4.3.2025 klo 9.05:",
    "hu": "2025. 03. 04. 9:05 keltezéssel, Shop írta:",
    "ko": "2025-03-04 오전 9:05에 Shop 이(가) 쓴 글:",
    "pl": "W dniu 4.03.2025 o 09:05, Shop pisze:",
    "ro": "Pe 04.03.2025 09:05, Shop a scris:",
    "ru": "04.03.2025 9:05, Shop пишет:",
    "the bat": "Tuesday, March 4, 2025, 9:05:00 AM, you wrote:",
    "the bat de": "am Dienstag, 4. März 2025 um 09:05 schrieben Sie:",
    "gmail of before 2014": "2012/4/16 Shop <s@x.example>",
    "horde": "Quoting Shop <s@x.example>:",
    "horde tr": "Alıntı: Shop <s@x.example>:",
    "lotus": "Shop <s@x.example> schrieb am 04.03.2025 09:05:00:",
    "roundcube": "04.03.2025 09:05 tarihinde Shop yazmış:",
    "tutanota": "4. März 2025, 09:05 von s@x.example:",
    "gnus": "Shop <s@x.example> writes:",
}

FOLDED = {
    "in the address": "On Tue, Mar 4, 2025 at 9:05 AM Some Long Name <foo.bar@\nexample.org> wrote:",
    "in the domain": "On Tue, Mar 4, 2025 at 9:05 AM Some Long Name <foo@example.\norg> wrote:",
    "after the bracket": "Le mar. 4 mars 2025 à 09:05, Nom Très Long De Personne <\nnom@example.org> a écrit :",
    "before the bracket": 'Am 04.03.2025 09:05 schrieb "Eins Zwei" <noreply@example.org\n>:',
    "before the bracket and the verb": "W dniu wt., 4.03.2025 o 09:05 Imię Nazwisko <nazwisko@example.org\n> napisał(a):",
    "into three": "On Tue, Mar 4, 2025 at 9:05 AM Some Name via\nSome Very Long List Name <\nlist@example.org> wrote:",
    "after the date": "wt., 4 mar 2025 o 09:05\nSklep <s@x.example>\nnapisał(a):",
    "in the date": "On Tue, Mar 4,\n2025 at 9:05 AM Shop <s@x.example> wrote:",
    "without a verb": "2025-03-04 9:05 GMT+02:00 Foo bar <\ninfo@foo.example>:",
}

HEADERS = {
    "ar": ("من", "تاريخ الإرسال", "إلى", "الموضوع"),
    "bg": ("От", "Изпратено", "До", "Относно"),
    "ca": ("De", "Enviat el", "Per a", "Assumpte"),
    "cs": ("Od", "Odesláno", "Komu", "Předmět"),
    "da": ("Fra", "Sendt", "Til", "Emne"),
    "de": ("Von", "Gesendet", "An", "Betreff"),
    "el": ("Από", "Στάλθηκε", "Προς", "Θέμα"),
    "es": ("De", "Enviado el", "Para", "Asunto"),
    "et": ("Saatja", "Saadetud", "Adressaat", "Teema"),
    "fi": ("Lähettäjä", "Lähetetty", "Vastaanottaja", "Aihe"),
    "fr": ("De ", "Envoyé ", "À ", "Objet "),
    "he": ("מאת", "נשלח", "אל", "נושא"),
    "hr": ("Šalje", "Poslano", "Prima", "Predmet"),
    "hu": ("Feladó", "Elküldve", "Címzett", "Tárgy"),
    "id": ("Dari", "Dikirim", "Kepada", "Subjek"),
    "it": ("Da", "Inviato", "A", "Oggetto"),
    "ja": ("差出人", "送信日時", "宛先", "件名"),
    "ko": ("보낸 사람", "보낸 날짜", "받는 사람", "제목"),
    "nl": ("Van", "Verzonden", "Aan", "Onderwerp"),
    "no": ("Fra", "Sendt", "Til", "Emne"),
    "pl": ("Od", "Wysłano", "Do", "Temat"),
    "pt": ("De", "Enviada em", "Para", "Assunto"),
    "ro": ("De la", "Trimis", "Către", "Subiect"),
    "ru": ("От", "Отправлено", "Кому", "Тема"),
    "sk": ("Od", "Odoslané", "Komu", "Predmet"),
    "sv": ("Från", "Skickat", "Till", "Ämne"),
    "tr": ("Kimden", "Gönderilme Tarihi", "Kime", "Konu"),
    "uk": ("Від", "Надіслано", "Кому", "Тема"),
    "vi": ("Từ", "Đã gửi", "Đến", "Chủ đề"),
    "zh": ("发件人", "发送时间", "收件人", "主题"),
    "zh taiwan": ("寄件者", "傳送時間", "收件者", "主旨"),
}
SHAPES = {
    "outlook": "{0}: Shop <s@x.example>\n{1}: 4.03.2025 9:05\n{2}: Ali <a@b.example>\n{3}: X",
    "bold": "*{0}:* Shop <s@x.example>\n*{1}:* 4.03.2025 9:05\n*{2}:* Ali <a@b.example>\n*{3}:* X",
    "bold names": "**{0}**: Shop <s@x.example>\n**{1}**: 4.03.2025 9:05\n**{2}**: Ali\n**{3}**: X",
    "date first": "{1}: Tue, 4 Mar 2025 09:05:00 +0300\n{3}: X\n{0}: s@x.example\n{2}: a@b.example",
    "names only": "{0}: Shop\n{1}: 4.03.2025 9:05\n{2}: Ali\n{3}: X",
    "ruled": "________________________________\n{0}: Shop\n{2}: Ali\n{3}: X",
    "spaced": "{0}: Shop <s@x.example>\n\n{1}: 4.03.2025 9:05\n\n{2}: Ali\n\n{3}: X",
}

DELIMITERS = {
    "cs": "-----Původní zpráva-----",
    "da": "-----Oprindelig meddelelse-----",
    "de": "-------- Original-Nachricht --------",
    "el": "-----Αρχικό μήνυμα-----",
    "es": "-----Mensaje original-----",
    "fi": "-----Alkuperäinen viesti-----",
    "fr": "----- Mail original -----",
    "hu": "-----Eredeti üzenet-----",
    "it": "-----Messaggio originale-----",
    "ja": "-----元のメッセージ-----",
    "ko": "-----원본 메시지-----",
    "nl": "-----Oorspronkelijk bericht-----",
    "no": "-----Opprinnelig melding-----",
    "pl": "-----Wiadomość oryginalna-----",
    "pt": "-----Mensagem original-----",
    "ro": "-----Mesaj original-----",
    "ru": "-----Исходное сообщение-----",
    "sv": "-----Ursprungligt meddelande-----",
    "tr": "-----Özgün İleti-----",
    "vi": "-----Thư gốc-----",
    "en proton": "‐‐‐‐‐‐‐ Original Message ‐‐‐‐‐‐‐",
    "en below": "--- Original message below.",
    "en sony": "---- Shop wrote ----",
    "tr sony": "---- Shop yazdı ----",
    "ko daum": "---------[ 받은 메일 내용 ]----------",
    "zh 163": "---- 回复的原邮件 ----",
    "zh qq": "------------------&nbsp;原始邮件&nbsp;------------------",
    "zh": "------------------ 原始邮件 ------------------",
}

FORWARDS = {
    "cs": "---------- Přeposlaná zpráva ---------",
    "da": "Start på videresendt besked:",
    "de": "-------- Weitergeleitete Nachricht --------",
    "en": "Begin forwarded message:",
    "en quoted": "> Begin forwarded message:",
    "en zoho": "============ Forwarded message ============",
    "en notes": "----- Forwarded by Shop/Izmir on 04.03.2025 09:05 -----",
    "es": "Inicio del mensaje reenviado:",
    "fi": "Välitetty viesti alkaa:",
    "fr": "Début du message réexpédié :",
    "hu": "---------- Továbbított üzenet ---------",
    "it": "Inizio messaggio inoltrato:",
    "ja": "---------- 転送メッセージ ---------",
    "ko": "---------- 전달된 메시지 ---------",
    "nl": "Begin doorgestuurd bericht:",
    "pl": "Początek przekazywanej wiadomości:",
    "pt": "---------- Mensagem encaminhada ---------",
    "ru": "-------- Пересылаемое сообщение --------",
    "sv": "Vidarebefordrat brev:",
    "tr": "---------- Yönlendirilmiş İleti ---------",
    "zh": "---------- 转发的邮件 ---------",
}

TELEPHONES = {
    "ar": "أُرسلت من الـ iPhone",
    "cs": "Odesláno z iPhonu",
    "da": "Sendt fra min iPhone",
    "de": "Von meinem iPhone gesendet",
    "de app": "Gesendet mit der GMX iPhone App",
    "de galaxy": "Von meinem Samsung Galaxy Smartphone gesendet.",
    "el": "Στάλθηκε από το iPhone μου",
    "en": "Sent from my iPhone",
    "en outlook": "Get Outlook for Android<https://aka.example/x>",
    "en proton": "Sent with Proton Mail secure email.",
    "en windows": "Sent from Mail for Windows",
    "es": "Enviado desde mi iPhone",
    "fi": "Lähetetty iPhonesta",
    "fr": "Envoyé de mon iPhone",
    "he": "נשלח מה-iPhone שלי",
    "hu": "iPhone-omról küldve",
    "it": "Inviato da iPhone",
    "it samsung": "Inviato dal mio telefono Samsung",
    "ja": "iPhoneから送信",
    "ko": "나의 iPhone에서 보냄",
    "nl": "Verstuurd vanaf mijn iPhone",
    "no": "Sendt fra min iPad",
    "pl": "Wysłane z iPhone'a",
    "pt": "Enviado do meu iPhone",
    "ro": "Trimis de pe iPhone-ul meu",
    "ru": "Отправлено с iPhone",
    "sv": "Skickat från min iPhone",
    "tr": "iPhone'umdan gönderildi",
    "tr android": "Android’de Yahoo Mail’den gönderildi",
    "tr huawei": "Huawei cep telefonumdan gönderildi",
    "tr outlook": "Android için Outlook uygulamasını edinin",
    "tr windows": "Windows için Posta ile gönderildi",
    "uk": "Надіслано з iPhone",
    "vi": "Đã gửi từ iPhone của tôi",
    "zh": "发自我的iPhone",
    "zh taiwan": "從我的iPhone傳送",
}

PEOPLE = {
    "booking": "Please change:\n\nFrom: Ankara\nTo: Izmir\nDate: 5.12.2025 10:00\n\nThank you.",
    "booking tr": "Bilet:\n\nKimden: Ayşe\nKime: Veli\nTarih: 5 Aralık\nNot: pencere kenarı\n\nTeşekkürler",
    "contact form": "Yeni başvuru\n\nKimden: Zeynep <z@x.example>\nKonu: Fatura\nTarih: 04.03.2025\nMesaj: Faturam gelmedi.",
    "contact form de": "Anfrage\n\nVon: Eva <e@x.example>\nDatum: 4.3.2025\nBetreff: Rechnung\nNachricht: Bitte senden.",
    "date and verb": "On 4 March 2025 at 9:05 your colleague wrote:\nWe will refund you.\n\nNothing came.",
    "date and verb tr": "4 Mart 2025 09:05 tarihinde kurye not yazdı:\nadres kapalı.\n\nOysa evdeydim.",
    "date and verb de": "Am 4.3.2025 um 9:05 schrieb ich Ihnen (e@x.example) Folgendes:\nBitte stornieren.\n\nKeine Antwort.",
    "i wrote": "On 4 March 2025 I wrote to s@x.example and you wrote:\nwe will call.\n\nNobody called.",
    "address and date": "I wrote on 04.03.2025 9:05 from my other mail (ali@x.example):\nplease cancel.\n\nNobody did.",
    "desk": "Sent from my desk, is a parcel.\nSent from my house with UPS.",
    "parcel of telephones": "Merhaba\nİki telefon gönderildi",
    "device in a question": "Hello\nSent from my iPhone to yours, did it arrive?",
    "telephone in the middle": "Sent from my iPhone\n\n\n\n\nplease also look at this.",
    "telephone in a sentence": "Hello,\nit says Sent from my iPhone\nbelow my mails.",
    "rules of two dashes": "Merhaba\n--\nSipariş no: 5\n--\nTeşekkürler",
    "rules of one dash": "Merhaba\n—\nSipariş no: 5\n—\nTeşekkürler",
    "original in a list": "Lost:\n-- original message with the invoice\n-- forwarded message of May",
    "begin forwarded": "I begin forwarded messages: with a word\nof thanks.",
    "contact form with a paragraph": "New enquiry\n\nFrom: Ali <a@b.example>\nDate: 24.11.2025\nSubject: Invoice\n\nMessage: Please send.",
    "bank transfer": "Havale:\n\nGönderen: Ali\nAlıcı: Ayşe\nTarih: 24.11.2025 10:00\nKonu: kira\nTutar: 50\n\nGelmedi.",
    "parcel": "Kargom:\nGönderen: Mağaza\nAlıcı: Ali\nTarih: 24.11.2025 10:00\nTakip no: 5\n\nNerede?",
    "meeting": "Toplantı\n\nKonu: Bütçe\nTarih: 24.11.2025 10:00\nKime: herkes\n\nTeşekkürler",
    "carrier": "Hello\nSent via mobile carrier on Monday",
    "device of a parcel": "Hallo\nVon meinem Händler wurde das Handy gesendet",
    "invoice": "Merhaba\nFatura e-posta ile gönderildi mi?",
    "address and year": "Lütfen <ali@x.example> adresine 2025 için şunları gönderin:\nfatura\n\nTeşekkürler",
    "a sign is no address": "On 4 March 2025 @ 9:05 your colleague wrote:\nWe will refund you.\n\nNothing came.",
    "address, date and no verb": "We met on 04.03.2025 9:05, I had to mail (ali@x.example):\nthe invoice.\n\nIt is not there.",
    "mailbox escape": "Merhaba,\n\n>From Ankara to Izmir, ne zaman gelir?\n\nAli",
}


@pytest.mark.parametrize("quote", ["\n> old\n> words", "\nold\nwords"])
@pytest.mark.parametrize("name", ATTRIBUTIONS)
def test_an_attribution_is_cut(name: str, quote: str) -> None:
    assert split_reply(f"Ok.\n\n{ATTRIBUTIONS[name]}\n{quote}").text == "Ok."


@pytest.mark.parametrize("name", MARKED_ATTRIBUTIONS)
def test_an_attribution_without_address_is_cut_above_marked_lines(name: str) -> None:
    assert split_reply(f"Ok.\n\n{MARKED_ATTRIBUTIONS[name]}\n> old").text == "Ok."


@pytest.mark.parametrize("quote", ["\n> old", "\nold"])
@pytest.mark.parametrize("name", FOLDED)
def test_a_folded_attribution_is_cut_whole(name: str, quote: str) -> None:
    assert split_reply(f"Ok.\n\n{FOLDED[name]}\n{quote}").text == "Ok."


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("language", HEADERS)
def test_repeated_header_fields_are_cut(language: str, shape: str) -> None:
    assert split_reply(f"Ok.\n\n{SHAPES[shape].format(*HEADERS[language])}\n\nold").text == "Ok."


@pytest.mark.parametrize("name", DELIMITERS)
def test_a_delimiter_cuts(name: str) -> None:
    assert split_reply(f"Ok.\n\n{DELIMITERS[name]}\nold").text == "Ok."


@pytest.mark.parametrize("name", FORWARDS)
def test_what_was_sent_on_stays_below_its_introduction(name: str) -> None:
    assert is_forward(fold(FORWARDS[name]))
    text = f"Please look.\n\n{FORWARDS[name]}\n\nFrom: Cargo <c@x.example>\nSubject: X\nTo: a@b.example\n\nOn its way."
    assert split_reply(text).text == text


@pytest.mark.parametrize("name", FORWARDS)
def test_who_wrote_much_has_said_it(name: str) -> None:
    letter = "\n".join(["This is what I want to say about it."] * 20)
    assert split_reply(f"{letter}\n\n{FORWARDS[name]}\n\nFrom: Cargo\n\nOn its way.").text == letter


@pytest.mark.parametrize(
    "rule", ["________________________________", "-----", "*---------------*", "-----Shop <s@x.example> wrote: -----"]
)
def test_a_rule_above_goes_with_it(rule: str) -> None:
    block = SHAPES["outlook"].format(*HEADERS["tr"])
    assert split_reply(f"Ok.\n\n{rule}\n{block}\n\nold").text == "Ok."
    assert split_reply(f"Ok.\n\n{rule}\n\n{ATTRIBUTIONS['vi']}\nold").text == "Ok."


def test_what_programs_write_above_an_attribution_goes_with_it() -> None:
    assert split_reply(f"Ok.\n\n----------------\nКому: Shop (s@x.example);\nТема: X;\n{ATTRIBUTIONS['uk']}\n\nold").text == "Ok."
    assert split_reply("Ok.\n\n______________________________\n> Od: s@x.example\n>\n> old").text == "Ok."


def test_a_rule_that_people_draw_does_not_announce() -> None:
    text = "You say:\n-----\n> no refunds\n-----\nIs it true?"
    assert split_reply(text).text == text


def test_a_line_above_that_is_no_part_of_an_attribution_stays() -> None:
    for above in ("Mail me at a@b.example before 2026", "On 5 Dec please", "Tamam, 5 Aralık uygun"):
        assert split_reply(f"{above}\nShop wrote:\n> old").text == above
        assert split_reply(f"{above}\n24.11.2025, 10:00, Shop <s@x.example>:\n> old").text == above


def test_an_answer_to_what_was_sent_on_is_an_answer() -> None:
    quote = "On 4 Mar 2025 at 9:05, Shop <s@x.example> wrote:\n> Begin forwarded message:\n>\n> From: Cargo"
    assert split_reply(f"Thanks.\n\n{quote}").text == "Thanks."


@pytest.mark.parametrize(
    "subject", ["FW: x", "Fwd: Re: x", "İLT: x", "Ilt: x", "WG: x", "RV: x", "ENC: x", "Пересл: x", "转发：x", "轉寄: x", "ΠΡΘ: x"]
)
def test_a_subject_says_that_the_mail_is_sent_on(subject: str) -> None:
    assert is_forward_subject(subject)


@pytest.mark.parametrize("subject", ["", "x", "Re: FW: x", "YNT: İLT: x", "Forward planning: x", "fwd"])
def test_a_subject_does_not(subject: str) -> None:
    assert not is_forward_subject(subject)


@pytest.mark.parametrize(
    "quote", [SHAPES["outlook"].format(*HEADERS["tr"]) + "\n\nold", ATTRIBUTIONS["vi"] + "\n> old", "-----Özgün İleti-----\nold"]
)
def test_with_such_a_subject_what_would_be_a_quote_stays(quote: str) -> None:
    reply = split_reply(f"Please look.\n\niPhone'umdan gönderildi\n\n{quote}", forwarded=True)
    assert reply.text.split() == f"Please look. {quote}".split()
    assert reply.signature == "iPhone'umdan gönderildi"


@pytest.mark.parametrize("name", TELEPHONES)
def test_the_line_of_a_telephone_is_a_signature(name: str) -> None:
    assert is_mobile_signature(fold(TELEPHONES[name]))
    reply = split_reply(f"Ok.\n\n{TELEPHONES[name]}\n\n> old")
    assert (reply.text, reply.signature) == ("Ok.", TELEPHONES[name])


@pytest.mark.parametrize("name", PEOPLE)
def test_what_people_write_stays(name: str) -> None:
    assert split_reply(PEOPLE[name]).text.split() == PEOPLE[name].split()
    below = f"Merhaba,\n\n{PEOPLE[name]}"
    assert split_reply(below).text.split() == below.split()


def test_the_fold_of_quotes_goes_further_than_search() -> None:
    assert fold("Wysłał SØREN đã ħŧ Æsir cœur") == "wyslal soren da ht aesir coeur"
    assert fold("IıİiŞğ") == "iiiisg"
    assert fold("\u200f٢٠٢٥ ۱۴ 님이\u202c") == "2025 14 님이"
