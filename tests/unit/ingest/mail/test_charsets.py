"""Letters come out as they were written, whatever the label says; what is right stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.mail.charset_repair import once
from ingest.mail.charsets import decode_text
from ingest.mail.mime import read_mail

ANY_LATIN = [None, "iso-8859-1", "us-ascii", "windows-1252"]


# --- Japanese -------------------------------------------------------------------------------------------------------------

ROWS = b"\x1b$B-!-j|b\x1b(B x \x1b(I123\x1b(B \x1b$@$*@$OC\x1b(J"


@pytest.mark.parametrize(
    "label", ["iso-2022-jp", "ISO-2022-JP-MS", "cp50221", "csISO2022JP", "utf-8", "shift_jis", "us-ascii", None]
)
def test_iso_2022_jp_has_the_rows_of_windows(label: str | None) -> None:
    assert decode_text(ROWS, label)[0] == "①㈱髙 x ｱｲｳ お世話"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\x0e123\x0f abc", "ｱｲｳ abc"),
        (b"\xb1\xb2 abc \x1b$B$*\x1b(B", "ｱｲ abc お"),
        (b"\x1b$B$*\nabc", "お\nabc"),
        (b"\x1b$B$* $*$", "お お\ufffd"),
        (b"\x1b$(D0!\x1b(B", "丂"),
        (b"\x1b$A0!\x1b$(C0!\x1b(B", "啊가"),
        ("ツール".encode("cp932"), "ツール"),
        ("ご注文です".encode("euc_jp"), "ご注文です"),
        ("ご注文です".encode(), "ご注文です"),
        (b"plain", "plain"),
    ],
)
def test_what_comes_under_iso_2022_jp(data: bytes, text: str) -> None:
    assert decode_text(data, "iso-2022-jp")[0] == text


@pytest.mark.parametrize("label", ["euc-jp", "x-euc-jp", "eucJP-ms", "cp51932"])
def test_euc_jp(label: str) -> None:
    assert decode_text(b"\xad\xa1 \x8e\xb1\x8e\xb2 \xa4\xc7\xa4\xb9", label)[0] == "① ｱｲ です"
    assert decode_text("ツール一覧です".encode("cp932"), label)[0] == "ツール一覧です"


def test_shift_jis_in_a_word_of_iso_2022_jp() -> None:
    assert read_mail(b"From: a@b.c\nSubject: =?ISO-2022-JP?B?g2OBW4OL?=\n\nx").subject == "ツール"


@given(
    st.binary(max_size=60), st.sampled_from(["iso-2022-jp", "euc-jp", "gb2312", "big5", "utf-16", "iso-8859-1", "utf-8", "koi8-r"])
)
def test_no_bytes_raise(data: bytes, label: str) -> None:
    decode_text(b"\x1b$B" + data, label)
    decode_text(data, label, hint="windows-1254")


# --- other scripts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("label", ANY_LATIN)
@pytest.mark.parametrize(
    ("text", "charset"),
    [
        ("Где мой заказ?", "cp1251"), ("Где мой заказ?", "koi8_r"), ("ЗАКАЗ НЕ ДОСТАВЛЕН", "cp1251"), ("ЗАКАЗ НЕ ДОСТАВЛЕН", "koi8_r"),
        ("Привет", "iso8859_5"), ("Доброго дня, де моє замовлення?", "koi8_u"), ("Доброго дня, де моє замовлення?", "cp1251"),
        ("Καλημέρα, πού είναι η παραγγελία μου;", "cp1253"), ("订单没有收到", "gbk"), ("您好，我想退货。", "gbk"),
        ("שלום, איפה ההזמנה שלי", "cp1255"), ("أين طلبي؟ شكرا لكم", "cp1256"), ("สวัสดีครับ สินค้ายังไม่มา", "cp874"),
        ("мой заказ", "cp1251"), ("мой заказ", "koi8_r"), ("Добрый день", "cp1251"), ("Добрый день", "koi8_r"), ("чек на возврат", "iso8859_5"),
        ("החזר כספי בבקשה", "cp1255"), ("إلغاء الطلب", "cp1256"), ("ขอบคุณครับ", "cp874"), ("Ακύρωση παραγγελίας", "iso8859_7"),
        ("訂單問題請幫忙處理", "big5"), ("주문이 아직 도착하지 않았습니다", "cp949"), ("ご注文ありがとうございます", "cp932"),
    ],
)  # fmt: skip
def test_another_script_under_a_latin_label(text: str, charset: str, label: str | None) -> None:
    assert decode_text(text.encode(charset), label)[0] == text
    assert decode_text(text.encode(charset), None, hint="iso-8859-1")[0] == text


@pytest.mark.parametrize(
    "text",
    [
        "été à Noël, façade naïve", "ÄÖÜÄÖÜ", "ÀÉÈ ÔÙÛ ÇÀÉÈ", "\xa0\xa0\xa0\xa0\xa0\xa0 abc", "••••••••• fiyat", "—————————", "“”…’’’’", "°C ±±±±±±",
        "ØØØØØÅÅÅ", "Größenänderung", "señor ¿qué?", "½½½ ¾¾¾ ¼¼¼",
    ],
)  # fmt: skip
def test_latin_stays_latin(text: str) -> None:
    assert decode_text(text.encode("cp1252"), "iso-8859-1")[0] == text


@pytest.mark.parametrize("label", ['3D"koi8-r"', "koi8-r;", "'KOI8-R'", "x-koi8-r"])
def test_labels_with_what_stood_around_them(label: str) -> None:
    assert decode_text("Да, Ок".encode("koi8-r"), label)[0] == "Да, Ок"


def test_a_word_of_capitals_without_a_label() -> None:
    assert decode_text("ŞİKÂYET".encode("cp1254"))[0] == "ŞİKÂYET"
    assert decode_text("Да, ок".encode("cp1251"))[0] == "Да, ок"


def test_russian_of_dos_without_a_label() -> None:
    assert decode_text("Где мой заказ?".encode("cp866"))[0] == "Где мой заказ?"


def test_gbk_has_a_euro_and_big5_has_hong_kong() -> None:
    assert decode_text("朱镕基 ".encode("gbk") + b"\x805", "gb2312")[0] == "朱镕基 €5"
    assert decode_text("你哋嘅訂單喺邊度？".encode("big5hkscs"), "big5")[0] == "你哋嘅訂單喺邊度？"


# --- Turkish --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("label", ["iso-8859-1", "windows-1252", "us-ascii"])
@pytest.mark.parametrize(
    "text",
    [
        "Siparişim gelmedi", "İade talebi", "Sayın yetkili,", "değişiklik", "Ürün arızalı", "Kargo nerede kaldı, lütfen bakın", "Teşekkürler",
        "ŞİKAYET: FATURA YANLIŞ", "Ali Er, sipariş",
    ],
)  # fmt: skip
def test_turkish_letters_under_a_latin_label(text: str, label: str) -> None:
    assert decode_text(text.encode("cp1254"), label)[0] == text


@pytest.mark.parametrize("hint", [None, "windows-1254"])
@pytest.mark.parametrize(
    "text",
    [
        "Það er gott að þú ert hér, við sjáumst í dag", "Guðmundur Þorsteinsson hefur pantað tvær bækur", "Íslensk þjóðlög og ný ljóð",
        "Guðrún Jónsdóttir", "Við förum á morgun í íþróttahúsið", "Eg havi ikki fingið bíleggingina, takk fyri",
        "Orð og þýðing",
    ],
)  # fmt: skip
def test_icelandic_and_faroese_stay(text: str, hint: str | None) -> None:
    assert decode_text(text.encode("cp1252"), "iso-8859-1", hint=hint)[0] == text


def test_short_words_are_left_alone_unless_the_mail_says_turkish() -> None:
    assert decode_text("ışık".encode("cp1254"), "iso-8859-1")[0] == "ýþýk"
    assert decode_text("ışık".encode("cp1254"), "iso-8859-1", hint="iso-8859-9")[0] == "ışık"
    subject = b"From: a@b.c\nSubject: =?iso-8859-1?Q?=FD=FE=FDk?=\n"
    assert read_mail(subject + b"\nx").subject == "ýþýk"
    assert read_mail(subject + b"Content-Language: tr-TR\n\nx").subject == "ışık"
    assert read_mail(subject + "Content-Type: text/plain; charset=utf-8\n\nIşık yanmıyor".encode()).subject == "ışık"


def test_another_part_says_turkish() -> None:
    parts = b"--b\nContent-Type: text/plain; charset=iso-8859-1\n\n\xfd\xfe\xfdk\n--b\nContent-Type: text/html; charset=iso-8859-9\n\nx\n--b--"
    assert read_mail(b"From: a@b.c\nContent-Type: multipart/alternative; boundary=b\n\n" + parts).text == "ışık"


# --- Unicode --------------------------------------------------------------------------------------------------------------


def _twice(text: str, charset: str) -> str:
    return "".join(bytes([byte]).decode(charset, "ignore") or chr(byte) for byte in text.encode())


@pytest.mark.parametrize("charset", ["cp1252", "cp1254"])
@pytest.mark.parametrize("text", ["Grüße", "çok şık ığüşöç ĞÜŞİÖÇ", "“alıntı” — üç…", "😀😀 süß", "日本語です"])
def test_utf_8_encoded_twice(text: str, charset: str) -> None:
    assert decode_text(_twice(text, charset).encode(), "utf-8")[0] == text
    assert once(text) == text


@pytest.mark.parametrize("text", ["ekranda Ã¼ yazıyor", "Ã¼ harfi", "NÃO É", "São Paulo", "Å", "Ã¼Ã¼ ş", "Ã¼Ã¼ 日"])
def test_a_text_that_cites_such_letters_stays(text: str) -> None:
    assert decode_text(text.encode(), "utf-8")[0] == text


@pytest.mark.parametrize("label", ["utf-16", "UTF-16LE", "utf-16be", "ucs-2", "utf-8", None])
@pytest.mark.parametrize("order", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark(order: str, label: str | None) -> None:
    assert decode_text("Merhaba dünya, şikâyetim var".encode(order), label)[0] == "Merhaba dünya, şikâyetim var"


def test_utf_16_of_letters_without_zeros_and_a_label_that_was_left() -> None:
    assert decode_text("您好订单".encode("utf-16-be"), "utf-16be")[0] == "您好订单"
    assert decode_text("Merhaba dünya".encode(), "utf-16")[0] == "Merhaba dünya"


@pytest.mark.parametrize("label", ["unicode_escape", "unicode-escape", "raw_unicode_escape", "idna", "punycode", "undefined"])
def test_what_python_calls_a_codec_and_no_mail_a_charset(label: str) -> None:
    assert decode_text(rb"\x41", label) == (r"\x41", True)
